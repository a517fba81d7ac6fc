"""Signed messages: a broken-into broker can neither open a door nor change who may enter.

`{"kid": key name, "p": base64, "sig": base64}`: an Ed25519 signature over the purpose and the raw
bytes of `p`, so that nobody has to agree on how JSON is written, and a signature given for one
purpose is worth nothing for another.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.errors import ConfigError, SyncError
from edge.wire.messages import parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_KEYS = 2
"""The key in use and the one that replaces it."""
ENVELOPE_BYTES = 256
"""More than a signed message has around the base64 of what is signed."""


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys of the property, by name: 32 raw bytes each, at most two.

    Raises `ConfigError` for anything else.
    """

    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MOST_KEYS:
            raise ConfigError(f"{len(self.keys)} trusted keys; give one, or two while changing keys")
        for kid, raw in self.keys.items():
            if len(raw) != 32:
                raise ConfigError(f"trusted key {kid!r}: {len(raw)} bytes; an Ed25519 public key has 32")

    def open(self, payload: bytes, purpose: str) -> bytes:
        """Return the signed bytes. Raises `SyncError` unless one of our keys signed them for this."""
        fields = parse_object(payload)
        if set(fields) != {"kid", "p", "sig"} or not all(isinstance(value, str) for value in fields.values()):
            raise SyncError("not a signed message: it needs kid, p and sig, as text, and nothing else")
        # The name says which key: a message costs one verification, whatever it claims.
        raw = self.keys.get(fields["kid"])
        if raw is None:
            raise SyncError("signed with a key this door does not know")
        # Bytes only: nothing inside the body is looked at before its signature holds.
        body, signature = _decode(fields["p"]), _decode(fields["sig"])
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, _signed(body, purpose))
        except InvalidSignature:
            raise SyncError("the signature is wrong") from None
        return body


class Signer:
    """The property's side: signs for one purpose at a time. Any thread."""

    def __init__(self, kid: str, private: bytes) -> None:
        self.kid = kid
        self._key = Ed25519PrivateKey.from_private_bytes(private)

    @property
    def public(self) -> bytes:
        """The 32 bytes doors must trust."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, body: bytes, purpose: str) -> bytes:
        """Return the signed message."""
        signature = self._key.sign(_signed(body, purpose))
        return json.dumps({"kid": self.kid, "p": _encode(body), "sig": _encode(signature)}).encode()


def signed_bytes(size: int) -> int:
    """Return how long the signed message of so many bytes is at most."""
    return ENVELOPE_BYTES + (size + 2) // 3 * 4


def _signed(body: bytes, purpose: str) -> bytes:
    # The line break ends the purpose, and none holds one: no other purpose and body give these bytes.
    return f"facegate/v1 {purpose}\n".encode() + body


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(text: str) -> bytes:
    """Return the bytes of canonical base64: one spelling per message, or `SyncError`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SyncError("not base64") from None
    # Base64 can spell the same bytes in several ways (unused bits of the last sign). A second spelling would
    # pass for another message where messages are compared as text.
    if _encode(raw) != text:
        raise SyncError("not canonical base64")
    return raw
