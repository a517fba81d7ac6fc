"""How this door is connected, as plain facts for a page. Nothing here is a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The property's broker as seen from here.

    `address` is host and port, `last_contact` (UTC) when the property last confirmed its list of people, None
    for not yet; `waiting` counts events that have not arrived there, `problem` says why it is not connected.
    """

    address: str
    is_connected: bool
    waiting: int
    last_contact: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkState:
    """Addresses of this device, the SHA-256 of the panel's certificate, and the broker if there is one."""

    addresses: tuple[str, ...]
    fingerprint: str
    broker: BrokerState | None = None
    certificate: bytes = b""
    """The page's certificate in PEM form: public, whoever connects is shown it."""
    is_local: bool = False
    """The page answers on this device alone: no other can open the address."""
