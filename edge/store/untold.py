"""Events of what was changed in a file, kept in it by the same commit until the journal has them.

Whoever loses power between the change and its entry finds the event here at the next start and tells it then:
none is lost. One may be told twice, when the power goes between the entry and its end here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.events import Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

TABLE = """CREATE TABLE untold (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, resident_id TEXT, data TEXT NOT NULL)"""


@dataclass(frozen=True, slots=True)
class UntoldEvent:
    """What an event will say; `number` is its place in the file."""

    kind: Kind
    resident_id: str | None
    data: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0


def keep_untold(connection: sqlite3.Connection, event: UntoldEvent) -> None:
    """Keep an event with the change that it is about, before the commit of both."""
    row = (str(event.kind), event.resident_id, json.dumps(event.data))
    connection.execute("INSERT INTO untold (kind, resident_id, data) VALUES (?, ?, ?)", row)


def kept_untold(connection: sqlite3.Connection) -> list[UntoldEvent]:
    """Return what no journal is known to have, in the order in which it happened."""
    rows = connection.execute("SELECT number, kind, resident_id, data FROM untold ORDER BY number")
    return [UntoldEvent(Kind(kind), who, json.loads(data), number) for number, kind, who, data in rows]


def end_untold(connection: sqlite3.Connection, events: Iterable[UntoldEvent]) -> None:
    """Forget events that were told."""
    connection.executemany("DELETE FROM untold WHERE number = ?", [(one.number,) for one in events])
