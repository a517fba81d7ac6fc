"""Letters from door to door, signed by the door that writes; the hub carries them and opens none.

`certificate` and `end` are for the hub, too: it lists the one in the roster and takes away the other.
What counts about a face never hangs on a letter alone: see `edge.wire.faces.certificate`.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from edge.errors import ConfigError, SyncError
from edge.wire.compound import Either, Listing, Named, Table
from edge.wire.faces.certificate import CERTIFICATE, COMMITMENT, CONSENT, DOOR, SITE
from edge.wire.faces.envelope import (
    MOST_RECEIVERS,
    PUBLIC_BYTES,
    WRAPPED_BYTES,
    EnvelopeHeader,
    FaceEnvelope,
)
from edge.wire.messages import VERSION, parse_object, parse_shaped
from edge.wire.names import DEVICE_ID
from edge.wire.shapes import Exactly, Flag, Text, Time, Whole, Word
from edge.wire.signing import Signer, TrustedKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.wire.faces.door_list import DoorList

PURPOSE = "letter"
MAX_LETTER_BYTES = 96 * 1024
MOST_ASKED = 100
"""Faces asked for, or told of, in one letter."""
MOST_ENDED = 500
MOST_TO = 500


class LetterKind(StrEnum):
    """What a letter is about."""

    CERTIFICATE = "certificate"
    """For the hub: a face was enrolled that other doors are to know."""
    KEY = "key"
    """The writer's receiving key."""
    ASK = "ask"
    """Send me these faces."""
    ENVELOPE = "envelope"
    """A face, sealed."""
    KNOWN = "known"
    """These faces arrived."""
    END = "end"
    """These consents have ended; for the hub, too."""
    ERASED = "erased"
    """What came under these consents is erased."""


def _base64(most: int, about: str) -> Text:
    return Text(4 * -(-most // 3), pattern="[A-Za-z0-9+/]*={0,2}", about=about)


_CONSENTS = Listing(CONSENT, MOST_ASKED, 1)
_CONTENT: dict[LetterKind, dict[str, Any]] = {
    LetterKind.CERTIFICATE: {"certificate": CERTIFICATE},
    LetterKind.KEY: {
        "number": Whole(1, about="grows with every key; a later one counts"),
        "public": _base64(PUBLIC_BYTES, "ML-KEM-768 public key, then X25519"),
        "ended": Whole(about="fingerprint of the ended consents that the writer knows: 52 bits of SHA-256"),
        "answer": Flag("wants the reader's key, and the ended consents it lacks"),
    },
    LetterKind.ASK: {"consents": _CONSENTS},
    LetterKind.ENVELOPE: {
        "person": Text(128),
        "consent": CONSENT,
        "commitment": COMMITMENT,
        "receivers": Named(DEVICE_ID.pattern, Whole(1), MOST_RECEIVERS, "door -> number of its key"),
        "keys": Named(
            DEVICE_ID.pattern,
            _base64(WRAPPED_BYTES, "content key by HPKE"),
            MOST_RECEIVERS,
        ),
        "sealed": _base64(25 * 1024, "AES-256-GCM of the face"),
    },
    LetterKind.KNOWN: {"consents": _CONSENTS},
    LetterKind.END: {
        "consents": Listing(CONSENT, MOST_ENDED, 1),
        "at": Time("when the first of them ended"),
        "answer": Flag("wants to be told when it is done"),
    },
    LetterKind.ERASED: {"consents": Listing(CONSENT, MOST_ENDED, 1)},
}


def _shape(kind: LetterKind) -> Table:
    return Table(
        {
            "v": Exactly(VERSION),
            "site": SITE,
            "from": DOOR,
            "to": Listing(DOOR, MOST_TO, about="doors; the hub reads it anyway"),
            "kind": Word((kind,)),
            **_CONTENT[kind],
        }
    )


LETTER = Either("kind", {str(kind): _shape(kind) for kind in LetterKind})
TAKEN = Table(
    {"v": Exactly(VERSION), "numbers": Listing(Whole(1), 1000, 1, about="numbers of letters")},
    about="letters that the door has taken; the hub deletes them",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one door writes to others. `content` holds the fields of its kind."""

    site: str
    sender: str
    to: tuple[str, ...]
    kind: LetterKind
    content: dict[str, Any]

    SHAPE: ClassVar = LETTER

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        fields = {"v": VERSION, "site": self.site, "from": self.sender, "to": list(self.to)}
        return json.dumps(
            {**fields, "kind": str(self.kind), **self.content}, separators=(",", ":"), ensure_ascii=False
        ).encode()

    def signed(self, signer: Signer) -> bytes:
        """Return the letter as it travels."""
        payload = signer.sign(self.encode(), PURPOSE)
        if len(payload) > MAX_LETTER_BYTES:
            raise SyncError(f"letter {self.kind}: {len(payload)} bytes; at most {MAX_LETTER_BYTES}")
        return payload

    @classmethod
    def parse(cls, body: bytes) -> Letter:
        """Return the letter in these signed bytes, or raise `SyncError`."""
        fields = parse_object(body)
        if flaw := LETTER.flaw(fields):
            raise SyncError(f"letter{flaw}"[:200])
        kind = LetterKind(fields["kind"])
        content = {name: fields[name] for name in _CONTENT[kind]}
        return cls(fields["site"], fields["from"], tuple(fields["to"]), kind, content)


def open_letter(payload: bytes, doors: DoorList) -> Letter:
    """Return a letter that a door of the list signed. Raises `SyncError` for anybody else's."""
    if len(payload) > MAX_LETTER_BYTES:
        raise SyncError(f"letter: {len(payload)} bytes; at most {MAX_LETTER_BYTES}")
    # Read before the signature is checked, only to know with whose key it has to be checked.
    sender = parse_object(payload).get("kid")
    listed = doors.doors.get(sender) if isinstance(sender, str) else None
    if listed is None:
        raise SyncError(f"letter: {str(sender)[:64]!r} is not in door list {doors.number}")
    try:
        keys = TrustedKeys({listed.id: listed.key})
    except ConfigError as error:
        raise SyncError(f"letter: {error}") from error
    letter = Letter.parse(keys.open(payload, PURPOSE))
    if letter.sender != listed.id or letter.site != doors.site:
        raise SyncError(
            f"letter: written as {letter.sender[:64]!r}, signed by {listed.id!r}, or of another site"
        )
    return letter


def envelope_content(envelope: FaceEnvelope) -> dict[str, Any]:
    """Return an envelope as the content of a letter."""
    header = envelope.header
    return {
        "person": header.person,
        "consent": header.consent,
        "commitment": header.commitment,
        "receivers": dict(header.receivers),
        "keys": {door: to_base64(key) for door, key in envelope.wrapped.items()},
        "sealed": to_base64(envelope.sealed),
    }


def envelope_of(letter: Letter) -> FaceEnvelope:
    """Return the envelope in a letter. Raises `SyncError` when it carries none."""
    if letter.kind is not LetterKind.ENVELOPE:
        raise SyncError(f"letter: {letter.kind} carries no face")
    one = letter.content
    header = EnvelopeHeader(
        letter.site, one["person"], one["consent"], one["commitment"], letter.sender, one["receivers"]
    )
    wrapped = {door: from_base64(text) for door, text in one["keys"].items()}
    return FaceEnvelope(header, wrapped, from_base64(one["sealed"]))


def taken(numbers: Sequence[int]) -> bytes:
    """Return the payload that says these letters were taken."""
    return json.dumps({"v": VERSION, "numbers": list(numbers)}).encode()


def parse_taken(payload: bytes) -> list[int]:
    """Return which letters a door has taken, or raise `SyncError`."""
    numbers: list[int] = parse_shaped(TAKEN, payload, "face/taken")["numbers"]
    return numbers


def to_base64(raw: bytes) -> str:
    """Return bytes as they stand in a letter."""
    return base64.b64encode(raw).decode()


def from_base64(text: str) -> bytes:
    """Return the bytes of canonical base64, or raise `SyncError`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SyncError("letter: not base64") from error
    if to_base64(raw) != text:
        raise SyncError("letter: not canonical base64")
    return raw
