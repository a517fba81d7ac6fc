"""A card that hangs holds up a thread of its own, never whoever stands at the door.

No system call on a file can be given a deadline: an fsync of a dying card returns after half a minute or
not at all. So the call is made in a thread beside, and who asked goes on without it.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

DEADLINE_SECONDS = 1.0
"""The commit of a healthy card takes some 10 ms, of a slow one 100; a visitor should not wait longer."""


class TooSlow(TimeoutError):
    """The disk has not answered in time; what was asked may still be done later."""


class Asked(Generic[T]):
    """One call that was handed over. `wait` from any thread, as often as wanted."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Event()
        self._answer: T
        self._error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is an answer, or an error."""
        return self._done.is_set()

    def run(self) -> None:
        """Make the call. Never raises."""
        try:
            self._answer = self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error
        finally:
            self._done.set()

    def wait(self, seconds: float) -> T:
        """Return the answer or raise its error; `TooSlow` when there is none after `seconds`."""
        if not _beside.wait(self._done, seconds):
            raise TooSlow(f"no answer from the disk within {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._answer


class Workshop(Protocol):
    """What passes beside the asking thread: the machine's seconds and threads, or a simulation's."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""

    def queue(self, name: str) -> Callable[[Asked[Any]], object]:
        """Return what takes calls and makes them one after another, in their order."""

    def start(self, name: str, asked: Asked[Any]) -> object:
        """Have one call made beside everything else."""

    def wait(self, done: threading.Event, seconds: float) -> bool:
        """Return whether `done` was set before `seconds` were over."""


class Machine:
    """The machine's clock, and one daemon thread for each queue, started with its first call."""

    def monotonic(self) -> float:
        """Return monotonic seconds since boot."""
        return time.monotonic()

    def queue(self, name: str) -> Callable[[Asked[Any]], object]:
        """Return the queue of a thread that ends with the process."""
        calls: queue.SimpleQueue[Asked[Any]] = queue.SimpleQueue()
        starting = threading.Lock()
        threads: list[threading.Thread] = []

        def work() -> None:
            while True:
                calls.get().run()

        def take(asked: Asked[Any]) -> None:
            with starting:
                if not threads:
                    threads.append(threading.Thread(target=work, name=name, daemon=True))
                    threads[0].start()
            calls.put(asked)

        return take

    def start(self, name: str, asked: Asked[Any]) -> None:
        """Start a thread for one call; it ends with it."""
        threading.Thread(target=asked.run, name=name, daemon=True).start()

    def wait(self, done: threading.Event, seconds: float) -> bool:
        """Wait for `done`."""
        return done.wait(seconds)


_beside: Workshop = Machine()


@contextmanager
def simulated(beside: Workshop) -> Iterator[None]:
    """Have `beside` stand for clock and threads of this process during the block: a simulated world's."""
    global _beside  # noqa: PLW0603 - one process, one world
    before, _beside = _beside, beside
    try:
        yield
    finally:
        _beside = before


def monotonic() -> float:
    """Return monotonic seconds for timers that no clock was handed to."""
    return _beside.monotonic()


def begin_beside(name: str, call: Callable[[], T]) -> Asked[T]:
    """Have `call` made in a thread of its own; return at once."""
    asked = Asked(call)
    _beside.start(name, asked)
    return asked


def promptly(name: str, call: Callable[[], T]) -> T:
    """Return what `call` returns or raise what it raises; `TooSlow`, an OSError, after a second.

    For what a start reads once: it waits no longer for a card that hangs than for one that fails.
    """
    return begin_beside(name, call).wait(DEADLINE_SECONDS)


class Aside:
    """Makes calls one after another in a thread of its own. Any thread may ask.

    `ask` waits up to the deadline, and not at all while an earlier call is overdue: with a hanging card
    the first visitor waits a second, the others do not. The thread ends with the process.
    """

    def __init__(self, name: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._deadline = deadline_seconds
        self._take = _beside.queue(name)
        self._lock = threading.Lock()
        self._open: list[tuple[Asked[Any], float]] = []

    @property
    def is_overdue(self) -> bool:
        """Whether a call was handed over longer ago than the deadline and is not answered."""
        with self._lock:
            self._open = [one for one in self._open if not one[0].is_done]
            return bool(self._open) and monotonic() - self._open[0][1] >= self._deadline

    def hand_over(self, call: Callable[[], T]) -> Asked[T]:
        """Have `call` made when its turn comes; return at once."""
        asked = Asked(call)
        with self._lock:
            self._open = [one for one in self._open if not one[0].is_done]
            self._open.append((asked, monotonic()))
        self._take(asked)
        return asked

    def ask(self, call: Callable[[], T]) -> T:
        """Return what `call` returns or raise what it raises; `TooSlow` after the deadline.

        While an earlier call is overdue nothing is handed over at all.
        """
        if self.is_overdue:
            raise TooSlow("the disk has not answered an earlier question yet")
        return self.hand_over(call).wait(self._deadline)
