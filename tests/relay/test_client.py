"""`GuardedLock`: the guard's caller, which waits for nobody and says when it is alone."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from edge.errors import LockError
from edge.relay.client import GRACE_SECONDS, GuardedLock
from tests.relay.relay_lines import GuardProcess, Lines
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.ports import Lock


class Events:
    """What the lock reported, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, kind: str, data: dict[str, Any]) -> None:
        self.seen.append((kind, data))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.seen]


@contextlib.contextmanager
def locked(guard: GuardProcess, events: Events) -> Iterator[GuardedLock]:
    lock = GuardedLock(guard.socket, events)
    try:
        wait_until(lambda: lock.connected, "the guard answers")
        wait_until(lambda: "lock.guard_back" in events.kinds, "the guard answers")
        yield lock
    finally:
        lock.close()


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path)


def test_it_is_a_lock(tmp_path: Path) -> None:
    lock: Lock = GuardedLock(tmp_path / "nobody.sock", Events())
    lock.close()
    lock.close()


def test_unlock_reaches_the_relay_and_beats_keep_it(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard, locked(guard, events) as lock:
        lock.unlock(1.2)  # longer than the silence the guard allows: the beats must be heard
        wait_until(lambda: lines.energised, "energised")
        wait_until(lambda: not lines.energised, "at rest again")
        (pulse,) = lines.pulses()
        assert pulse.end is not None
        assert pulse.end - pulse.start >= 1.1
    assert events.kinds == ["lock.guard_back"]


def test_lock_relocks_now(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, locked(guard, Events()) as lock:
        lock.unlock(20)
        wait_until(lambda: lines.energised, "energised")
        lock.lock()
        wait_until(lambda: not lines.energised, "at rest again")
        assert guard.process.poll() is None


def test_close_leaves_the_relay_at_rest(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard:
        with locked(guard, Events()) as lock:
            lock.unlock(20)
            wait_until(lambda: lines.energised, "energised")
        wait_until(lambda: not lines.energised, "at rest after close")


def test_a_killed_guard_is_reported_and_found_again(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard, locked(guard, events):
        guard.process.kill()
        wait_until(lambda: "lock.guard_lost" in events.kinds, "the loss is noticed")
        with GuardProcess(tmp_path, lines):
            wait_until(lambda: events.kinds[-1] == "lock.guard_back", "the new guard is found")
            assert events.kinds == ["lock.guard_back", "lock.guard_lost", "lock.guard_back"]


def test_a_hanging_guard_is_reported(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard, locked(guard, events) as lock:
        guard.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: "lock.guard_lost" in events.kinds, "the hang is noticed")
        assert events.seen[-1][1]["why"] == "it is silent for 500 ms"
        assert not lock.connected
        guard.process.send_signal(signal.SIGCONT)
        wait_until(lambda: events.kinds[-1] == "lock.guard_back", "the guard is used again")


def test_an_order_given_while_the_guard_restarts_is_carried_out(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard, locked(guard, events) as lock:
        guard.process.kill()
        wait_until(lambda: not lock.connected, "the loss is noticed")
        again = GuardProcess(tmp_path, lines)
        lock.unlock(0.5)
        with again:  # where its start takes longer than the grace, the order is given up, and said to be
            wait_until(
                lambda: lines.pulses() or "lock.unlock_failed" in events.kinds, "let in, or told why not"
            )


def test_an_order_nobody_takes_is_reported_and_not_carried_out_later(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard, locked(guard, events) as lock:
        guard.process.kill()
        wait_until(lambda: not lock.connected, "the loss is noticed")
        lock.unlock(5)
        lock.unlock(5)  # and somebody else: one order by then, which both wait for
        wait_until(lambda: "lock.unlock_failed" in events.kinds, "the order is given up")
        assert events.kinds.count("lock.unlock_failed") == 1
        assert events.seen[-1][1]["waited_seconds"] > GRACE_SECONDS
        with GuardProcess(tmp_path, lines):
            wait_until(lambda: events.kinds[-1] == "lock.guard_back", "the new guard is found")
            assert lines.pulses() == []


def test_without_a_guard_for_longer_unlock_is_refused(tmp_path: Path) -> None:
    lock = GuardedLock(tmp_path / "nobody.sock", Events())
    try:
        time.sleep(GRACE_SECONDS + 0.1)  # the grace is real time: other processes live in it
        with pytest.raises(LockError, match=r"no relay guard answers.*systemctl status facegate-relay"):
            lock.unlock(5)
        lock.lock()
    finally:
        lock.close()


class HandGuard:
    """A guard whose every answer the test gives, in the order in which packets came."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._caller = self._listener

    def greet(self) -> None:
        self._listener.settimeout(PATIENCE)
        self._caller, _ = self._listener.accept()
        self._caller.settimeout(PATIENCE)

    def read(self) -> bytes:
        packet = self._caller.recv(100)
        assert packet, "the lock has left"
        return packet

    def read_until(self, word: bytes, answer: bytes) -> list[bytes]:
        """Answer everything before the packet that begins with `word`, which is not answered yet."""
        seen: list[bytes] = []
        while not (packet := self.read()).startswith(word):
            seen.append(packet)
            assert len(seen) < 100, "an order is kept for fifteen beats"
            self.answer(answer)
        return [*seen, packet]

    def answer(self, word: bytes) -> None:
        self._caller.send(word)

    def close(self) -> None:
        self._caller.close()
        self._listener.close()


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[tuple[HandGuard, GuardedLock]]:
    guard = HandGuard(tmp_path / "guard.sock")
    lock = GuardedLock(tmp_path / "guard.sock", Events())
    guard.greet()
    assert guard.read() == b"beat"
    yield guard, lock
    lock.close()
    guard.close()


def test_only_the_answer_to_an_order_confirms_it(by_hand: tuple[HandGuard, GuardedLock]) -> None:
    """The relay of a held door is energised: `open` answers every beat, also one sent before the order."""
    guard, lock = by_hand
    lock.unlock(5)
    assert guard.read().startswith(b"open 5")
    guard.answer(b"open")  # to the beat
    guard.answer(b"stale")  # to the order
    assert guard.read_until(b"open", b"open")[-1].startswith(b"open 5")


def test_an_order_is_not_confirmed_by_the_answer_to_the_one_before(
    by_hand: tuple[HandGuard, GuardedLock],
) -> None:
    guard, lock = by_hand
    guard.answer(b"rest")
    wait_until(lambda: lock.connected, "the guard answers")
    lock.unlock(5)
    guard.read_until(b"open", b"rest")
    lock.unlock(10)
    assert guard.read().startswith(b"open 10")
    guard.answer(b"open")
    guard.answer(b"stale")
    assert guard.read_until(b"open", b"open")[-1].startswith(b"open 10")


def test_an_order_on_its_way_is_sent_once(by_hand: tuple[HandGuard, GuardedLock]) -> None:
    """Until the guard's first answer it counts as lost, but what was sent is not sent again."""
    guard, lock = by_hand
    lock.unlock(5)
    guard.read_until(b"open", b"rest")
    guard.answer(b"rest")  # to the beat: the guard is back
    guard.answer(b"open")
    lock.lock()
    assert set(guard.read_until(b"rest", b"open")[:-1]) <= {b"beat"}


def test_a_later_shorter_order_shortens_none_that_is_not_confirmed(
    by_hand: tuple[HandGuard, GuardedLock],
) -> None:
    guard, lock = by_hand
    lock.unlock(15)
    lock.unlock(5)
    guard.read_until(b"open", b"rest")
    seconds = float(guard.read_until(b"open", b"rest")[-1].split()[1])
    assert 5 < seconds <= 15


def test_a_closed_lock_says_that_it_opens_nothing(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard:
        with locked(guard, Events()) as lock:
            pass
        with pytest.raises(LockError, match="closed"):
            lock.unlock(5)
        lock.lock()  # at rest already


def test_a_second_lock_waits_for_its_turn(tmp_path: Path, lines: Lines) -> None:
    events = Events()
    with GuardProcess(tmp_path, lines) as guard:
        with locked(guard, Events()):
            second = GuardedLock(guard.socket, events)
            wait_until(lambda: "second caller refused" in guard.stderr(), "refused")
        try:
            wait_until(lambda: events.kinds == ["lock.guard_back"], "served after the first has gone")
        finally:
            second.close()


def test_the_caller_is_not_kept_waiting_by_a_hanging_guard(tmp_path: Path, lines: Lines) -> None:
    with GuardProcess(tmp_path, lines) as guard, locked(guard, Events()) as lock:
        guard.process.send_signal(signal.SIGSTOP)
        done = threading.Event()

        def use() -> None:
            for _ in range(2000):  # far more than the socket's buffer takes
                with contextlib.suppress(LockError):
                    lock.unlock(5)
                lock.lock()
            done.set()

        threading.Thread(target=use, daemon=True).start()
        assert done.wait(PATIENCE), "unlock blocked on a guard that does not read"


def test_a_failing_listener_does_not_silence_the_beats(tmp_path: Path, lines: Lines) -> None:
    def broken(kind: str, data: dict[str, Any]) -> None:
        raise RuntimeError(kind)

    with GuardProcess(tmp_path, lines) as guard:
        lock = GuardedLock(guard.socket, broken)
        try:
            wait_until(lambda: lock.connected, "the guard answers")
            lock.unlock(1.5)
            wait_until(lambda: lines.energised, "energised")
            wait_until(lambda: not lines.energised, "at rest again")
            (pulse,) = lines.pulses()
            assert pulse.end is not None
            assert pulse.end - pulse.start >= 1.4
        finally:
            lock.close()


NO_DESCRIPTOR = """
import logging, os, pathlib, resource, sys, time
from edge.relay.client import GuardedLock
lines = []
class Lines(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger().addHandler(Lines())
lock = GuardedLock(pathlib.Path(sys.argv[1]), lambda kind, data: None)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
began = time.process_time()
time.sleep(1.0)
print(len(lines), time.process_time() - began < 0.5)
for one in held:
    os.close(one)
until = time.monotonic() + 60
while not lock.connected and time.monotonic() < until:
    time.sleep(0.01)
print(lock.connected)
lock.close()
"""


def test_without_a_descriptor_it_waits_quietly_and_connects_when_there_is_one(tmp_path, lines):
    """Not a measurement of speed: without a pause the loop uses a whole core and fills the log."""
    with GuardProcess(tmp_path, lines) as guard:
        told = subprocess.run(
            [sys.executable, "-c", NO_DESCRIPTOR, str(guard.socket)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert told.stdout.split() == ["0", "True", "True"]
