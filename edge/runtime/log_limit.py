"""A log that whatever fails a thousand times a second cannot fill."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_A_MINUTE = 20
"""Lines made by one call in the code. More of the same tell nobody anything."""

WINDOW_SECONDS = 60.0
MOST_KINDS = 1024

MOST_CAUSES = 20
"""Exceptions in one line of the log: one may be its own cause's cause."""


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


class PlainTraceback(logging.Formatter):
    """Tells where something failed by file, line and name, without the text of the line.

    Python would read that from the program's files while every other thread waits to log: for as long as a
    dying card hangs the door would stand still.
    """

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return where an exception, and those before it, came from."""
        parts: list[str] = []
        error = ei[1]
        while error is not None and len(parts) < MOST_CAUSES:
            places = [
                f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}'
                for frame, line in walk_tb(error.__traceback__)
            ]
            parts.insert(0, "\n".join(["Traceback:", *places, f"{type(error).__name__}: {error}"]))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\n".join(parts)


def set_up_log(level: int = logging.INFO, *, with_time: bool = False) -> None:
    """Write the service's log to stderr, where systemd takes it from; bounded.

    `with_time` begins each line with the time, unless systemd's journal takes it, which has its own.
    """
    handler = logging.StreamHandler()
    at = "%(asctime)s " if with_time and "JOURNAL_STREAM" not in os.environ else ""
    handler.setFormatter(PlainTraceback(f"{at}%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(LogLimit())
    logging.basicConfig(level=level, handlers=[handler])
