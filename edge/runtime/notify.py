"""systemd's notification socket: one datagram per message (man sd_notify)."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)


class Notifier:
    """Tells systemd how the service is. Without NOTIFY_SOCKET it does nothing. Any thread."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for an abstract socket, whose name begins with a zero byte (man sd_notify).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environ)
        """How often systemd wants to hear from us, or None when it does not watch."""

    def ready(self) -> bool:
        """Tell systemd that the door works."""
        return self._send("READY=1")

    def watchdog(self) -> bool:
        """Tell systemd's watchdog that all threads make progress."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """Show one line in `systemctl status`."""
        return self._send("STATUS=" + text.replace("\n", " "))

    def stopping(self) -> bool:
        """Tell systemd that the service stops on purpose."""
        return self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        """Return whether systemd got it; a full or missing socket never stops the door."""
        if not self._address:
            return False
        try:
            # Not blocking: with its queue full, systemd must not hold up the thread that feeds the watchdog.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), self._address)
        except OSError as error:
            logger.warning("systemd cannot be told %r: %s", message, error)
            return False
        return True


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    microseconds = environ.get("WATCHDOG_USEC", "")
    # systemd means one process; a child that inherits the environment is not watched.
    for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(microseconds) / 1e6 if microseconds.isdecimal() and for_us else None
