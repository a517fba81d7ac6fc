"""A form that is sent again opens nothing twice: by a second tap on a slow line, or a page loaded anew."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports import Clock

T = TypeVar("T")

KEPT_SECONDS = 900.0
"""Longer than anybody tries a form again; it holds a slip's code for as long."""
MOST_KEPT = 1000


@dataclass(slots=True)
class _Sent:
    """What came of a form; `answers` is empty while it is under way."""

    at: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: list[Any] = field(default_factory=list)


class SentOnce:
    """What came of forms that were sent lately, in memory only. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: OrderedDict[str, _Sent] = OrderedDict()

    def answer(self, form: str, make: Callable[[], T]) -> T:
        """Return what came of this very form, and have it made by the first who sends it.

        A second one that comes meanwhile waits for the first. What `make` raises is kept for nobody.
        """
        sent = self._of(form)
        with sent.lock:
            if not sent.answers:
                sent.answers.append(make())
            found: T = sent.answers[0]
            return found

    def _of(self, form: str) -> _Sent:
        now = self._clock.monotonic()
        with self._lock:
            while self._sent:
                oldest = next(iter(self._sent.values()))
                if now - oldest.at <= KEPT_SECONDS and len(self._sent) < MOST_KEPT:
                    break
                self._sent.popitem(last=False)
            return self._sent.setdefault(form, _Sent(now))
