"""The panel's own certificate: self-signed, its fingerprint printed on the device to compare."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.durable import write_whole
from edge.errors import PanelRefused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

logger = logging.getLogger(__name__)

VALID_DAYS = 825
"""The longest that current browsers accept of a certificate somebody installed by hand."""


def own_certificate(folder: Path, names: Iterable[str]) -> tuple[Path, Path, str]:
    """Return (certificate, key, SHA-256 fingerprint); the certificate names every one of `names`.

    `names` are host names and addresses under which the panel is reached. It is made anew when it is
    missing, cannot be read, does not belong to the key, lacks a name or is about to expire; the key
    is kept where it can be.
    """
    certificate, key_file, wanted = folder / "panel.crt", folder / "panel.key", sorted(set(names))
    key = _private_key(key_file)
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_whole(key_file, key.private_bytes(*form))
    if not _serves(certificate, key, wanted):
        write_whole(certificate, _certificate(key, wanted).public_bytes(serialization.Encoding.PEM))
    return certificate, key_file, fingerprint_of(folder)


def fingerprint_of(folder: Path) -> str:
    """Return the SHA-256 of the panel's own certificate as browsers show it, "" while there is none."""
    return fingerprint_in(folder / "panel.crt")


def fingerprint_in(certificate: Path) -> str:
    """Return the SHA-256 of the certificate in a PEM file as browsers show it, "" while there is none."""
    try:
        return _fingerprint(certificate)
    except (OSError, ValueError):
        return ""


def public_certificate(path: Path) -> bytes:
    """Return the first certificate in a PEM file and nothing else of it, b"" while there is none."""
    try:
        loaded = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return b""
    return loaded.public_bytes(serialization.Encoding.PEM)


def given_certificate(certificate: Path, key: Path) -> tuple[Path, Path, str]:
    """Return (certificate, key, SHA-256 fingerprint) of the site's own. Raises `PanelRefused`."""
    try:
        # Only to see whether it can be read: what serves the page would not name the setting.
        key.read_bytes()
        return certificate, key, _fingerprint(certificate)
    except OSError as error:
        raise PanelRefused(f"panel.cert_file and panel.key_file: {error}") from error
    except ValueError as error:
        raise PanelRefused(
            f"panel.cert_file: {certificate} is no certificate in PEM form: {error}"
        ) from error


def signing_key(path: Path) -> ed25519.Ed25519PrivateKey:
    """Return the door's key for receipts, made (mode 0600) when there is none or no key is in the file.

    A file without a key is what a power cut left behind in an older version: it signed nothing.
    """
    try:
        return ed25519.Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except FileNotFoundError:
        pass
    except ValueError as error:
        logger.error("%s held no key and is made anew: %s", path, error)  # noqa: TRY400 - one line is enough
    key = ed25519.Ed25519PrivateKey.generate()
    write_whole(path, key.private_bytes_raw())
    return key


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """Return the key in a file, None when it must be made: missing, or what a power cut left of it."""
    try:
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except ValueError as error:
        logger.error("%s holds no key and is made anew: %s", path, error)  # noqa: TRY400 - as above
        return None
    return loaded if isinstance(loaded, ec.EllipticCurvePrivateKey) else None


def _certificate(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "facegate panel")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a board without a clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _fingerprint(certificate: Path) -> str:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return loaded.fingerprint(hashes.SHA256()).hex(":").upper()


def _serves(path: Path, key: ec.EllipticCurvePrivateKey, names: list[str]) -> bool:
    """Return whether a certificate belongs to `key`, names all of `names`, and lasts a month more."""
    try:
        loaded = x509.load_pem_x509_certificate(path.read_bytes())
        listed = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        loaded.public_key() == key.public_key()
        and {_name(name) for name in names} <= set(listed)
        and loaded.not_valid_after_utc - datetime.now(UTC) > timedelta(days=30)
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
