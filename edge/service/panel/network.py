"""What the panel says about the network: this device's addresses, its certificate, its broker."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from edge.panel.network import NetworkState
from edge.web.tls import fingerprint_of, public_certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.panel.network import BrokerState

ELSEWHERE = "192.0.2.1"
"""An address for documents that nobody has (RFC 5737): asked for the way there, no packet is sent."""


def network_reader(
    data: Path, host: str, broker: Callable[[], BrokerState | None] = lambda: None
) -> Callable[[], NetworkState]:
    """Return what tells the network's state now, for the panel on `host` whose certificate is in `data`."""
    own, local = data / "panel.crt", is_local(host)
    return lambda: NetworkState(
        own_addresses(), fingerprint_of(data), broker(), public_certificate(own), local
    )


def is_local(host: str) -> bool:
    """Return whether a page that listens on `host` answers on this device alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def own_addresses() -> tuple[str, ...]:
    """Return this device's network address and its name; without a network only the name."""
    name = socket.gethostname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ELSEWHERE, 9))
        except OSError:
            return (name,)
        return (str(probe.getsockname()[0]), name)
