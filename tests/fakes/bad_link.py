"""A way to a server that goes bad while it is used: it swallows, stalls, trickles or resets."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)
TRICKLE_SECONDS = 0.3


class BadLink:
    """Carries connections to `target` on loopback. What is set counts from the next piece of data on.

    `swallows_up`, `swallows_down`: what goes that way is taken and never arrives, and nobody is told.
    `passes`: of each connection only so many bytes come down, then nothing. `trickles`: byte by byte.
    """

    def __init__(self, target: int) -> None:
        self.swallows_up = self.swallows_down = self.trickles = False
        self.passes: int | None = None
        self._target = target
        self._ends: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def vanish(self) -> None:
        """Swallow everything from now on; never a reset."""
        self.swallows_up = self.swallows_down = True

    def heal(self) -> None:
        """Carry everything again."""
        self.swallows_up = self.swallows_down = self.trickles = False
        self.passes = None

    def cut(self) -> None:
        """Reset every connection."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)
                end.close()

    def close(self) -> None:
        """Take no more connections and end those that are there."""
        self._server.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                threading.Thread(target=self._carry_up, args=(near, far), daemon=True).start()
                threading.Thread(target=self._carry_down, args=(far, near), daemon=True).start()

    def _carry_up(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near:
            while data := near.recv(65_536):
                if not self.swallows_up:
                    far.sendall(data)

    def _carry_down(self, far: socket.socket, near: socket.socket) -> None:
        passed = 0
        with suppress(OSError), far:
            while data := far.recv(65_536):
                if self.swallows_down:
                    continue
                if self.passes is not None:
                    data = data[: max(self.passes - passed, 0)]
                passed += len(data)
                self._send_down(near, data)

    def _send_down(self, near: socket.socket, data: bytes) -> None:
        pieces = [data[at : at + 1] for at in range(len(data))] if self.trickles else [data]
        for piece in pieces:
            near.sendall(piece)
            if self.trickles:
                time.sleep(TRICKLE_SECONDS)
