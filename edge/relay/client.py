"""The caller's side of the relay guard: a `Lock` that never makes its caller wait."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from edge.errors import LockError
from edge.events import Kind
from edge.relay.guard import BEAT, BUSY, MAX_PACKET_BYTES, OPEN, REST, SILENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger(__name__)

BEAT_SECONDS = 0.1
"""A fifth of the silence the guard allows."""

RETRY_SECONDS = 0.1
"""Between attempts to reach a guard: a restarted one is found before a person notices."""

GRACE_SECONDS = 1.5
"""How long an order waits for a lost guard to come back: systemd restarts it within a second."""


class GuardedLock:
    """A `Lock` whose relay is moved by the guard listening at `path`.

    `unlock` and `lock` hand one packet to the kernel and return; a thread of its own beats, hears
    the answers and reconnects. `on_event(kind, data)` is called from that thread with
    `lock.guard_lost`, `lock.guard_back` or `lock.unlock_failed` and must return soon.
    """

    def __init__(
        self,
        path: Path,
        on_event: Callable[[Kind, dict[str, Any]], None],
    ) -> None:
        self._path = path
        self._on_event = on_event
        self._guarding = threading.RLock()  # _socket, _order and since when, _unanswered and _lost_at
        self._socket: socket.socket | None = None
        self._order: tuple[float, float] | None = None  # seconds, given at; not yet confirmed
        self._unconfirmed_since = 0.0  # when the first of the orders was given that this one stands for
        # The guard answers each packet, in order: the order that each packet on its way carries, if any.
        self._unanswered: deque[tuple[float, float] | None] = deque()
        self._lost_at: float | None = time.monotonic()
        self._heard = 0.0
        self._stopping = threading.Event()
        # A daemon: a hung interpreter exit must not keep beating, or the guard would believe us alive.
        self._thread = threading.Thread(target=self._run, name="relay-client", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """True while the guard answers."""
        return self._lost_at is None

    def unlock(self, seconds: float) -> None:
        """Order the guard to unlock; it relocks by itself after `seconds` or its own cap.

        If the guard has been lost for less than 1.5 s, the thread keeps the order and sends it once the
        guard is back; `on_event` reports the outcome. Raises `LockError` when it has been gone for longer,
        and after `close`.
        """
        now = time.monotonic()
        with self._guarding:
            if self._stopping.is_set():
                raise LockError("the lock is closed: this door stops, and its relay stays at rest")
            if self._lost_at is not None and now - self._lost_at > GRACE_SECONDS:
                raise LockError(
                    f"no relay guard answers at {self._path}: the door stays locked; "
                    "see systemctl status facegate-relay"
                )
            # Kept until the guard confirms it: it is sent again after a reconnection and after `stale`. It
            # takes the place of an earlier one, whose time it must not shorten.
            if self._order is None:
                self._unconfirmed_since = now
            else:
                seconds = max(seconds, self._order[0] - (now - self._order[1]))
            self._order = (seconds, now)
            self._send_order()

    def lock(self) -> None:
        """Order the guard to relock now. Without a guard the relay is already at rest."""
        with self._guarding:
            self._order = None
            self._send(REST)

    def close(self) -> None:
        """Let the relay fall and leave the guard. Safe to call twice."""
        with self._guarding:
            self._stopping.set()
            self.lock()
        self._thread.join(timeout=2.0)
        self._disconnect()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._reach() if self._socket is None else self._beat()
                self._give_up_on_order()
            except Exception:  # a failing `on_event` must not silence the beats
                LOG.exception("relay client: an event could not be handed on")
                self._stopping.wait(RETRY_SECONDS)

    def _reach(self) -> None:
        try:
            attempt = _connected(self._path)
        except OSError:  # nobody listens, or this process has no descriptor left: both may pass
            self._stopping.wait(RETRY_SECONDS)
            return
        with self._guarding:
            self._socket, self._heard = attempt, time.monotonic()
        self._beat()

    def _beat(self) -> None:
        self._send(BEAT)
        end = time.monotonic() + BEAT_SECONDS
        while (left := end - time.monotonic()) > 0 and not self._stopping.is_set():
            if self._socket is None or not self._hear(left):
                return
        # The guard answers every beat, so silence means that it hangs, though the kernel keeps the
        # connection.
        if self._socket is not None and time.monotonic() - self._heard > SILENCE_SECONDS:
            self._lose("it is silent for 500 ms")

    def _hear(self, seconds: float) -> bool:
        """Wait for one answer; False when the guard is lost."""
        listening = self._socket
        assert listening is not None  # noqa: S101 - the caller has looked, and only we clear it
        waiting = select.poll()  # not select: a door with a thousand open files must still be heard
        waiting.register(listening, select.POLLIN)
        try:
            if not waiting.poll(seconds * 1000):
                return True
            answer = listening.recv(MAX_PACKET_BYTES)
        except OSError as error:
            self._lose(str(error))
            return False
        if answer in (b"", BUSY):
            self._lose("it has gone" if not answer else "it serves another caller")
            self._stopping.wait(RETRY_SECONDS)
            return False
        self._take(answer)
        return True

    def _take(self, answer: bytes) -> None:
        self._heard = time.monotonic()
        with self._guarding:
            back, self._lost_at = self._lost_at is not None, None
            answered = self._unanswered.popleft() if self._unanswered else None
            # `open` also answers a beat, or an earlier order, while the relay is energised.
            if answered is not None and answered is self._order and answer == OPEN:
                self._order = None
            elif self._order not in self._unanswered:  # it came too late, or there was no guard to send it to
                self._send_order()
        if back:
            self._on_event(Kind.LOCK_GUARD_BACK, {"socket": str(self._path)})

    def _send_order(self) -> None:
        if self._order is not None:
            seconds, _ = self._order
            # The time of sending, not that of the order. `_give_up_on_order` limits how old an order may get;
            # the guard uses this time to refuse a packet that lay in its socket for too long.
            self._send(b"%b %.3f %.6f" % (OPEN, seconds, time.monotonic()), self._order)

    def _send(self, packet: bytes, order: tuple[float, float] | None = None) -> None:
        with self._guarding:
            if self._socket is None:
                return
            # A failure shows as EOF or silence in the thread, which owns what to do about it.
            with contextlib.suppress(OSError):
                self._socket.send(packet)
                self._unanswered.append(order)

    def _lose(self, why: str) -> None:
        with self._guarding:
            self._disconnect()
            known = self._lost_at is not None
            self._lost_at = self._lost_at if known else time.monotonic()
        if not known:
            self._on_event(Kind.LOCK_GUARD_LOST, {"socket": str(self._path), "why": why})

    def _disconnect(self) -> None:
        with self._guarding:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
                self._unanswered.clear()

    def _give_up_on_order(self) -> None:
        with self._guarding:
            order, now = self._order, time.monotonic()
            if order is None or now - order[1] <= GRACE_SECONDS:
                return
            self._order, waited = None, round(now - self._unconfirmed_since, 3)
        why = "the relay guard did not confirm"
        self._on_event(Kind.LOCK_UNLOCK_FAILED, {"seconds": order[0], "waited_seconds": waited, "why": why})


def _connected(path: Path) -> socket.socket:
    # SEQPACKET keeps the borders of packets, as datagrams do, and reports a peer that has gone, as streams
    # do.
    attempt = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        attempt.setblocking(False)
        attempt.connect(str(path))
    except OSError:
        attempt.close()
        raise
    return attempt
