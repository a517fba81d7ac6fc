"""The time of a simulated world: what it is, what the door's clock says, and what passes beside."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from fnmatch import fnmatch
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from edge.aside import Asked

IN_MEMORY = "spool-0"
"""The queue whose file lies in the service's memory-backed folder: no card makes it wait."""


class Killed(BaseException):
    """The door's process ends here, as by SIGKILL: nothing of it may catch this and go on."""


class WorldClock:
    """True time and the door's clock. Implements `ports.Clock` for the door.

    `kill_in` counts the door's looks at a clock down to the moment in which it is killed.
    """

    def __init__(self, true: datetime) -> None:
        self.true = true
        self.mono = 1000.0
        self.error = timedelta()
        """How far the door's wall clock is ahead of the true time."""
        self.is_synchronised = True
        self.kill_in: int | None = None
        self.runs = 1
        """How often the board was switched on."""

    def monotonic(self) -> float:
        self._looked_at()
        return self.mono

    def now(self) -> datetime:
        self._looked_at()
        return self.true + self.error

    def advance(self, seconds: float) -> None:
        self.mono += seconds
        self.true += timedelta(seconds=seconds)

    def _looked_at(self) -> None:
        if self.kill_in is None:
            return
        self.kill_in -= 1
        if self.kill_in <= 0:
            self.kill_in = None
            raise Killed


class WorldThreads:
    """What passes beside the door's one thread. Implements `edge.aside.Workshop`.

    A call is made at once, or when the card that hangs has answered: `hang` says for which queues.
    """

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self._hanging: dict[str, float] = {}
        self._waiting: deque[tuple[str, Asked[Any]]] = deque()

    def hang(self, names: str, seconds: float) -> None:
        """Have the card answer nothing to the queues of these names (a pattern) for so long."""
        self._hanging[names] = self._clock.mono + seconds

    @property
    def is_hanging(self) -> bool:
        """Whether the card hangs for anybody, or something still waits for it."""
        return bool(self._waiting) or any(self._clock.mono < at for at in self._hanging.values())

    def drop(self) -> None:
        """Forget what waits: its process has died."""
        self._waiting.clear()

    def monotonic(self) -> float:
        return self._clock.mono

    def queue(self, name: str) -> Callable[[Asked[Any]], object]:
        return partial(self.start, name)

    def start(self, name: str, asked: Asked[Any]) -> None:
        if self._hangs(name):
            self._waiting.append((name, asked))
        else:
            self._run(asked)

    def wait(self, done: threading.Event, seconds: float) -> bool:
        end = self._clock.mono + seconds
        while not done.is_set() and self._clock.mono < end:
            moments = [at for at in self._hanging.values() if self._clock.mono < at < end]
            self._clock.advance(min(moments, default=end) - self._clock.mono)
            self.answer()
        return done.is_set()

    def answer(self) -> None:
        """Make the calls whose turn has come."""
        still: deque[tuple[str, Asked[Any]]] = deque()
        waiting, self._waiting = self._waiting, deque()
        while waiting:
            name, asked = waiting.popleft()
            if self._hangs(name):
                still.append((name, asked))
            else:
                self._run(asked)
        self._waiting = still + self._waiting

    def _hangs(self, name: str) -> bool:
        if name == IN_MEMORY:
            return False
        return any(fnmatch(name, names) and self._clock.mono < at for names, at in self._hanging.items())

    def _run(self, asked: Asked[Any]) -> None:
        asked.run()
        try:
            asked.wait(0)
        except Killed:
            raise
        except BaseException:  # noqa: BLE001 - for whoever asked
            return


class Stopping:
    """Stands in for the event that every pause of a door waits for: here nothing waits."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        return self._is_set
