"""The signer's socket: callers are identified by the kernel or a token, and none can flood or block it."""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edge.errors import ConfigError
from facegate_hub.signer.calls import answer
from facegate_hub.signer.client import listens
from facegate_hub.signer.principals import Caller
from facegate_hub.signer.socket_path import reachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from facegate_hub.signer.desk import SigningDesk

LOG = logging.getLogger(__name__)

MOST_LINE_BYTES = 64 * 1024 * 1024
"""The longest call lists faces in a roster of 20,000: 200 bytes for each, and what is changed, twice."""
MOST_BYTES_OF_OTHERS = 256 * 1024
"""Of a line of whoever is not the hub: nobody fills the memory."""
MOST_CONNECTIONS = 64
MOST_OF_ONE, MOST_OF_OTHERS = 16, 40
"""Connections of one account that is not the hub's, and of all of those: nobody takes all the places."""
LINE_SECONDS = 10.0
"""From a line's first byte to its last."""
IDLE_SECONDS = 3600.0
CREDENTIALS = struct.Struct("3i")
"""The kernel's `struct ucred`: process, user and group at the other end of a Unix socket."""


class SignerServer:
    """Serves `desk` at a socket until `stop`. Raises `ConfigError` when another signer does, or it cannot be.

    The socket takes everybody of this machine (what they may is the desk's matter), unless its folder
    keeps them away. `clock` is monotonic seconds.
    """

    def __init__(self, desk: SigningDesk, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._desk = desk
        self._clock = clock
        self._path = path
        if listens(path):
            raise ConfigError(f"{path}: a signer is there already")
        # A socket that a killed signer left behind: nobody answers there, and `bind` refuses an existing
        # name.
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with reachable(path) as address:
                self._socket.bind(address)
            path.chmod(0o666)
        except OSError as error:
            raise ConfigError(f"{path}: {error}; the signer needs a folder it may write to") from error
        self._socket.listen(MOST_CONNECTIONS)
        self._open: dict[socket.socket, int] = {}
        self._lock = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._accept, name="signer", daemon=True)

    def start(self) -> None:
        """Begin serving. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End, with all connections."""
        self._ended = True
        with suppress(OSError):
            # Closing alone would not wake the thread that waits in `accept`.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join()

    def _accept(self) -> None:
        while not self._ended:
            try:
                caller, _ = self._socket.accept()
            except OSError as error:
                if not self._ended:
                    LOG.warning("the signer's socket: %s", error)
                    # Most likely no descriptor is left; without a pause this loop would spin until one is.
                    threading.Event().wait(0.5)
                continue
            try:
                uid = _uid(caller)
            except OSError:
                caller.close()
                continue
            with self._lock:
                # Counted here and not in the thread that serves: a flood of connections would be let in
                # before the first of those threads has run.
                has_room = self._has_room(uid)
                if has_room:
                    self._open[caller] = uid
            if not has_room:
                caller.close()
                continue
            self._begin_serving(caller, uid)

    def _begin_serving(self, caller: socket.socket, uid: int) -> None:
        """Serve a connection in a thread of its own; without memory for one it is closed.

        An error here would end the only thread that accepts: the process would live on and serve nobody, and
        whoever watches it would not start it again.
        """
        try:
            threading.Thread(target=self._serve, args=(caller, uid), name="signer-call", daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            LOG.error("the signer's socket: no thread for a connection: %s", error)  # noqa: TRY400 - one line
            with self._lock:
                self._open.pop(caller, None)
            caller.close()

    def _has_room(self, uid: int) -> bool:
        """Say whether one more connection of this account may be open; some places are the hub's alone."""
        if self._desk.is_hub(uid):
            return len(self._open) < MOST_CONNECTIONS
        others = Counter(one for one in self._open.values() if not self._desk.is_hub(one))
        return others[uid] < MOST_OF_ONE and others.total() < MOST_OF_OTHERS

    def _serve(self, caller: socket.socket, uid: int) -> None:
        try:
            most = MOST_LINE_BYTES if self._desk.is_hub(uid) else MOST_BYTES_OF_OTHERS
            while (line := self._line(caller, most)) is not None:
                caller.sendall(json.dumps(self._answer(line, uid)).encode() + b"\n")
        except OSError:
            pass
        except Exception:  # outermost of this connection: the others go on
            LOG.exception("a call to the signer broke")
        finally:
            with self._lock:
                self._open.pop(caller, None)
            caller.close()

    def _line(self, caller: socket.socket, most: int) -> bytes | None:
        """Return the next line; None at the end, and of who sends too much.

        Raises `TimeoutError` after an hour's silence, and for a line that is not there in time.
        """
        caller.settimeout(IDLE_SECONDS)
        found = bytearray(caller.recv(65536))
        deadline = self._clock() + LINE_SECONDS
        while found and len(found) <= most:
            if found.endswith(b"\n"):
                return bytes(found)
            # What is left of the whole line's time: a time-out of its own for each piece would let whoever
            # sends a byte now and then hold a place for as long as they like.
            caller.settimeout(max(0.001, deadline - self._clock()))
            piece = caller.recv(65536)
            if not piece or self._clock() > deadline:
                return None
            found += piece
        return None

    def _answer(self, line: bytes, uid: int) -> dict[str, Any]:
        try:
            fields = json.loads(line)
            name, token = fields.pop("call"), fields.pop("token", None)
        except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
            return {"failed": f"not a call: {error}"[:200], "refused": False}
        if not isinstance(name, str) or not isinstance(token, str | None):
            return {"failed": "not a call: call and token are texts", "refused": False}
        return answer(self._desk, Caller(uid, token), name, fields)


def _uid(caller: socket.socket) -> int:
    """Return the account at the other end, as the kernel knows it."""
    found = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    uid: int = CREDENTIALS.unpack(found)[1]
    return uid
