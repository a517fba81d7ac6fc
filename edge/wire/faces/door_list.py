"""The site's doors as its offline authority lists them: who may enrol for others, who may receive.

Signed by the key of the authority (ECDSA, P-256): the hub cannot make itself a door. The highest number
counts, for ever; who is not in the newest list is out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.errors import ConfigError, SyncError
from edge.wire.compound import Listing, Table
from edge.wire.faces.certificate import DOOR, SITE, canonical
from edge.wire.messages import VERSION, parse_object, parse_shaped
from edge.wire.shapes import Exactly, Text, Whole, Word

if TYPE_CHECKING:
    from pathlib import Path

PURPOSE = b"facegate/v1 doors\n"
MAX_LIST_BYTES = 256 * 1024
MOST_LISTED = 500
MOST_FORMER = 4
ENROLS, RECEIVES = "enrols", "receives"
ROLES = (ENROLS, RECEIVES)
KEY = Text(44, 44, "[A-Za-z0-9+/]{43}=", about="Ed25519 public key, base64")

_DOOR = Table(
    {
        "id": DOOR,
        "roles": Listing(Word(ROLES), 2, about="enrols: for others, too; receives: from others"),
        "key": KEY,
        "former": Listing(KEY, MOST_FORMER, about="earlier keys whose certificates still count"),
    }
)
SHAPE = Table(
    {
        "v": Exactly(VERSION),
        "number": Whole(1, about="the highest counts, for ever"),
        "site": SITE,
        "doors": Listing(_DOOR, MOST_LISTED),
    },
    about="the doors that share faces; signed by the site's authority, not by the hub",
)
SIGNED_LIST = Table(
    {
        "p": Text(MAX_LIST_BYTES, pattern="[A-Za-z0-9+/]*={0,2}", about="base64 of the list's JSON"),
        "sig": Text(128, pattern="[A-Za-z0-9+/]*={0,2}", about="base64 of the authority's signature"),
    },
    about="a list of doors with the authority's signature (ECDSA P-256, SHA-256)",
)


@dataclass(frozen=True, slots=True)
class ListedDoor:
    """One door: its id, roles, and the Ed25519 keys (32 bytes) it signs with and signed with before."""

    id: str
    roles: frozenset[str]
    key: bytes
    former: tuple[bytes, ...] = ()

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Every key whose certificates count."""
        return (self.key, *self.former)


@dataclass(frozen=True, slots=True)
class DoorList:
    """The doors of a site by id, as of the list `number`; 0 is the empty one that was never signed."""

    site: str
    number: int = 0
    doors: dict[str, ListedDoor] = field(default_factory=dict)

    SHAPE: ClassVar = SHAPE

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        doors = [
            {
                "id": one.id,
                "roles": sorted(one.roles),
                "key": _text(one.key),
                "former": [_text(key) for key in one.former],
            }
            for one in sorted(self.doors.values(), key=lambda one: one.id)
        ]
        return canonical({"v": VERSION, "number": self.number, "site": self.site, "doors": doors})

    @classmethod
    def parse(cls, body: bytes) -> DoorList:
        """Return the list in these signed bytes, or raise `SyncError`."""
        fields = parse_shaped(SHAPE, body, "doors")
        doors = {
            row["id"]: ListedDoor(
                row["id"], frozenset(row["roles"]), _bytes(row["key"]), tuple(map(_bytes, row["former"]))
            )
            for row in fields["doors"]
        }
        if len(doors) != len(fields["doors"]):
            raise SyncError("doors: one stands twice in the list")
        return cls(fields["site"], fields["number"], doors)

    def has_role(self, door: str, role: str) -> bool:
        """Return whether this door is listed with the role."""
        return door in self.doors and role in self.doors[door].roles


class DoorListAuthority:
    """What a door trusts to list doors: the certificate of its site's authority.

    Raises `ConfigError` for a certificate that is none of ours.
    """

    def __init__(self, certificate_pem: bytes) -> None:
        try:
            key = x509.load_pem_x509_certificate(certificate_pem).public_key()
        except ValueError as error:
            raise ConfigError(f"the authority's certificate cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ConfigError("the authority's certificate has not the kind of key that lists doors")
        self._key = key
        # Of the key and not of the certificate: that one changes when it is renewed.
        public = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.site = hashlib.sha256(public).hexdigest()
        """Names the site; a renewed certificate keeps it."""

    @classmethod
    def load(cls, path: Path) -> DoorListAuthority:
        """Return the authority whose certificate lies in `path`."""
        try:
            return cls(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: the authority's certificate cannot be read: {error}") from error

    def open(self, payload: bytes) -> DoorList:
        """Return the list in a signed message. Raises `SyncError` unless this authority signed it."""
        if len(payload) > MAX_LIST_BYTES:
            raise SyncError(f"doors: {len(payload)} bytes; at most {MAX_LIST_BYTES}")
        fields = parse_object(payload)
        if flaw := SIGNED_LIST.flaw(fields):
            raise SyncError(f"doors{flaw}")
        body = _bytes(fields["p"])
        try:
            self._key.verify(_bytes(fields["sig"]), PURPOSE + body, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise SyncError("doors: the list is not signed by this site's authority") from None
        found = DoorList.parse(body)
        if found.site != self.site:
            raise SyncError("doors: a list of another site")
        return found


def signed_list(doors: DoorList, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the list with the authority's signature, as it travels."""
    body = doors.encode()
    signature = key.sign(PURPOSE + body, ec.ECDSA(hashes.SHA256()))
    return json.dumps({"p": _text(body), "sig": _text(signature)}).encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SyncError("doors: not base64") from error
