"""The thread's one rule: nothing gets out, everything is counted."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from edge.runtime.worker import MOST_FAILURES_IN_A_ROW, Worker
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Steps:
    """Steps that can be waited for; `trouble(n)` may raise in step n."""

    def __init__(self, trouble: Callable[[int], None] = lambda _: None) -> None:
        self.count = 0
        self.trouble = trouble
        self.reached = threading.Event()
        self.closed = threading.Event()
        self.target = 20

    def __call__(self) -> None:
        self.count += 1
        if self.count >= self.target:
            self.reached.set()
        self.trouble(self.count)
        threading.Event().wait(0.001)


def test_it_works_until_it_is_stopped() -> None:
    steps = Steps()
    worker = Worker("capture", steps, close=steps.closed.set)
    worker.start()
    assert steps.reached.wait(PATIENCE)
    assert worker.stop(PATIENCE)
    assert steps.closed.is_set()
    assert worker.progress == steps.count
    assert worker.failures == 0


def test_an_exception_is_logged_counted_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    def trouble(count: int) -> None:
        if count % 3 == 0:
            raise ValueError("a bad frame")

    steps = Steps(trouble)
    worker = Worker("recognise", steps)
    with caplog.at_level(logging.CRITICAL, logger="edge.runtime.worker"):
        worker.start()
        assert steps.reached.wait(PATIENCE)
        assert worker.stop(PATIENCE)
    assert worker.failures >= 6
    assert not worker.has_failed


def test_ten_failures_in_a_row_are_given_up_with_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def trouble(count: int) -> None:
        raise ValueError("the model is gone")

    steps = Steps(trouble)
    worker = Worker("recognise", steps, close=steps.closed.set)
    worker.start()
    assert steps.closed.wait(PATIENCE)
    assert worker.has_failed
    assert worker.failures == steps.count == MOST_FAILURES_IN_A_ROW
    assert "the model is gone" in caplog.text
    assert worker.stop(PATIENCE)


def test_a_step_that_hangs_shows_as_no_progress_and_does_not_hold_up_the_stop() -> None:
    stuck = threading.Event()

    def hang() -> None:
        stuck.wait(PATIENCE)

    worker = Worker("capture", hang)
    worker.start()
    before = worker.progress
    assert not worker.stop(timeout_seconds=0.1)
    assert worker.progress == before
    stuck.set()
    assert worker.stop(PATIENCE)


def test_a_worker_that_never_started_stops() -> None:
    assert Worker("capture", lambda: None).stop()


def test_one_event_stops_all_workers() -> None:
    stopping = threading.Event()
    workers = [Worker(name, Steps(), stopping=stopping) for name in ("capture", "recognise")]
    for worker in workers:
        worker.start()
    stopping.set()
    assert [worker.stop(PATIENCE) for worker in workers] == [True, True]


def test_a_close_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def close() -> None:
        raise OSError("the device is gone")

    worker = Worker("capture", Steps(), close=close)
    worker.start()
    assert worker.stop(PATIENCE)
    assert worker.failures == 1
    assert "the device is gone" in caplog.text
