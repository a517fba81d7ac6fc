"""The relay guard: a process of its own that is the only one to move the relay.

No network, no images, no configuration, nothing to wait for. It listens on a Unix socket for one
caller at a time and lets the relay fall when the caller says so, when the time is up (its own
monotonic clock), when the caller dies, stays silent for 500 ms or sends something invalid, and when it is
itself told to stop. A crash anywhere in OpenCV, ONNX Runtime or FFmpeg cannot hold the door open.

The language, one packet of ASCII each way: `beat`, `rest`, `open SECONDS SENT` where SENT is the
caller's CLOCK_MONOTONIC, which all processes of a machine share. Every packet is answered with
`rest`, `open` or, for an order that lay waiting too long, `stale`. A second caller hears `busy`.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import select
import signal
import socket
import time
from typing import TYPE_CHECKING

from edge.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.relay.line import Line

SILENCE_SECONDS = 0.5
"""A caller beats every 0.1 s; five beats missed in a row is a hang, not a busy machine."""

STALE_SECONDS = 0.5
"""An order this old belongs to somebody who has gone: a guard that was stopped must not obey it."""

TICK_SECONDS = 0.5
"""The loop comes round at least this often, so that systemd's watchdog sees it alive."""

MAX_PACKET_BYTES = 64

BEAT, REST, OPEN, STALE, BUSY = b"beat", b"rest", b"open", b"stale", b"busy"


class Nonsense(ValueError):
    """The caller said something that is not in the language."""


class Pulse:
    """What the relay does, given packets and the time: no socket, no clock, no thread.

    `cap_seconds` is the longest the relay is energised after any single order. `now` is always
    CLOCK_MONOTONIC in seconds.
    """

    def __init__(self, line: Line, cap_seconds: float) -> None:
        if not 0 < cap_seconds < math.inf:
            raise LockError(f"cap of {cap_seconds} s: must be a positive number of seconds")
        self._line = line
        self._cap = cap_seconds
        self._until: float | None = None

    @property
    def until(self) -> float | None:
        """When the relay falls, or None while it rests."""
        return self._until

    def obey(self, packet: bytes, now: float) -> bytes:
        """Do what `packet` says and return the answer. Raises `Nonsense`."""
        word, *arguments = packet.split(b" ") if len(packet) <= MAX_PACKET_BYTES else [b""]
        if word == REST and not arguments:
            self.rest()
        elif word == OPEN and len(arguments) == 2:
            return self._open(_number(arguments[0]), _number(arguments[1]), now)
        elif word != BEAT or arguments:
            raise Nonsense(repr(packet[:MAX_PACKET_BYTES]))
        return REST if self._until is None else OPEN

    def rest(self) -> None:
        """Let the relay fall, whatever it was doing."""
        self._until = None
        self._line.rest()

    def expire(self, now: float) -> None:
        """Let the relay fall if its time is up."""
        if self._until is not None and now >= self._until:
            self.rest()

    def _open(self, seconds: float, sent: float, now: float) -> bytes:
        if seconds <= 0:
            raise Nonsense(f"open for {seconds} s")
        # CLOCK_MONOTONIC is the same for all processes of a machine, so a time in the future is nonsense too.
        if abs(now - sent) > STALE_SECONDS:
            return STALE
        if self._until is None:
            self._line.energise()
        # A short order never cuts off a longer one: of two residents the second may need less time.
        self._until = max(self._until or 0.0, now + min(seconds, self._cap))
        return OPEN


def _number(text: bytes) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise Nonsense(repr(text)) from error
    if not math.isfinite(number):
        raise Nonsense(repr(text))
    return number


class Guard:
    """Serves a `Pulse` on a listening socket until `stop` becomes readable. One thread."""

    def __init__(
        self,
        pulse: Pulse,
        listener: socket.socket,
        stop: socket.socket,
        log: Callable[[str], None],
        alive: Callable[[], object] = lambda: None,
    ) -> None:
        self._pulse = pulse
        self._listener = listener
        self._stop = stop
        self._log = log
        self._alive = alive
        self._caller: socket.socket | None = None
        self._heard = 0.0
        self._told_at = 0.0

    def serve(self) -> None:
        """Return when told to stop; relay at rest."""
        try:
            while self._turn():
                pass
        finally:
            self._drop("the guard stops")
            self._pulse.rest()

    def _turn(self) -> bool:
        sockets = [self._stop, self._listener, *([self._caller] if self._caller else [])]
        ready, _, _ = select.select(sockets, [], [], self._wait_seconds(time.monotonic()))
        now = time.monotonic()
        self._pulse.expire(now)  # before any packet: the time may have run out while this process was stopped
        # Read waiting packets before judging silence: a caller that beat while this process was stopped
        # (SIGSTOP, a starved CPU) was not silent.
        if self._caller in ready:
            self._listen()
        if self._caller is not None and now - self._heard > SILENCE_SECONDS:
            self._drop("silent for 500 ms")
        # After the silent caller was dropped, so that its successor is not told that the guard is busy.
        if self._listener in ready:
            self._greet(now)
        if now - self._told_at >= TICK_SECONDS:
            self._told_at = now
            self._alive()
        return self._stop not in ready

    def _wait_seconds(self, now: float) -> float:
        ends = [now + TICK_SECONDS]
        if self._pulse.until is not None:
            ends.append(self._pulse.until)
        if self._caller is not None:
            ends.append(self._heard + SILENCE_SECONDS)
        return max(0.0, min(ends) - now)

    def _listen(self) -> None:
        assert self._caller is not None  # noqa: S101 - it was in the list of ready sockets
        try:
            # One byte more than is allowed: the kernel cuts a longer packet off, and it would pass for a
            # whole one.
            packet = self._caller.recv(MAX_PACKET_BYTES + 1)
            if not packet:
                return self._drop("the caller has gone")
            self._heard = time.monotonic()
            self._caller.send(self._pulse.obey(packet, self._heard))
        except Nonsense as error:
            self._drop(f"invalid message: {error}")
        except OSError as error:  # also a caller that no longer reads its answers
            self._drop(f"the caller cannot be reached: {error}")

    def _greet(self, now: float) -> None:
        caller, _ = self._listener.accept()
        caller.setblocking(False)
        if self._caller is None:
            self._caller, self._heard = caller, now
            self._log("caller connected")
            return
        with contextlib.suppress(OSError):
            caller.send(BUSY)
        caller.close()
        self._log("second caller refused")

    def _drop(self, why: str) -> None:
        if self._caller is None:
            return
        self._pulse.rest()
        self._caller.close()
        self._caller = None
        self._log(f"relay at rest: {why}")


@contextlib.contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Yield a listening SOCK_SEQPACKET socket at `path`, for this user and its group.

    Raises `LockError` when another guard holds the place or the directory cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            # The kernel frees this lock when its process ends, however it ends. So a socket that lies beside
            # a free lock belongs to a dead guard and may be removed.
            claim = stack.enter_context(path.with_suffix(".lock").open("w"))
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            listener.bind(str(path))
            path.chmod(0o660)
            listener.listen(4)  # callers that connect at once: one is served, the others hear `busy`
        except BlockingIOError as error:
            raise LockError(f"{path}: another relay guard is running; stop it first") from error
        except OSError as error:
            raise LockError(f"{path}: cannot listen there: {error}") from error
        stack.callback(path.unlink, missing_ok=True)
        yield listener


@contextlib.contextmanager
def stop_signals() -> Iterator[socket.socket]:
    """Yield a socket that becomes readable on SIGTERM, SIGINT or SIGHUP. Main thread only."""
    readable, writable = socket.socketpair()
    writable.setblocking(False)
    with readable, writable:
        # Python writes a byte to this descriptor for each signal that has a handler, which ends the `select`
        # of the guard's loop. The handler itself therefore has nothing to do.
        signal.set_wakeup_fd(writable.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)
        try:
            yield readable
        finally:
            signal.set_wakeup_fd(-1)
