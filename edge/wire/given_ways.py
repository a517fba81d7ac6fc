"""PINs and cards that the property gives from afar: sealed for one door, signed, and fresh.

A door asks, with a nonce and a proof by its certificate; the property answers with every order that the door
has not settled. What opens the door is sealed by HPKE (RFC 9180, base mode) for the key of that certificate:
broker and hub carry ciphertext. The answer to a nonce is no recording: nothing comes back by being replayed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge.errors import SyncError
from edge.wire.compound import Listing, Maybe, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.proof import MOST_PROOF, sealed_for
from edge.wire.shapes import Exactly, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec

    from edge.wire.proof import Identity

Way: TypeAlias = Literal["pin", "card"]

PURPOSE = "ways"
"""Purpose of the property's signature."""
ASK_PURPOSE = "ways-ask"
"""Purpose of the door's proof."""
INFO = b"facegate way 1"
MOST_ORDERS = 32
MOST_SEALED = 600
MAX_BYTES = 48 * 1024
MOST_SECRET_BYTES = 256

_NONCE = Text(64, about="used once; begins with the milliseconds since 1970 by the door's clock, and a dot")
ORDER = Table(
    {
        "number": Whole(about="grows: of two orders for one person the later one counts"),
        "person": Text(128),
        "way": Text(4, pattern="(pin|card)"),
        "after": Whole(about="the person's `ways_ended`, 0 for none: what was ended later ends this, too"),
        "by": Text(64, about="who gave it"),
        "sealed": Text(MOST_SEALED, about="base64: the PIN with its number, or the card"),
    }
)
_SECRET = Text(MOST_SECRET_BYTES, least=0, is_free=True)
SECRETS = {"pin": Table({"number": _SECRET, "pin": _SECRET}), "card": Table({"card": _SECRET})}
"""What is sealed, by way; the door's own rules of PINs and cards come after."""
GIVEN = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "nonce": _NONCE,
        "orders": Listing(ORDER, MOST_ORDERS, about="what this door has not settled yet, in order"),
    }
)
SETTLED = Table({"number": Whole(), "why": Maybe(Text(40, about="why it was refused; null: it was taken"))})
WAYS_ASK = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64),
        "nonce": _NONCE,
        "upto": Whole(about="the last order that this door keeps; lower than before: it was restored"),
        "settled": Listing(SETTLED, MOST_ORDERS, about="what became of the orders it was told"),
        "proof": Text(MOST_PROOF, about="of all other fields: certificate and signature, as of events"),
    },
    is_open=True,
)


@dataclass(frozen=True, slots=True)
class WayOrder:
    """One PIN or card for one person at one door. `sealed` is base64."""

    number: int
    person: str
    way: Way
    after: int
    by: str
    sealed: str = ""

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def digest(self, device: str) -> str:
        """Return the SHA-256 that stands for this order at this door."""
        return hashlib.sha256(_canonical({**self.fields(), "device": device})).hexdigest()

    def info(self, device: str) -> bytes:
        """Return what the secret is bound to: the door, the person and everything else of the order."""
        bound = {**self.fields(), "device": device}
        # The ciphertext cannot be part of what it is bound to.
        del bound["sealed"]
        return INFO + b"\0" + hashlib.sha256(_canonical(bound)).digest()

    def closed(self, device: str, key: ec.EllipticCurvePublicKey, secret: Mapping[str, str]) -> WayOrder:
        """Return the order with its secret sealed for the door whose key this is."""
        sealed = sealed_for(key, _canonical(dict(secret)), self.info(device))
        text = base64.b64encode(sealed).decode()
        return WayOrder(self.number, self.person, self.way, self.after, self.by, text)

    def opened(self, device: str, identity: Identity) -> dict[str, str]:
        """Return the secret. Raises `SyncError` when it is sealed for somebody else, or was changed."""
        try:
            sealed = base64.b64decode(self.sealed, validate=True)
        except (binascii.Error, ValueError):
            raise SyncError("ways: not base64") from None
        plain = identity.unsealed(sealed, self.info(device))
        if len(plain) > MOST_SECRET_BYTES:
            raise SyncError(f"ways: a secret of {len(plain)} bytes")
        return parse_shaped(SECRETS[self.way], plain, f"ways: {self.way}")


@dataclass(frozen=True, slots=True)
class GivenWays:
    """The property's answer to a door's question: every order that it has not settled."""

    device: str
    nonce: str
    orders: tuple[WayOrder, ...]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        orders = [one.fields() for one in self.orders]
        return _canonical({"v": VERSION, "device": self.device, "nonce": self.nonce, "orders": orders})

    @classmethod
    def parse(cls, body: bytes) -> GivenWays:
        """Return what these signed bytes say, or raise `SyncError`."""
        fields = parse_shaped(GIVEN, body, "ways/in")
        return cls(fields["device"], fields["nonce"], tuple(WayOrder(**one) for one in fields["orders"]))


@dataclass(frozen=True, slots=True)
class WaysAsk:
    """A door's question. `settled` is order -> why it was refused, None for one that was taken."""

    device: str
    nonce: str
    upto: int
    settled: Mapping[int, str | None]

    @property
    def asked_at(self) -> int | None:
        """The milliseconds since 1970 by the door's clock when it asked; None of an older version."""
        begins, dot, _ = self.nonce.partition(".")
        return int(begins) if dot and begins.isascii() and begins.isdecimal() and len(begins) < 16 else None

    @property
    def body(self) -> bytes:
        """The bytes that the door proves."""
        return _canonical(self._fields())

    def encode(self, proof: str) -> bytes:
        """Return the payload of `ways/ask`."""
        return _canonical({**self._fields(), "proof": proof})

    @classmethod
    def parse(cls, payload: bytes) -> tuple[WaysAsk, str]:
        """Return a door's question and its proof, or raise `SyncError`."""
        if len(payload) > MAX_BYTES:
            raise SyncError(f"ways/ask: {len(payload)} bytes; at most {MAX_BYTES}")
        fields = parse_shaped(WAYS_ASK, payload, "ways/ask")
        settled = {one["number"]: one["why"] for one in fields["settled"]}
        return cls(fields["device"], fields["nonce"], fields["upto"], settled), fields["proof"]

    def _fields(self) -> dict[str, Any]:
        settled = [{"number": number, "why": why} for number, why in sorted(self.settled.items())]
        return {
            "v": VERSION,
            "device": self.device,
            "nonce": self.nonce,
            "upto": self.upto,
            "settled": settled,
        }


def new_nonce(at: datetime) -> str:
    """Return a nonce that tells when it was made: who keeps the last one knows what is a recording."""
    return f"{int(at.timestamp() * 1000)}.{secrets.token_urlsafe(24)}"


def _canonical(fields: Mapping[str, Any]) -> bytes:
    # Sorted and without blanks, so that both sides get the same bytes to sign, bind and hash.
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
