"""Ends a connection whose other side goes on for ever: each byte comes in time, and the answer never does.

The libraries that speak HTTP and SMTP give each step a time-out of its own. A server that sends a byte now
and then passes them all, and whoever waits for it waits without end.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AGAIN_SECONDS = 1.0
"""Between two looks after the time is over: it may have been over before there was a socket."""


@contextmanager
def ended_after(seconds: float, line: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Cut the socket that `line` returns if the block takes longer; what reads it then sees its end."""
    done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            wait = AGAIN_SECONDS
            if (found := line()) is not None:
                with suppress(OSError):
                    # The plain socket's: that of TLS would forget its keys under whoever reads just now.
                    socket.socket.shutdown(found, socket.SHUT_RDWR)

    threading.Thread(target=watch, name="line-end", daemon=True).start()
    try:
        yield
    finally:
        done.set()
