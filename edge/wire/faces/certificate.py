"""The certificate of a face: which face was enrolled where, under which consent, for which doors.

It stands in the person's roster record, signed by the door that enrolled; the face itself does not.
A face counts at a door only with both: this signature and the property's roster around it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.errors import SyncError
from edge.wire.compound import Listing, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.names import DEVICE_ID
from edge.wire.shapes import Exactly, Flag, Text, Time, Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from edge.wire.shapes import Shape

PURPOSE = b"facegate/v1 face\n"
"""Before the bytes that are signed: a signature for anything else is none for a face."""
SALT_BYTES = 32
MOST_DOORS = 32
"""Doors that one consent may name."""
MOST_VECTORS = 64
MAX_BODY_BYTES = 24 * 1024
MAX_CERTIFICATE = 3072
"""Characters of a certificate in a roster record; two fit into one."""
KINDS = ("shot", "mean")

SITE = Text(64, 64, "[0-9a-f]{64}", about="SHA-256 of the public key of the site's authority")
COMMITMENT = Text(64, 64, "[0-9a-f]{64}", about="SHA-256 of the body; names this face and no other")
DOOR = Text(64, pattern=DEVICE_ID.pattern, about="a door's id")
CONSENT = Text(64, about="id of the consent; a new one for every enrolment")
CERTIFICATE = Text(
    MAX_CERTIFICATE,
    pattern=r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}",
    about="certificate of a face: base64url of its JSON, a dot, base64url of the Ed25519 signature",
)

_ENROLMENT: dict[str, Shape] = {
    "v": Exactly(VERSION),
    "site": SITE,
    "person": Text(128),
    "consent": CONSENT,
    "notice": Text(64, about="version of the text that was read"),
    "notice_hash": Text(64, 64, "[0-9a-f]{64}", about="SHA-256 of the text that was read"),
    "language": Text(16),
    "is_minor": Flag(),
    "doors": Listing(DOOR, MOST_DOORS, 1, about="the doors that the consent names"),
    "model": Text(128, about="network, weights and aligner together"),
    "by": replace(DOOR, about="the door that enrolled"),
    "at": Time("when"),
}


@dataclass(frozen=True, slots=True)
class FaceCertificate:
    """What a door says of a face that it enrolled. `notice_hash` is SHA-256 of the text that was read."""

    site: str
    person: str
    consent: str
    notice: str
    notice_hash: str
    language: str
    is_minor: bool
    doors: tuple[str, ...]
    model: str
    by: str
    at: str
    commitment: str = ""

    SHAPE: ClassVar = Table(
        {**_ENROLMENT, "commitment": COMMITMENT}, about="a face that was enrolled, under which consent"
    )

    def fields(self) -> dict[str, Any]:
        """Return everything but the commitment, as it stands in the body, too."""
        fields = {"v": VERSION, **asdict(self), "doors": list(self.doors)}
        del fields["commitment"]
        return fields

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        return canonical({**self.fields(), "commitment": self.commitment})

    def signed(self, key: Ed25519PrivateKey) -> str:
        """Return the certificate as it stands in a roster record."""
        body = self.encode()
        return f"{_text(body)}.{_text(key.sign(PURPOSE + body))}"


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """A certificate as it came: what it says, and the text that was signed."""

    says: FaceCertificate
    text: str

    @classmethod
    def parse(cls, text: str) -> SignedCertificate:
        """Return what a certificate says; whether it is signed is asked with `verify`. Raises `SyncError`."""
        if flaw := CERTIFICATE.flaw(text):
            raise SyncError(f"certificate{flaw}")
        body = _bytes(text.partition(".")[0])
        fields = parse_shaped(FaceCertificate.SHAPE, body, "certificate")
        del fields["v"]
        says = FaceCertificate(**{**fields, "doors": tuple(fields["doors"])})
        # One spelling only: with two, one certificate would have two texts and two digests in the roster.
        if says.encode() != body or text.partition(".")[0] != _text(body):
            raise SyncError("certificate: not written in the one form that counts")
        return cls(says, text)

    def verify(self, keys: Iterable[bytes]) -> None:
        """Raise `SyncError` unless one of these Ed25519 keys (32 bytes each) signed it."""
        body, _, signature = self.text.partition(".")
        for key in keys:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(_bytes(signature), PURPOSE + _bytes(body))
            except (InvalidSignature, ValueError):
                continue
            return
        raise SyncError(f"certificate: not signed by {self.says.by[:64]!r} as the door list has it")


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One vector of a face: `kind` is `shot` or `mean`, `vector` little-endian float32."""

    kind: str
    vector: bytes


def make_body(certificate: FaceCertificate, rows: Sequence[FaceRow], salt: bytes) -> bytes:
    """Return the bytes that a commitment is made of: salt, what the certificate says, and the vectors.

    `salt` is 32 random bytes: without them the commitment would tell whose face a guess is. All vectors
    have one length. Raises `SyncError` for what no door would take.
    """
    sizes = {len(row.vector) for row in rows}
    if len(salt) != SALT_BYTES or len(sizes) != 1 or len(rows) > MOST_VECTORS:
        raise SyncError(
            f"{certificate.person!r}: {len(rows)} vectors of {sorted(sizes)} bytes are no face to share"
        )
    # Salt, length of the head (4 bytes, big-endian), head as JSON, vectors: the layout that `open_body`
    # reads.
    head = canonical(
        {**certificate.fields(), "kinds": [row.kind for row in rows], "bytes": len(rows[0].vector)}
    )
    body = salt + len(head).to_bytes(4, "big") + head + b"".join(row.vector for row in rows)
    if len(body) > MAX_BODY_BYTES:
        raise SyncError(f"{certificate.person!r}: a face of {len(body)} bytes; at most {MAX_BODY_BYTES}")
    return body


def commitment_of(body: bytes) -> str:
    """Return what names the face in `body`, and no other, in hex."""
    return hashlib.sha256(body).hexdigest()


_KINDS = Listing(Word(KINDS), MOST_VECTORS, 1)


def open_body(body: bytes, certificate: FaceCertificate) -> tuple[FaceRow, ...]:
    """Return the vectors. Raises `SyncError` unless this is the very face of the certificate."""
    if len(body) > MAX_BODY_BYTES or commitment_of(body) != certificate.commitment:
        raise SyncError(f"{certificate.person!r}: not the face that the certificate names")
    length = int.from_bytes(body[SALT_BYTES : SALT_BYTES + 4], "big")
    start = SALT_BYTES + 4 + length
    try:
        fields = json.loads(body[SALT_BYTES + 4 : start])
        kinds, size = fields.pop("kinds"), fields.pop("bytes")
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
        raise SyncError(f"{certificate.person!r}: the face cannot be read: {error}"[:200]) from error
    if fields != certificate.fields():
        raise SyncError(f"{certificate.person!r}: the face was enrolled as somebody or something else")
    vectors = body[start:]
    is_whole = type(size) is int and size > 0 and size % 4 == 0 and isinstance(kinds, list)
    if not is_whole or _KINDS.flaw(kinds) or len(vectors) != size * len(kinds):
        raise SyncError(f"{certificate.person!r}: the face has not the vectors it says")
    return tuple(
        FaceRow(kind, vectors[number * size : (number + 1) * size]) for number, kind in enumerate(kinds)
    )


def canonical(fields: dict[str, Any]) -> bytes:
    """Return the one way to write these fields: keys sorted, compact, UTF-8."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SyncError(f"not text that can be written: {error}"[:200]) from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise SyncError("certificate: not base64url")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise SyncError("certificate: not base64url") from error
