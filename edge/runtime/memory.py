"""What the C library keeps of memory that nobody uses any more.

Opening the models and recognising a face leave tens of megabytes of holes behind, which glibc keeps in
case they are wanted again. A door is idle most of the day, and the board has other things to do.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h

EVERY_SECONDS = 60.0
"""Giving back takes a few milliseconds; what is then used again costs 3 ms of page faults, once."""


def keep_one_heap() -> None:
    """Let all threads share one heap; call it before the first thread starts.

    By default each thread that allocates much gets a heap of its own, which keeps its own holes. Without
    glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(ARENA_MAX, 1)


def give_back() -> None:
    """Return to the kernel what is free. Any thread; without glibc this does nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def memory_worker(stopping: threading.Event, let_go: Callable[[], None]) -> Worker:
    """Return the thread that gives back every minute until `stopping` is set.

    `let_go` is called before: it frees what others keep for later.
    """

    def step() -> None:
        let_go()
        give_back()
        stopping.wait(EVERY_SECONDS)

    return Worker("memory", step, max_silence_seconds=2 * EVERY_SECONDS, stopping=stopping, nice=10)
