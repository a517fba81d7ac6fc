"""The log stays readable and bounded whatever fails in a loop."""

from __future__ import annotations

import logging
import sys

from edge.runtime.log_limit import MOST_A_MINUTE, LogLimit, PlainTraceback


def record(line: int, text: str = "%s failed", *values: object) -> logging.LogRecord:
    return logging.LogRecord("door", logging.WARNING, "door.py", line, text, values or ("it",), None)


def test_the_same_line_is_written_twenty_times_a_minute_and_the_rest_is_counted():
    now = [0.0]
    limit = LogLimit(lambda: now[0])
    written = [limit.filter(record(7)) for _ in range(1000)]
    assert sum(written) == MOST_A_MINUTE
    now[0] = 60.0
    again = record(7)
    assert limit.filter(again)
    assert again.getMessage() == f"it failed ({1000 - MOST_A_MINUTE} more like this were not written)"


def test_a_noisy_place_silences_no_other():
    limit = LogLimit(lambda: 0.0)
    for _ in range(1000):
        limit.filter(record(7))
    assert limit.filter(record(8))


def refuse(what: str) -> None:
    raise ValueError(what)


def told(fail: str) -> str:
    try:
        try:
            refuse(fail)
        except ValueError as error:
            raise RuntimeError("given up") from error
    except RuntimeError:
        line = record(7)
        line.exc_info = sys.exc_info()
        return PlainTraceback("%(message)s").format(line)
    raise AssertionError("nothing failed")


def test_a_failure_is_told_by_place_and_without_reading_the_program():
    """A dying card that hangs would hold up the log, and with it every thread of the door."""
    text = told("no room")
    assert text.index("ValueError: no room") < text.index("RuntimeError: given up")
    assert f'File "{__file__}"' in text
    assert "in refuse" in text
    assert "raise ValueError" not in text  # the program's own text
