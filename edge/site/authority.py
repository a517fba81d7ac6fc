"""A site's own certificate authority: keys and certificates for broker, hub and doors.

EC P-256 everywhere: what TLS stacks on small boards handle fast. Private keys are written with
mode 0600 and never leave the folder they are made in.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.durable import whole_file, write_first, write_whole
from edge.errors import ConfigError
from edge.wire.faces.door_list import signed_list

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge.wire.faces.door_list import DoorList

MOST_HOST = 253
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")

VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
"""A board without a battery clock starts in the past; its first connection must not fail on that."""
VALID_FOR = timedelta(days=20 * 365)
"""A door is in the wall for decades; what ends a certificate early is the revocation list."""


class Authority:
    """The key that vouches for everybody at a site, in `folder` (ca.crt, ca.key, crl.pem).

    Raises `ConfigError` when the folder holds something else.
    """

    def __init__(self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, folder: Path, site: str) -> Authority:
        """Make a new authority. Raises `ConfigError` when there is one already."""
        if (folder / "ca.key").exists():
            raise ConfigError(f"{folder}: has an authority already; every door trusts it, so it stays")
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"facegate {site}")])
        certificate = (
            _builder(name, name, key.public_key())
            # Path length 0: it signs certificates of doors, not of further authorities.
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = cls(folder, certificate, key)
        write_whole(folder / "ca.crt", _pem(certificate))
        authority._write_revoked([])
        # The key last, and whole: until it is there nobody trusts this authority, and it can be made anew.
        if not write_first(folder / "ca.key", _private_pem(key)):
            raise ConfigError(f"{folder}: has an authority already; every door trusts it, so it stays")
        return authority

    @classmethod
    def open(cls, folder: Path) -> Authority:
        """Return the authority in `folder`."""
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{folder}: no authority here ({error}); run `facegate provision site` first"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{folder}: ca.key is not the kind of key we made")
        return cls(folder, certificate, key)

    @property
    def certificate_pem(self) -> bytes:
        """What everybody must trust."""
        return _pem(self._certificate)

    @property
    def revoked_pem(self) -> bytes:
        """The revocation list for the broker."""
        return (self._folder / "crl.pem").read_bytes()

    def issue(self, name: str, certificate: Path, key: Path, hosts: Iterable[str] = ()) -> None:
        """Write a certificate for `name` and its private key; with `hosts` it is a server's.

        The certificate last: a key without one is of a call that was cut short, vouched for by nobody, and
        gives way. Raises `ConfigError` where there are both.
        """
        if certificate.exists():
            raise ConfigError(f"{key}: exists; a key is never overwritten")
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [_host(host) for host in hosts]
        # One purpose each: the key of a stolen door must not pass for a broker.
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _builder(subject, self._certificate.subject, private.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        write_whole(key, _private_pem(private))
        write_public(certificate, _pem(builder.sign(self._key, hashes.SHA256())))

    def renew(self, certificate: Path, hosts: Iterable[str] = ()) -> None:
        """Write a certificate anew, for the same key and as valid as a new one; with `hosts` for those."""
        old = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        builder = _dated(
            x509.CertificateBuilder()
            .subject_name(old.subject)
            .issuer_name(self._certificate.subject)
            .public_key(old.public_key())
        )
        for extension in old.extensions:
            is_name = isinstance(extension.value, x509.SubjectAlternativeName)
            value = names if is_name and list(names) else extension.value
            builder = builder.add_extension(value, critical=extension.critical)
        write_whole(certificate, _pem(builder.sign(self._key, hashes.SHA256())))

    def renew_itself(self) -> Path:
        """Write the authority's own certificate and its list anew, for the same key; return the first."""
        self.renew(self._folder / "ca.crt")
        self._write_revoked(list(x509.load_pem_x509_crl(self.revoked_pem)))
        return self._folder / "ca.crt"

    def revoke(self, certificate: Path) -> None:
        """Put a certificate on the revocation list; the broker must be reloaded to see it."""
        serial = x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number
        old = list(x509.load_pem_x509_crl(self.revoked_pem))
        if any(entry.serial_number == serial for entry in old):
            return
        entry = (
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(datetime.now(UTC)).build()
        )
        self._write_revoked([*old, entry])

    def hosts_of(self, certificate: Path) -> tuple[str, ...]:
        """Return the names and addresses in a server's certificate; none in anybody else's."""
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        for extension in read.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                return tuple(str(name.value) for name in extension.value)
        return ()

    def sign_doors(self, doors: DoorList) -> bytes:
        """Return the list of doors that share faces, signed; only this key can (see `DoorListAuthority`)."""
        return signed_list(doors, self._key)

    def _write_revoked(self, entries: list[x509.RevokedCertificate]) -> None:
        # Valid for as long as the authority: an expired list makes mosquitto refuse everybody.
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(VALID_FROM)
            .next_update(max(VALID_FROM, datetime.now(UTC)) + VALID_FOR)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        crl = builder.sign(self._key, hashes.SHA256())
        # Whole or not at all: half a list cannot be read, and would take every earlier revocation with it.
        write_whole(self._folder / "crl.pem", crl.public_bytes(serialization.Encoding.PEM))


def write_public(path: Path, content: bytes) -> None:
    """Write a file that is no secret, whole or not at all; folders say who reaches it."""
    with whole_file(path) as file:
        file.write(content)
        # Before it has its name: in a folder of another account that name could be a link a moment later.
        os.fchmod(file.fileno(), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return _dated(x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public))


def _dated(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    """Let it be valid from the first moment a clock without battery may show, for as long as a new one."""
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(max(VALID_FROM, datetime.now(UTC)) + VALID_FOR)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def require_host(host: str) -> None:
    """Raise `ConfigError` unless a broker's host is a name or an address, without anything around it."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return
    if len(host) > MOST_HOST or not _HOST.fullmatch(host) or not host.strip("0123456789."):
        rule = "write its name or address alone, in plain letters, such as broker.lan or 192.0.2.5"
        raise ConfigError(f"broker {host!r}: {rule}")


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
