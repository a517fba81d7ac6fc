"""A core that is slower than this one, by letting a process stand still most of the time."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD_SECONDS = 0.02
"""One turn of running and standing still: short beside a frame (0.067 s), long beside what a signal takes."""


@contextmanager
def slowed(pid: int, times: float) -> Iterator[None]:
    """Let a process run for one part in `times` of the time until the end of the block.

    It stands still as a whole, with all its threads, and is given back running. A process that ends meanwhile
    is no error: whoever started it knows.
    """
    if times <= 1:
        yield
        return
    ended = threading.Event()
    pace = threading.Thread(target=_pace, args=(pid, times, ended), daemon=True)
    pace.start()
    try:
        yield
    finally:
        ended.set()
        pace.join()


def _pace(pid: int, times: float, ended: threading.Event) -> None:
    try:
        while not ended.is_set():
            begun = time.monotonic()
            time.sleep(PERIOD_SECONDS / times)
            os.kill(pid, signal.SIGSTOP)
            # By what it really ran: on a busy machine a sleep lasts longer, and the share must stay.
            time.sleep((time.monotonic() - begun) * (times - 1))
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return
