"""Where a page of this machine is found by others: its own addresses, and what stands for "all of them"."""

from __future__ import annotations

import socket

ELSEWHERE = "192.0.2.1"
"""An address for documents that nobody has (RFC 5737): asked for the way there, no packet is sent."""
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - told apart from addresses that can be opened
"""What a page listens on that answers at all of a machine's addresses. Nobody can open it."""


def own_addresses() -> tuple[str, ...]:
    """Return this device's network address and its name; without a network only the name."""
    name = socket.gethostname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))
        except OSError:
            return (name,)
        return (str(probe.getsockname()[0]), name)


def reached_at(host: str) -> str:
    """Return the address, as a browser takes it, of what listens on `host`."""
    shown = own_addresses()[0] if host in EVERYWHERE else host
    return f"[{shown}]" if ":" in shown else shown
