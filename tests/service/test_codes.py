"""Codes are read in a thread of their own, at a lower priority, and only the newest picture counts."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime

import numpy as np

from edge.domain import Frame
from edge.runtime.clock import ManualClock
from edge.service.entry.codes import NICE, CodeWatch
from tests.credentials.test_qr import TEXT, drawn, held
from tests.waiting import PATIENCE

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
BLANK = np.full((480, 640, 3), 90, np.uint8)


def test_showing_never_looks_and_the_newest_frame_counts():
    seen: list[str] = []
    watch = CodeWatch(ManualClock(), seen.append)
    watch.show(Frame(held(drawn(TEXT)), 0, 0.0, NOON))
    watch.show(Frame(BLANK, 1, 0.0, NOON))
    assert seen == []
    watch.step()
    assert seen == []
    watch.show(Frame(BLANK, 2, 1.0, NOON))
    watch.show(Frame(held(drawn(TEXT)), 3, 1.0, NOON))
    watch.step()
    watch.show(Frame(held(drawn(TEXT)), 4, 2.0, NOON))
    watch.step()  # every second look is for light on dark
    assert seen == [TEXT]


def test_its_thread_lets_others_go_first():
    came, stopping = threading.Event(), threading.Event()
    nice: list[int] = []

    def take(_text: str) -> None:
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        came.set()

    watch = CodeWatch(ManualClock(), take)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    worker = watch.worker(stopping)
    worker.start()
    watch.show(Frame(held(drawn(TEXT)), 0, 0.0, NOON))
    assert came.wait(PATIENCE)
    assert worker.stop(10)
    assert nice == [max(before, NICE)] or before > NICE
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
