"""Proofs of origin: a broken-into broker can invent no event of a door and no word of the property.

A proof is `<certificate>.<signature>`, both base64: the certificate with which its owner also enters the
broker (DER, issued by the site's authority), and an ECDSA signature (P-256, SHA-256) by its key over the
purpose and what is proven. Doors sign the head of every batch of events, hubs sign acknowledgements; a
proof given for one purpose, door, journal or range of numbers is worth nothing for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge.errors import ConfigError, SyncError
from edge.wire.messages import VERSION

if TYPE_CHECKING:
    from pathlib import Path

EVENTS_PURPOSE = "evt"
ACK_PURPOSE = "evt-ack"
MOST_PROOF = 8 * 1024
"""Characters of a proof; ours have about 900."""
MOST_REMEMBERED = 20_000
"""Certificates that need not be looked at again: more than one hub has doors."""
ALGORITHM = ec.ECDSA(hashes.SHA256())
SEALS = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""HPKE for the owner of a certificate (RFC 9180)."""


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What a door proves of one message of events: whose they are, which, and what they say.

    `done` is up to where it was told, before, that everything has arrived.
    """

    device: str
    stream: str
    first: int
    last: int
    done: int
    digest: str
    """SHA-256 of the message, hexadecimal."""

    @classmethod
    def of(cls, device: str, place: tuple[str, int, int], done: int, payload: bytes) -> BatchHead:
        """Return the head of a message; `place` is (stream, first number, last number)."""
        return cls(device, *place, done, hashlib.sha256(payload).hexdigest())

    @property
    def body(self) -> bytes:
        """The bytes that are signed."""
        return _canonical({"v": VERSION, **{name: getattr(self, name) for name in self.__slots__}})


def ack_body(device: str, stream: str, upto: int) -> bytes:
    """Return what a hub proves of an acknowledgement: whose journal, and how far all of it is stored."""
    return _canonical({"v": VERSION, "device": device, "stream": stream, "upto": upto})


class Identity:
    """Who we are at this site: our certificate, and the key that signs in its name. Any thread."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._shown = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Identity:
        """Return who these PEM files say we are. Raises `ConfigError` naming what cannot be used."""
        try:
            shown = x509.load_pem_x509_certificate(certificate.read_bytes())
            private = serialization.load_pem_private_key(key.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{certificate}, {key}: cannot sign with them: {error}") from error
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{key}: not an EC key; copy the bundle of `facegate provision` again")
        return cls(shown, private)

    def prove(self, body: bytes, purpose: str) -> str:
        """Return the proof that these bytes are ours, for this purpose."""
        signature = self._key.sign(_signed(body, purpose), ALGORITHM)
        return f"{self._shown}.{base64.b64encode(signature).decode()}"

    def unsealed(self, sealed: bytes, info: bytes) -> bytes:
        """Return what `sealed_for` closed for our certificate. Raises `SyncError`."""
        try:
            return bytes(SEALS.decrypt(sealed, self._key, info))
        except (InvalidTag, ValueError) as error:
            raise SyncError("sealed for another certificate, or changed on its way") from error


class Origin:
    """Tells who gave a proof, by the certificate of the site's `authority`. One thread.

    `revoked` is the site's list of certificates that count no longer (crl.pem); it is read again when it
    changed. While there is no such file the broker alone turns them away.
    """

    def __init__(self, authority: x509.Certificate, revoked: Path | None = None) -> None:
        self._authority = authority
        self._revoked = revoked
        self._listed: tuple[int, ...] = ()
        self._known: dict[str, tuple[str, ec.EllipticCurvePublicKey]] = {}

    @classmethod
    def load(cls, authority: Path, revoked: Path | None = None) -> Origin:
        """Return what the authority in this PEM file (ca.crt) vouches for. Raises `ConfigError`."""
        try:
            return cls(x509.load_pem_x509_certificate(authority.read_bytes()), revoked)
        except (OSError, ValueError) as error:
            raise ConfigError(f"{authority}: no authority here: {error}") from error

    def name(self, proof: str, body: bytes, purpose: str) -> str:
        """Return whose proof this is: the common name. Raises `SyncError` unless it proves these bytes."""
        shown, _, text = proof.partition(".")
        # Before any decoding: a proof comes from whoever can publish.
        if len(proof) > MOST_PROOF:
            raise SyncError(f"a proof of {len(proof)} characters")
        known = self.owner(shown)
        try:
            known[1].verify(_decoded(text), _signed(body, purpose), ALGORITHM)
        except InvalidSignature:
            raise SyncError(f"the signature of {known[0]} is wrong") from None
        return known[0]

    def owner(self, shown: str) -> tuple[str, ec.EllipticCurvePublicKey]:
        """Return whose certificate this is (base64, as a proof begins) and its key. Raises `SyncError`."""
        self._look_at_list()
        if (known := self._known.get(shown)) is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            known = self._known[shown] = self._owner(_decoded(shown))
        return known

    def _owner(self, shown: bytes) -> tuple[str, ec.EllipticCurvePublicKey]:
        try:
            certificate = x509.load_der_x509_certificate(shown)
            # Checks issuer name and signature; dates and purpose are checked below.
            certificate.verify_directly_issued_by(self._authority)
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            public = certificate.public_key()
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
            raise SyncError(f"signed with a certificate that is not this site's: {error}"[:200]) from error
        if not isinstance(public, ec.EllipticCurvePublicKey) or ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
            raise SyncError("signed with a certificate that is not for this")
        # Only a hub has the list of the revoked. A door has none, and its clock may be wrong: it must not
        # refuse its hub's word for that.
        if datetime.now(UTC) > certificate.not_valid_after_utc and self._revoked is not None:
            raise SyncError(f"signed with a certificate that expired on {certificate.not_valid_after_utc}")
        self._refuse_revoked(certificate.serial_number)
        return str(name.value), public

    def _refuse_revoked(self, serial: int) -> None:
        if self._revoked is None:
            return
        try:
            listed = x509.load_pem_x509_crl(self._revoked.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise SyncError(f"{self._revoked}: who was revoked cannot be read: {error}") from error
        if listed.get_revoked_certificate_by_serial_number(serial) is not None:
            raise SyncError("signed with a certificate that was revoked")

    def _look_at_list(self) -> None:
        """Forget whom we know when the list of the revoked has changed."""
        if self._revoked is None:
            return
        try:
            found = self._revoked.stat()
        except OSError:
            return
        if (listed := (found.st_ino, found.st_mtime_ns, found.st_size)) != self._listed:
            self._listed = listed
            self._known.clear()


@dataclass(frozen=True, slots=True)
class Notary:
    """What one end proves its word with, and what tells it whose word it gets; None: it cannot."""

    identity: Identity | None = None
    origin: Origin | None = None

    def prove(self, body: bytes, purpose: str) -> str:
        """Return the proof that these bytes are ours; empty when we have nothing to prove it with."""
        return "" if self.identity is None else self.identity.prove(body, purpose)


def sealed_for(key: ec.EllipticCurvePublicKey, plain: bytes, info: bytes) -> bytes:
    """Return what only the owner of a certificate with this key can read, bound to `info`."""
    return bytes(SEALS.encrypt(plain, key, info))


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _signed(body: bytes, purpose: str) -> bytes:
    return f"facegate/v1 {purpose}\n".encode() + body


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SyncError("a proof that is not base64") from None
