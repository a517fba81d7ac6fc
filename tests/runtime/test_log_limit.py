"""The log stays readable and bounded whatever fails in a loop."""

from __future__ import annotations

import logging

from edge.runtime.log_limit import MOST_A_MINUTE, LogLimit


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
