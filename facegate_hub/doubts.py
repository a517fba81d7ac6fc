"""Signs of tampering or loss in doors' journals: each is stored once, and their number is bounded."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facegate_hub.database import insert_into, reading
from facegate_hub.tables import DOUBTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Engine

MOST_DOUBTS = 200
"""Of one door that nobody has acknowledged; what is beyond is counted in one line."""
MORE = "more"
AT_ONCE = 500
"""Ids in one statement: databases take a limited number of values."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sign of tampering or loss in a door's journal."""

    device: str
    stream: str
    seq: int
    what: str
    count: int | None = None
    id: int = 0


def note_doubts(connection: Connection, doubts: list[dict[str, Any]], now: float) -> None:
    """Write doubts (device, stream, seq, kind, what); one that was noted before is counted there."""
    room = {device: MOST_DOUBTS - _open(connection, device) for device in {one["device"] for one in doubts}}
    counts: Counter[tuple[str, str, int, str]] = Counter()
    texts: dict[tuple[str, str, int, str], str] = {}
    for one in doubts:
        key = (one["device"], one["stream"], one["seq"], one["kind"])
        if key not in counts:
            if room[one["device"]] <= 0:
                # All that is beyond shares this one row, and is only counted.
                key = (one["device"], "", 0, MORE)
            room[one["device"]] -= 1
        counts[key] += 1
        texts.setdefault(key, f"more than {MOST_DOUBTS} doubts" if key[3] == MORE else one["what"])
    rows = [
        {"device": d, "stream": s, "seq": q, "kind": k, "what": texts[d, s, q, k], "count": n, "at": now}
        for (d, s, q, k), n in sorted(counts.items())
    ]
    statement = insert_into(connection, DOUBTS)
    again = {"count": sa.func.coalesce(DOUBTS.c.count, 1) + statement.excluded["count"]}
    unique = ["device", "stream", "seq", "kind"]
    connection.execute(statement.on_conflict_do_update(index_elements=unique, set_=again), rows)


def unseen(engine: Engine) -> list[Doubt]:
    """Return those that nobody acknowledged, in the order they were noted."""
    columns = (DOUBTS.c[name] for name in Doubt.__slots__)
    query = sa.select(*columns).where(DOUBTS.c.acknowledged_at.is_(None)).order_by(DOUBTS.c.id)
    with reading(engine) as connection:
        return [Doubt(*row) for row in connection.execute(query)]


def acknowledge(
    connection: Connection, who: str, door: str | None = None, shown: Sequence[int] | None = None
) -> int:
    """Note that `who` has looked at doubts, of one door or of those ids, and return how many that were.

    With `shown` nothing counts as seen that was noted after somebody began to read.
    """
    values = {"acknowledged_by": who, "acknowledged_at": time.time()}
    open_ones = [DOUBTS.c.acknowledged_at.is_(None), *([DOUBTS.c.device == door] if door else [])]
    update = sa.update(DOUBTS).where(*open_ones).values(**values)
    if shown is None:
        return connection.execute(update).rowcount
    parts = (shown[start : start + AT_ONCE] for start in range(0, len(shown), AT_ONCE))
    return sum(connection.execute(update.where(DOUBTS.c.id.in_(some))).rowcount for some in parts)


def _open(connection: Connection, device: str) -> int:
    mine = (DOUBTS.c.device == device, DOUBTS.c.acknowledged_at.is_(None))
    query = sa.select(sa.func.count()).select_from(DOUBTS).where(*mine)
    return connection.execute(query).scalar() or 0
