"""The watchdog is fed only while every thread makes progress."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from edge.runtime.clock import ManualClock
from edge.runtime.notify import Notifier
from edge.runtime.supervisor import Supervisor
from edge.runtime.worker import Worker
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Thread:
    name: str
    max_silence_seconds: float = 5.0
    progress: int = 0
    has_failed: bool = False


class Service:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.capture = Thread("capture", max_silence_seconds=8.0)
        self.recognise = Thread("recognise")
        self.pings = 0
        self.supervisor = Supervisor([self.capture, self.recognise], self.ping, self.clock)

    def ping(self) -> None:
        self.pings += 1

    def live(self, seconds: int, *, stuck: str = "") -> list[tuple[str, ...]]:
        """Tick once a second while all but `stuck` make progress."""
        found = []
        for _ in range(seconds):
            self.clock.advance(1.0)
            for thread in (self.capture, self.recognise):
                thread.progress += thread.name != stuck
            found.append(self.supervisor.tick())
        return found


def test_each_tick_is_a_ping_while_all_progress() -> None:
    service = Service()
    assert set(service.live(60)) == {()}
    assert service.pings == 60


def test_a_stuck_thread_costs_the_ping() -> None:
    service = Service()
    found = service.live(20, stuck="recognise")
    assert found[4] == ()
    assert found[5:] == [("recognise",)] * 15
    assert service.pings == 5


def test_each_thread_has_its_own_patience() -> None:
    service = Service()
    assert service.live(20, stuck="capture").index(("capture",)) == 8


def test_progress_again_means_pings_again() -> None:
    service = Service()
    service.live(10, stuck="capture")
    assert service.live(1) == [()]


def test_a_thread_that_gave_up_is_never_pinged_for() -> None:
    service = Service()
    service.capture.has_failed = True
    assert service.live(3) == [("capture",)] * 3
    assert service.pings == 0


def test_run_ends_with_the_name_of_the_failed_thread() -> None:
    service = Service()
    service.recognise.has_failed = True
    assert service.supervisor.run(threading.Event()) == "recognise"
    assert service.pings == 0


def test_run_ends_when_told_to_stop() -> None:
    service = Service()
    stopping = threading.Event()
    stopping.set()
    assert service.supervisor.run(stopping) is None
    assert service.pings == 1


def test_a_wall_clock_step_is_no_silence() -> None:
    service = Service()
    service.clock.step_wall(86400.0)
    assert service.live(1) == [()]


def test_a_real_hung_thread_stops_the_real_ping(tmp_path: Path) -> None:
    """Worker, supervisor and sd_notify together, with a step that blocks as a hung driver does."""
    hang, hung, release, clock = threading.Event(), threading.Event(), threading.Event(), ManualClock()

    def step() -> None:
        if hang.is_set():
            hung.set()
            release.wait(PATIENCE)
        time.sleep(0.005)

    worker = Worker("capture", step, max_silence_seconds=0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        supervisor = Supervisor([worker], notifier.watchdog, clock)
        worker.start()
        wait_until(lambda: worker.progress > 0, "the first step")
        assert supervisor.tick() == ()
        assert systemd.recv(100) == b"WATCHDOG=1"
        hang.set()
        assert hung.wait(PATIENCE)

        assert supervisor.tick() == ()  # its last step is seen, and not yet that none follows
        assert systemd.recv(100) == b"WATCHDOG=1"
        clock.advance(0.3)
        assert supervisor.tick() == ("capture",)
        assert supervisor.tick() == ("capture",)
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    release.set()
    assert worker.stop(PATIENCE)
