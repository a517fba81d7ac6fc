"""The panel's own certificate: self-signed, its fingerprint printed on the device to compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from edge.errors import PanelRefused
from edge.store.small_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

VALID_DAYS = 825
"""The longest that current browsers accept of a certificate somebody installed by hand."""


def own_certificate(folder: Path, names: Iterable[str]) -> tuple[Path, Path, str]:
    """Return (certificate, key, SHA-256 fingerprint), made anew when missing or about to expire.

    `names` are host names and addresses under which the panel is reached.
    """
    certificate, key = folder / "panel.crt", folder / "panel.key"
    if not (certificate.exists() and key.exists() and _is_fresh(certificate)):
        _make(certificate, key, list(names))
    return certificate, key, fingerprint_of(folder)


def fingerprint_of(folder: Path) -> str:
    """Return the SHA-256 of the panel's certificate as browsers show it, "" before there is one."""
    certificate = folder / "panel.crt"
    if not certificate.exists():
        return ""
    return _fingerprint(certificate)


def given_certificate(certificate: Path, key: Path) -> tuple[Path, Path, str]:
    """Return (certificate, key, SHA-256 fingerprint) of the site's own. Raises `PanelRefused`."""
    try:
        key.read_bytes()
        return certificate, key, _fingerprint(certificate)
    except OSError as error:
        raise PanelRefused(f"panel.cert_file and panel.key_file: {error}") from error
    except ValueError as error:
        raise PanelRefused(
            f"panel.cert_file: {certificate} is no certificate in PEM form: {error}"
        ) from error


def signing_key(path: Path) -> ed25519.Ed25519PrivateKey:
    """Return the door's key for receipts, made (mode 0600) when there is none."""
    if not path.exists():
        write_whole(path, ed25519.Ed25519PrivateKey.generate().private_bytes_raw())
    return ed25519.Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def _make(certificate: Path, key_file: Path, names: list[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "facegate panel")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a board without a clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(key_file, private)
    write_whole(certificate, signed.public_bytes(serialization.Encoding.PEM))


def _fingerprint(certificate: Path) -> str:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return loaded.fingerprint(hashes.SHA256()).hex(":").upper()


def _is_fresh(certificate: Path) -> bool:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return loaded.not_valid_after_utc - datetime.now(UTC) > timedelta(days=30)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
