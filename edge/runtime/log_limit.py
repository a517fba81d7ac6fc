"""A log that whatever fails a thousand times a second cannot fill."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_A_MINUTE = 20
"""Lines made by one call in the code. More of the same tell nobody anything."""

WINDOW_SECONDS = 60.0
MOST_KINDS = 1024


@dataclass(slots=True)
class _Window:
    since: float
    written: int = 0
    withheld: int = 0


class LogLimit(logging.Filter):
    """Lets 20 lines a minute through for each call that logs; then says how many it withheld. Any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[str, int], _Window] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written."""
        now, kind = self._monotonic(), (record.pathname, record.lineno)
        with self._lock:
            window = self._windows.get(kind)
            if window is None or now - window.since >= WINDOW_SECONDS:
                withheld = window.withheld if window else 0
                window = self._windows[kind] = _Window(now)
                # Oldest first, so that the kind whose window began longest ago is forgotten when there are
                # too many.
                self._windows.move_to_end(kind)
                while len(self._windows) > MOST_KINDS:
                    self._windows.popitem(last=False)
                # Added to the first line of the next window: a filter can change a line, but not write one.
                if withheld:
                    record.msg = f"{record.getMessage()} ({withheld} more like this were not written)"
                    record.args = ()
            if window.written >= MOST_A_MINUTE:
                window.withheld += 1
                return False
            window.written += 1
            return True


def set_up_log(level: int = logging.INFO, *, with_time: bool = False) -> None:
    """Write the service's log to stderr, where systemd takes it from; bounded.

    `with_time` begins each line with the time, unless systemd's journal takes it, which has its own.
    """
    handler = logging.StreamHandler()
    at = "%(asctime)s " if with_time and "JOURNAL_STREAM" not in os.environ else ""
    handler.setFormatter(logging.Formatter(f"{at}%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(LogLimit())
    logging.basicConfig(level=level, handlers=[handler])
