"""Signed visitor passes: a fixed-size token, shown as a QR code, valid without any network.

135 bytes, Base32 behind `FG1:` (220 characters of QR's alphanumeric set: a version 7 code). The
length is checked, then the signature over the whole body; only what is signed is ever parsed.

    offset  bytes  field
    0       1      version: 1, or 2 when its key is a site's
    1       1      kind: 0 visitor, 1 courier, 2 cleaner, 3 worker
    2       8      pass id, random
    10      4      valid from, seconds since 1970 UTC, big-endian
    14      4      valid until (exclusive)
    18      1      how often it may be used, 0: any number
    19      24     up to six doors, 4 bytes each: SHA-256 of the door's name cut short; 0: none
    43      28     host: the inviting resident's id, UTF-8, padded with zeros
    71      64     Ed25519 signature of b"facegate pass 1" and the body; of a site's key, of
                   b"facegate pass 2", a zero, the site's name, a zero, and the body

A key may belong to a site: then 32 bytes are followed by the site's name in UTF-8, for the private and
the public one alike, and its passes are worth nothing where the door knows it for another site.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "FG1:"
BODY = struct.Struct(">BB8sIIB24s28s")
SIGNATURE_BYTES = 64
# 135 bytes are 27 groups of five, so Base32 needs no padding: each group becomes eight signs.
TEXT_LENGTH = len(PREFIX) + (BODY.size + SIGNATURE_BYTES) * 8 // 5
_NEVER_IN_ONE = re.compile("[^A-Z0-9:]")
_ONE = re.compile(f"{PREFIX}[A-Z2-7]{{{TEXT_LENGTH - len(PREFIX)}}}")
CONTEXT, SITE_CONTEXT = b"facegate pass 1", b"facegate pass 2\0"
VERSION, SITE_VERSION = 1, 2
KEY_BYTES = 32
MOST_SITE_BYTES = 64
LONGEST = timedelta(days=366)
"""From when until when a pass may be valid: a picture of one opens as long as it does."""
DOOR_BYTES, MAX_DOORS, HOST_BYTES = 4, 6, 28
ALL_DOORS = b"\xff" * DOOR_BYTES
NO_DOOR = bytes(DOOR_BYTES)
MIN_TIME = datetime.fromtimestamp(0, UTC)
MAX_TIME = datetime.fromtimestamp(2**32 - 1, UTC)


class PassKind(IntEnum):
    """Whom a pass is for."""

    VISITOR = 0
    COURIER = 1
    CLEANER = 2
    WORKER = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """What a visitor may do. Times are UTC in whole seconds, `valid_until` exclusive.

    `id` is 8 random bytes, `max_uses` 0..255 (0: any number). The names of doors do not travel,
    only their marks (see `door_marks`).
    """

    id: bytes
    host_id: str
    valid_from: datetime
    valid_until: datetime
    max_uses: int = 1
    kind: PassKind = PassKind.VISITOR
    door_marks: tuple[bytes, ...] = (ALL_DOORS,)

    def opens(self, door_id: str) -> bool:
        """Return whether this pass is for the door of that name."""
        return ALL_DOORS in self.door_marks or door_mark(door_id) in self.door_marks


def door_mark(door_id: str) -> bytes:
    """Return the 4 bytes that stand for a door's name on a pass."""
    return hashlib.sha256(door_id.encode()).digest()[:DOOR_BYTES]


def door_marks(door_ids: Iterable[str]) -> tuple[bytes, ...]:
    """Return the marks of these doors, or the mark of every door when there are none."""
    return tuple(map(door_mark, door_ids)) or (ALL_DOORS,)


def issue(granted: Pass, private_key: bytes) -> str:
    """Return the text of the QR code, signed with a raw Ed25519 private key (32 bytes, and its site).

    Raises `ValueError` naming the field that does not fit: a pass for so many uses names its doors, since
    each door counts alone.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key, site = private_key[:KEY_BYTES], private_key[KEY_BYTES:]
    body = _encode(granted, SITE_VERSION if site else VERSION)
    signature = Ed25519PrivateKey.from_private_bytes(key).sign(_context(site) + body)
    return PREFIX + base64.b32encode(body + signature).decode()


def pass_public_key(private_key: bytes) -> bytes:
    """Return the raw public key (32 bytes, and its site) that belongs to a raw private one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(private_key[:KEY_BYTES])
    return key.public_key().public_bytes_raw() + private_key[KEY_BYTES:]


def read_pass(text: str, public_keys: Iterable[bytes]) -> Pass | None:
    """Return the pass written in `text` when one of `public_keys` (raw, and its site) signed it, else None.

    Whatever else a QR code says is not looked at.
    """
    token = _unwrap(text)
    if token is None:
        return None
    body, signature = token[: BODY.size], token[BODY.size :]
    if not any(_is_signed(body, signature, key) for key in public_keys):
        return None
    # Asked again although `issue` refuses it: another program with the site's key may have signed this one.
    shown = _decode(body)
    return None if shown is None or shown.valid_until - shown.valid_from > LONGEST else shown


def is_like_a_pass(text: str) -> bool:
    """Return whether a code's text begins as a pass does; nothing else of it is looked at."""
    return text.startswith(PREFIX)


def pasted_pass(text: str) -> str:
    """Return the text of the pass in what somebody pasted, else `text` as it stands.

    Chat programs wrap it, put blanks and signs without a shape into it, quote it and write a word before it.
    """
    signs = _NEVER_IN_ONE.sub("", unicodedata.normalize("NFKC", text).upper())
    found = _ONE.search(signs)
    return text if found is None else found[0]


def public_key_of(text: str) -> bytes:
    """Return a public key from its text: Base64, and `@site` if it is one's. Raises `ValueError`."""
    encoded, _, site = text.partition("@")
    key = base64.b64decode(encoded, validate=True)
    if len(key) != KEY_BYTES or len(site.encode()) > MOST_SITE_BYTES or (site and not site.isprintable()):
        raise ValueError("no public key")
    return key + site.encode()


def public_key_text(key: bytes) -> str:
    """Return the text of a raw public key and its site."""
    site = key[KEY_BYTES:].decode()
    return base64.b64encode(key[:KEY_BYTES]).decode() + (f"@{site}" if site else "")


def _context(site: bytes) -> bytes:
    return SITE_CONTEXT + site + b"\0" if site else CONTEXT


def _unwrap(text: str) -> bytes | None:
    if len(text) != TEXT_LENGTH or not text.startswith(PREFIX):
        return None
    try:
        return base64.b32decode(text[len(PREFIX) :])
    except (binascii.Error, ValueError):
        return None


def _is_signed(body: bytes, signature: bytes, public_key: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only who shows a pass pays
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    site = public_key[KEY_BYTES:]
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key[:KEY_BYTES])
        key.verify(signature, _context(site) + body)
    except InvalidSignature:
        return False
    # The version is inside the signed body: a pass of a site key cannot be shown as one without a site.
    return body[0] == (SITE_VERSION if site else VERSION)


def _encode(granted: Pass, version: int) -> bytes:
    host = granted.host_id.encode()
    _require(len(granted.id) == 8, f"pass id: 8 bytes are wanted, not {len(granted.id)}")
    _require(
        0 < len(host) <= HOST_BYTES and b"\0" not in host,
        f"host: {granted.host_id!r} has {len(host)} bytes of UTF-8, and a pass has room for {HOST_BYTES}"
        " (28 letters, or 9 Chinese characters); give the person a shorter number",
    )
    _require(granted.valid_from >= MIN_TIME, "valid_from: must not be before 1970")
    _require(granted.valid_from < granted.valid_until, "valid_until: must be after valid_from")
    span = granted.valid_until - granted.valid_from
    _require(
        span <= LONGEST and granted.valid_until <= MAX_TIME,
        f"valid_until: at most {LONGEST.days} days after valid_from",
    )
    _require(
        not granted.max_uses or ALL_DOORS not in granted.door_marks,
        "doors: name the doors of a pass for so many uses; each counts alone, so for every door it is none",
    )
    _require(0 <= granted.max_uses <= 255, f"max_uses: {granted.max_uses} is not in 0..255")
    _require(1 <= len(granted.door_marks) <= MAX_DOORS, f"doors: at most {MAX_DOORS}, or none for every door")
    return BODY.pack(
        version,
        granted.kind,
        granted.id,
        int(granted.valid_from.timestamp()),
        int(granted.valid_until.timestamp()),
        granted.max_uses,
        b"".join(granted.door_marks),
        host,
    )


def _require(holds: bool, complaint: str) -> None:  # noqa: FBT001
    if not holds:
        raise ValueError(complaint)


def _decode(body: bytes) -> Pass | None:
    version, kind, pass_id, begin, end, max_uses, doors, host = BODY.unpack(body)
    # Signed, but of a later version: what its other fields mean is not known here.
    if version not in (VERSION, SITE_VERSION) or kind > max(PassKind):
        return None
    marks = (doors[n : n + DOOR_BYTES] for n in range(0, len(doors), DOOR_BYTES))
    return Pass(
        id=pass_id,
        host_id=host.rstrip(b"\0").decode(errors="replace"),
        valid_from=datetime.fromtimestamp(begin, UTC),
        valid_until=datetime.fromtimestamp(end, UTC),
        max_uses=max_uses,
        kind=PassKind(kind),
        door_marks=tuple(mark for mark in marks if mark != NO_DOOR),
    )
