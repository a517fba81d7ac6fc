"""Events that wait in memory while the journal cannot be written, and what becomes of them when it lasts.

Entries and alarms are all kept one by one. Events that anybody can cause in any number (`Keep.COUNTED`) are
kept up to a limit; beyond it the older ones that are alike become one event with their count. The journal
is told afterwards how many events were stored only as a count.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.events import Keep, facts_of

if TYPE_CHECKING:
    from datetime import datetime

    from edge.domain import EventDraft

MOST_UNSAVED = 10_000
"""Events kept one by one in memory: hours of a busy gate, 10 MB."""

Likeness: TypeAlias = tuple[str, str, str]
"""Kind, reason and method: events that agree in these are counted together. All are closed lists."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Events that are alike: how many, when the first happened (UTC), and the last of them."""

    count: int
    first: datetime
    last: EventDraft

    def joined(self, later: Counted) -> Counted:
        """Return both as one."""
        return Counted(self.count + later.count, self.first, later.last)

    def told(self) -> EventDraft:
        """Return the one event that stands for all of them: when the last happened, and of nobody."""
        data: dict[str, Any] = {"folded": self.count, "first": self.first.isoformat()}
        if (method := self.last.data.get("method")) is not None:
            data["method"] = method
        return replace(self.last, resident_id=None, data=data)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """One thing to store: an event by its place in the order, or what was counted."""

    draft: EventDraft
    place: int | None = None
    counted: Counted | None = None


class UnsavedEvents:
    """What waits to be stored, in order. Any thread may `add`; one thread at a time takes.

    `most` is how many are kept one by one before those that may be are counted, oldest first.
    """

    def __init__(self, most: int = MOST_UNSAVED) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._places = 0
        self._kept: OrderedDict[int, EventDraft] = OrderedDict()
        self._countable: deque[int] = deque()
        self._counts: dict[Likeness, Counted] = {}
        self._waited = 0
        self._lost = 0

    def __len__(self) -> int:
        """Return how many entries the journal will get."""
        return len(self._kept) + len(self._counts)

    def add(self, draft: EventDraft) -> None:
        """Keep `draft` until it can be stored."""
        with self._lock:
            self._waited += 1
            self._kept[self._places] = draft
            if facts_of(draft.kind).keep is Keep.COUNTED:
                self._countable.append(self._places)
            self._places += 1
            if len(self._kept) > self._most and self._countable:
                oldest = self._kept.pop(self._countable.popleft())
                self._lost += 1
                self._count(Counted(1, oldest.at, oldest))

    def take(self) -> Unsaved | None:
        """Return what to store next, None when nothing waits; give it `back` when it cannot be stored."""
        with self._lock:
            # What was counted first: it was the oldest when it was counted.
            if self._counts:
                counted = self._counts.pop(next(iter(self._counts)))
                return Unsaved(counted.told(), counted=counted)
            if not self._kept:
                return None
            place, draft = self._kept.popitem(last=False)
            if self._countable and self._countable[0] == place:
                self._countable.popleft()
            return Unsaved(draft, place)

    def back(self, unsaved: Unsaved) -> None:
        """Have this wait again, in its place."""
        with self._lock:
            if unsaved.counted is not None:
                self._count(unsaved.counted, is_earlier=True)
            if unsaved.place is None:
                return
            self._kept[unsaved.place] = unsaved.draft
            # Back to the front: it was the oldest when it was taken.
            self._kept.move_to_end(unsaved.place, last=False)
            if facts_of(unsaved.draft.kind).keep is Keep.COUNTED:
                self._countable.appendleft(unsaved.place)

    def tally(self) -> dict[str, int]:
        """Return how many events `waited` since it was settled, and how many were `lost`: only counted."""
        with self._lock:
            tally = {"waited": self._waited, "lost": self._lost}
        return {name: count for name, count in tally.items() if count}

    def settle(self, tally: dict[str, int]) -> None:
        """Take note that this tally is in the journal."""
        with self._lock:
            self._waited -= tally.get("waited", 0)
            self._lost -= tally.get("lost", 0)

    def _count(self, counted: Counted, *, is_earlier: bool = False) -> None:
        draft = counted.last
        alike = (str(draft.kind), str(draft.reason), str(draft.data.get("method")))
        present = self._counts.get(alike)
        if present is not None:
            counted = counted.joined(present) if is_earlier else present.joined(counted)
        self._counts[alike] = counted
