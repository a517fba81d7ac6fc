"""What the panel says about the network: this device's addresses, its certificate, its broker."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from edge.here import own_addresses
from edge.panel.network import NetworkState
from edge.web.tls import fingerprint_of, public_certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.panel.network import BrokerState


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
