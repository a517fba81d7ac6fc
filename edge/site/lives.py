"""How long the certificates of a site are valid: what expires when, told sixty days before."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from edge.errors import ConfigError
from edge.wire.names import HUB

if TYPE_CHECKING:
    from pathlib import Path

WARNING = timedelta(days=60)
"""How long before its end something is told: time to go to each door with a new file."""


@dataclass(frozen=True, slots=True)
class Life:
    """One certificate or list: what `facegate provision renew` calls it, its file, and when it ends (UTC)."""

    name: str
    file: Path
    until: datetime

    def is_ending(self, now: datetime) -> bool:
        """Whether it is time to renew it."""
        return self.until - now < WARNING

    def days_left(self, now: datetime) -> int:
        """Return the whole days that are left, negative after the end."""
        return (self.until - now).days


def lives(folder: Path) -> list[Life]:
    """Return how long everything in a site's folder is valid, what ends first first.

    What was moved elsewhere (the authority, a door's bundle) is not there to be looked at. Raises
    `ConfigError` for a file that cannot be read, or a folder without any.
    """
    found = [
        *(Life("authority", path, _until(path)) for path in _there(folder / "ca" / "ca.crt")),
        *(Life("authority", path, _listed_until(path)) for path in _there(folder / "broker" / "crl.pem")),
        *(Life("broker", path, _until(path)) for path in _there(folder / "broker" / "server.crt")),
        *(Life(path.stem, path, _until(path)) for path in (folder / HUB).glob(f"{HUB}*.crt")),
        *(Life(path.parent.name, path, _until(path)) for path in (folder / "doors").glob("*/door.crt")),
    ]
    if not found:
        raise ConfigError(f"{folder}: no certificates here; name the folder of `facegate provision site`")
    return sorted(found, key=lambda life: (life.until, str(life.file)))


def door_until(certificate: Path | None, authority: Path | None) -> datetime | None:
    """Return when a door's way to the broker ends (UTC), by what ends first; None without a certificate.

    A file that cannot be read is not looked at here: the connection names it.
    """
    ends = []
    for path in (certificate, authority):
        with suppress(ConfigError):
            ends += [] if path is None else [_until(path)]
    # Both count: a door refuses a broker whose authority has ended, too.
    return min(ends) if ends and certificate is not None else None


def door_called(certificate: Path | None) -> str | None:
    """Return whose a door's certificate is; None without one, or where that cannot be read."""
    try:
        read = None if certificate is None else x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    names = [] if read is None else read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else None


def _there(path: Path) -> list[Path]:
    return [path] if path.exists() else []


def _until(path: Path) -> datetime:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no certificate: {error}") from error


def _listed_until(path: Path) -> datetime:
    try:
        return x509.load_pem_x509_crl(path.read_bytes()).next_update_utc or datetime.max.replace(tzinfo=UTC)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: no list of the revoked: {error}") from error
