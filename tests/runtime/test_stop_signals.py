"""A signal ends a process, also when it comes while the main thread looks at the very event it sets."""

import signal
import subprocess
import sys
import threading

import pytest

from edge.runtime.stop_signals import stop_on_signals
from tests.waiting import PATIENCE


@pytest.fixture(autouse=True)
def handlers():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_sets_the_event():
    stopping = threading.Event()
    stop_on_signals(stopping, signal.SIGTERM)

    signal.raise_signal(signal.SIGTERM)

    assert stopping.wait(PATIENCE)


def test_nothing_is_set_before():
    stopping = threading.Event()

    stop_on_signals(stopping, signal.SIGTERM)

    assert not stopping.wait(0.05)


WAITING = """
import signal, sys, threading
from edge.runtime.stop_signals import stop_on_signals

class Interrupted(threading.Event):
    \"\"\"Signals come just when the main thread has taken the lock, as any step may be interrupted.\"\"\"

    def wait(self, timeout=None):
        with self._cond:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        return super().wait(timeout)

stopping = Interrupted()
stop_on_signals(stopping, signal.SIGTERM)
sys.exit(0 if stopping.wait(60) else 3)
"""


def test_a_signal_while_the_event_is_locked_ends_the_process_all_the_same():
    done = subprocess.run([sys.executable, "-c", WAITING], timeout=PATIENCE, check=False)

    assert done.returncode == 0
