"""The envelope: one face, sealed for some doors, for as long as it travels and no longer.

AES-256-GCM with a key that is used once; that key goes to each receiver by HPKE (RFC 9180, base mode)
with the hybrid of ML-KEM-768 and X25519: recordings of today must stay closed as long as faces live.
Whoever may open it learns nothing by that: what proves the face is the commitment in its certificate.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from edge.errors import SyncError
from edge.wire.faces.certificate import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.wire.faces.certificate import FaceCertificate

INFO = b"facegate face 1"
KEY_BYTES = 32
SEED_BYTES = 64
"""Of an ML-KEM-768 private key (FIPS 203); its public key has 1,184 bytes."""
LATTICE_BYTES = 1184
PUBLIC_BYTES = LATTICE_BYTES + 32
WRAPPED_BYTES = 1168
"""A content key for one receiver: 1,120 bytes of key agreement, 32 of key, 16 of tag."""
MOST_RECEIVERS = 16
"""Of one envelope, so that it stays below 64 KiB."""
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
NONCE = bytes(12)
"""Zero, because no content key is used twice."""


class ReceivingKey:
    """A door's private key for envelopes. `private` is 96 bytes: ML-KEM seed, then X25519."""

    def __init__(self, private: bytes) -> None:
        self.private = private
        lattice = MLKEM768PrivateKey.from_seed_bytes(private[:SEED_BYTES])
        curve = X25519PrivateKey.from_private_bytes(private[SEED_BYTES:])
        self._key = MLKEM768X25519PrivateKey(lattice, curve)
        self.public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @classmethod
    def new(cls) -> ReceivingKey:
        """Return a fresh one."""
        return cls(secrets.token_bytes(SEED_BYTES + 32))

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Return the content key. Raises `SyncError` for another receiver's, header's or damage."""
        try:
            return bytes(SUITE.decrypt(wrapped, self._key, info))
        except (InvalidTag, ValueError) as error:
            raise SyncError("envelope: sealed for another key, or changed on its way") from error


def wrap(public: bytes, content_key: bytes, info: bytes) -> bytes:
    """Return a content key that only the owner of `public` can unwrap. Raises `SyncError` for a bad key."""
    try:
        lattice = MLKEM768PublicKey.from_public_bytes(public[:LATTICE_BYTES])
        curve = X25519PublicKey.from_public_bytes(public[LATTICE_BYTES:])
        return bytes(SUITE.encrypt(content_key, MLKEM768X25519PublicKey(lattice, curve), info))
    except ValueError as error:
        raise SyncError(f"envelope: not a door's receiving key: {error}") from error


@dataclass(frozen=True, slots=True)
class EnvelopeHeader:
    """Whose face travels from whom to whom: `receivers` is door -> number of its receiving key."""

    site: str
    person: str
    consent: str
    commitment: str
    sender: str
    receivers: Mapping[str, int]

    @classmethod
    def of(cls, face: FaceCertificate, sender: str, receivers: Mapping[str, int]) -> EnvelopeHeader:
        """Return the header for the face of a certificate."""
        return cls(face.site, face.person, face.consent, face.commitment, sender, receivers)

    def encode(self) -> bytes:
        """Return the bytes that everything inside is bound to."""
        return canonical(
            {
                "v": 1,
                "site": self.site,
                "person": self.person,
                "consent": self.consent,
                "commitment": self.commitment,
                "sender": self.sender,
                "receivers": dict(self.receivers),
            }
        )

    def info(self, receiver: str) -> bytes:
        """Return the HPKE info for one receiver."""
        return INFO + b"\0" + receiver.encode() + b"\0" + hashlib.sha256(self.encode()).digest()


@dataclass(frozen=True, slots=True)
class FaceEnvelope:
    """A sealed face: `wrapped` is the content key for each receiver, `sealed` the body with its tag."""

    header: EnvelopeHeader
    wrapped: Mapping[str, bytes]
    sealed: bytes

    @classmethod
    def seal(cls, header: EnvelopeHeader, body: bytes, publics: Mapping[str, bytes]) -> FaceEnvelope:
        """Return `body` sealed for the doors of the header, whose public keys are `publics`."""
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = {door: wrap(publics[door], key, header.info(door)) for door in header.receivers}
        return cls(header, wrapped, AESGCM(key).encrypt(NONCE, body, header.encode()))

    def open(self, receiver: str, keys: Mapping[int, ReceivingKey]) -> bytes:
        """Return the body. Raises `SyncError` when it is not for this door, its keys, or was changed.

        `keys` are the receiver's own by number; one that was destroyed is not among them.
        """
        number = self.header.receivers.get(receiver)
        if number is None or receiver not in self.wrapped:
            raise SyncError(f"envelope: it is not for {receiver!r}")
        if number not in keys:
            raise SyncError(f"envelope: sealed for receiving key {number}, which is no more")
        content_key = keys[number].unwrap(self.wrapped[receiver], self.header.info(receiver))
        try:
            return AESGCM(content_key).decrypt(NONCE, self.sealed, self.header.encode())
        except (InvalidTag, ValueError) as error:
            raise SyncError("envelope: changed on its way") from error
