"""Where the broker is, who we are there, and when an event counts as delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.wire.names import DEVICE_ID, ROOT

if TYPE_CHECKING:
    from pathlib import Path


class Ack(StrEnum):
    """When an event counts as delivered."""

    APPLICATION = "application"
    """The property's hub said it is stored (`evt/ack`): nothing is lost, whatever dies."""
    BROKER = "broker"
    """The broker took it (PUBACK), for plain subscribers. A broker that is killed before it
    saved, or a subscriber that is away, still loses events; measured: 2 of 4,000 in 12 kills."""


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS 1.2 or newer. Without `ca_file` the system's authorities are trusted."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is and who we are. `repr` hides the password.

    `device_id` is the door's id: 1 to 64 of letters, digits, `_`, `.` and `-`; it is the MQTT
    client id, part of each topic, and the certificate's common name. Raises `ConfigError`.
    """

    host: str
    device_id: str
    port: int = 8883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    ack: Ack = Ack.APPLICATION
    keepalive_seconds: int = 30
    unsigned_acks: bool = False
    """Whether the word of a hub that proves nothing counts: one of an older version."""

    def __post_init__(self) -> None:
        if not DEVICE_ID.fullmatch(self.device_id):
            raise ConfigError(
                f"device id {self.device_id!r}: use 1 to 64 letters, digits, _ . or -, "
                "starting with a letter or digit"
            )

    def topic(self, *parts: str) -> str:
        """Return this device's topic, such as `facegate/v1/door-1/evt/ack`."""
        return "/".join((ROOT, self.device_id, *parts))

    @property
    def address(self) -> str:
        """The broker as people write it."""
        return f"{self.host}:{self.port}"
