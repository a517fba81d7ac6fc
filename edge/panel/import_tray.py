"""Lists of people that were looked at and not yet confirmed."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.words import message

if TYPE_CHECKING:
    from edge.panel.people_list import PeopleList
    from edge.ports import Clock

WAIT_SECONDS = 900.0
MOST_WAITING = 4


@dataclass(slots=True)
class ImportTray:
    """Lists that were looked at and not yet confirmed: a few, for a quarter of an hour. Any thread."""

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: OrderedDict[str, tuple[float, str, PeopleList]] = field(default_factory=OrderedDict)

    def put(self, user: str, people: PeopleList) -> str:
        """Keep a list of this user and return what it is called."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._waiting[name] = (self.clock.monotonic(), user, people)
            # A list may hold 20,000 people: a small board has room for few of them.
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
        return name

    def take(self, name: str, user: str) -> PeopleList:
        """Return a list and forget it. Raises `PanelRefused` when it is not there (any more)."""
        with self._lock:
            at, whose, people = self._waiting.pop(name, (0.0, "", None))
        if people is None or whose != user or self.clock.monotonic() - at > WAIT_SECONDS:
            raise PanelRefused(message("list.gone"))
        return people
