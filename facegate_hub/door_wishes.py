"""What the property wants of each door and what the door says of it: one row a door, counted by revision."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

import sqlalchemy as sa

from facegate_hub.clerk import is_door
from facegate_hub.database import put, reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine


class DoorsWord(Protocol):
    """The kind of message in which doors say how a wish stands."""

    @classmethod
    def parse(cls, payload: bytes) -> object:
        """Return what is said. Raises `SyncError` for what no door can have said."""


class DoorWishes:
    """The wishes of one kind, in a site's database. Any thread.

    `table` has the columns of its likes (`facegate_hub.tables.CONFIGS`), `word` reads what doors say.
    """

    table: ClassVar[sa.Table]
    word: ClassVar[type[DoorsWord]]

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def revisions(self) -> dict[str, int]:
        """Return the newest revision of each door of which something is wanted."""
        columns = self.table.c
        query = sa.select(columns.device, columns.rev).where(columns.rev.is_not(None))
        with reading(self._engine) as connection:
            return {row.device: row.rev for row in connection.execute(query)}

    def note(self, device: str, payload: bytes) -> None:
        """Keep what a door says about itself. Raises `SyncError` for what it cannot have said."""
        self.word.parse(payload)
        if not is_door(device):
            return
        row = {"device": device, "reported": payload.decode(), "reported_at": datetime.now(UTC).isoformat()}
        with self._engine.begin() as connection:
            put(connection, self.table, row)
