"""The receipt of a withdrawal: signed by the door, kept by the resident, checked by anybody."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import ConsentRefused
from edge.words import say, zone_name

if TYPE_CHECKING:
    from datetime import tzinfo

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PREFIX = "FGR1"
"""Version of the receipt's form, and what tells its QR code from a visitor pass."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was destroyed. `withdrawn_at` is ISO 8601 UTC, `key` the destroyed key's fingerprint.

    `asked` are other doors that knew the face and were asked to erase it. When the last of them has, a
    second receipt names them as `answered`.
    """

    door: str
    resident_id: str
    withdrawn_at: str
    templates: int
    consents: int
    key: str
    asked: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


def signed(receipt: Receipt, key: Ed25519PrivateKey) -> str:
    """Return the receipt as one line of ASCII: prefix, content and Ed25519 signature, dot-separated."""
    # Empty lists are left out, so that a receipt of a door that shares no faces reads as those of older
    # versions.
    fields = {name: value for name, value in asdict(receipt).items() if value != ()}
    body = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return ".".join((PREFIX, _text(body), _text(key.sign(PREFIX.encode() + body))))


def verified(line: str, key: Ed25519PublicKey) -> Receipt:
    """Return the receipt in `line`. Raises `ConsentRefused` unless this door signed exactly this."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - only when one is checked

    try:
        # Base64 for URLs has no dot, so a line has exactly three parts.
        prefix, body_text, signature = line.strip().split(".")
        if prefix != PREFIX:
            raise ConsentRefused(f"{prefix[:16]!r} begins no receipt of this version ({PREFIX})")
        body = _bytes(body_text)
        key.verify(_bytes(signature), prefix.encode() + body)
        fields = json.loads(body)
        doors = {name: tuple(fields[name]) for name in ("asked", "answered") if name in fields}
        return Receipt(**(fields | doors))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ConsentRefused("not a receipt that this door signed; compare it with the paper") from error


def line_in(page: str) -> str:
    """Return the signed line of a printed page. Raises `ConsentRefused` when there is none."""
    for line in page.splitlines():
        if line.strip().startswith(f"{PREFIX}."):
            return line.strip()
    raise ConsentRefused(f"no receipt in it: one line has to begin with {PREFIX}.")


def public_text(key: Ed25519PublicKey) -> str:
    """Return a door's public key as text to publish."""
    return _text(key.public_bytes_raw())


def public_key(text: str) -> Ed25519PublicKey:
    """Return the key that `public_text` wrote. Raises `ConsentRefused` for anything else."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - as above

    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(text.strip()))
    except ValueError as error:
        raise ConsentRefused("not a door's public key; see facegate consent receipt-key") from error


def printed(receipt: Receipt, line: str, language: str = "en", zone: tzinfo = UTC) -> str:
    """Return the receipt as a page of text in the time of `zone`, the signed line below."""
    at = datetime.fromisoformat(receipt.withdrawn_at).astimezone(zone)
    facts = asdict(receipt) | {"at": f"{at:%Y-%m-%d %H:%M:%S}", "zone": zone_name(zone, language)}
    elsewhere = "".join(
        say(f"receipt.{what}", language, doors=", ".join(doors))
        for what, doors in (("asked", receipt.asked), ("answered", receipt.answered))
        if doors
    )
    return say("receipt.page", language, **facts, elsewhere=elsewhere, line=line)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    # The padding that `_text` left out; validate: without it Python skips characters that are not Base64.
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
