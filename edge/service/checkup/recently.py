"""What a running door last wrote of its parts: the checkup must not take camera or guard from it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edge.errors import FacegateError
from edge.events import Kind, Tone, tone_of
from edge.store.reader import JOURNAL_FILE, JournalReader

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import DoorEvent

LOOK_BACK = 5_000
"""Events that are read: some days of a busy door, a tenth of a second."""


class RecentEvents:
    """The newest events of a door's journal; none where there is no journal yet. One thread."""

    def __init__(self, data: Path) -> None:
        self.problem: str | None = None
        self._path = data / JOURNAL_FILE
        self._newest: dict[str, DoorEvent] = {}
        self._place = ("", 0)
        """Stream and number of the last event read."""
        self.follow()

    def follow(self) -> None:
        """Read what has been written since; of a journal that began anew, from its beginning."""
        self.problem = None
        if not self._path.exists():
            return
        try:
            with closing(JournalReader(self._path)) as reader:
                last = reader.last()
                if last is None:
                    return
                stream, done = self._place
                if stream != last.stream:
                    # Numbers begin at 1 again: an event of the former journal would count as the newest.
                    self._newest, done = {}, 0
                begin = max(done, last.seq - LOOK_BACK)
                self._newest |= {event.kind: event for event in reader.read(begin, LOOK_BACK)}
                self._place = last.stream, last.seq
        except FacegateError as error:
            self.problem = str(error)

    def newest(self, *kinds: Kind) -> DoorEvent | None:
        """Return the newest event of these kinds."""
        found = (self._newest[kind] for kind in kinds if kind in self._newest)
        return max(found, key=lambda event: event.seq, default=None)

    def since_start(self, *kinds: Kind) -> DoorEvent | None:
        """Return the newest event of these kinds that the door wrote after it was last started.

        For parts that each start judges anew: what is still wrong is told again, what was mended in between
        is not.
        """
        event, start = self.newest(*kinds), self.newest(Kind.SERVICE_STARTED)
        return None if event is None or (start is not None and event.seq < start.seq) else event

    def trouble(self, *kinds: Kind) -> DoorEvent | None:
        """Return the newest event of these kinds while it tells of something bad, else None."""
        event = self.newest(*kinds)
        return event if event is not None and is_bad(event) else None


def is_bad(event: DoorEvent) -> bool:
    """Return whether an event tells of something bad."""
    return tone_of(event.kind, event.data.get("state")) in (Tone.BAD, Tone.ALARM)
