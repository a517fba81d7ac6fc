"""Which doors of a site share faces: asked for by each door, listed by the offline authority alone.

ca/doors.json   the signed list; the newest number counts at every door, for ever
hub/doors.json  the copy that the hub hands out
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.durable import write_whole
from edge.errors import ConfigError, SyncError
from edge.site.authority import Authority
from edge.wire.compound import Table
from edge.wire.faces.certificate import DOOR
from edge.wire.faces.door_list import KEY, MOST_FORMER, DoorList, DoorListAuthority, ListedDoor
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LIST_FILE = "doors.json"
REQUEST = Table({"v": Exactly(VERSION), "door": DOOR, "key": KEY})


@dataclass(frozen=True, slots=True)
class SharingRequest:
    """What a door asks for: to be listed with its Ed25519 public key (32 bytes)."""

    door: str
    key: bytes

    @property
    def fingerprint(self) -> str:
        """What the installer compares, read aloud at the door: 32 hex digits in groups of four."""
        digest = hashlib.sha256(b"facegate door key\n" + self.door.encode() + b"\n" + self.key).hexdigest()
        return "-".join(digest[place : place + 4] for place in range(0, 32, 4))

    def encode(self) -> bytes:
        """Return the content of the request's file."""
        fields = {"v": VERSION, "door": self.door, "key": base64.b64encode(self.key).decode()}
        return json.dumps(fields).encode()

    @classmethod
    def parse(cls, content: bytes) -> SharingRequest:
        """Return the request in a file, or raise `ConfigError`."""
        try:
            fields = parse_shaped(REQUEST, content, "request")
        except SyncError as error:
            raise ConfigError(f"{error}; give the file that `facegate sharing request` wrote") from error
        return cls(fields["door"], base64.b64decode(fields["key"]))


class SharingDoors:
    """The list of doors that share faces, in the folder of a site. Raises `ConfigError`.

    `now` is seconds since 1970: a list made after the folder came back from a backup is above the lost one.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now

    def listed(self) -> DoorList:
        """Return the newest list; the empty one of number 0 when there is none yet."""
        trust = DoorListAuthority(Authority.open(self._folder / "ca").certificate_pem)
        path = self._folder / "ca" / LIST_FILE
        if not path.exists():
            return DoorList(trust.site)
        try:
            return trust.open(path.read_bytes())
        except (OSError, SyncError) as error:
            raise ConfigError(f"{path}: {error}; copy it back from the hub's folder") from error

    def accept(
        self, request: SharingRequest, fingerprint: str, roles: Iterable[str], *, keeps_former: bool = False
    ) -> DoorList:
        """List the door with these roles and return the new list.

        `fingerprint` is what the door itself shows. With `keeps_former` faces enrolled with the door's
        former key go on counting: its board was replaced, and not stolen.
        """
        if _plain(fingerprint) != _plain(request.fingerprint):
            raise ConfigError(
                f"{request.door}: this request has another fingerprint; take file and fingerprint from the "
                "door itself: facegate sharing request"
            )
        old = self.listed()
        before = old.doors.get(request.door)
        former: tuple[bytes, ...] = ()
        if keeps_former and before is not None:
            former = tuple(key for key in before.keys if key != request.key)[:MOST_FORMER]
        door = ListedDoor(request.door, frozenset(roles), request.key, former)
        return self._write(replace(old, doors={**old.doors, door.id: door}))

    def exclude(self, door: str) -> DoorList:
        """Take a door off the list and return the new one: nothing it signed counts any more."""
        old = self.listed()
        if door not in old.doors:
            listed = ", ".join(sorted(old.doors)) or "no door"
            raise ConfigError(f"{door!r} shares no faces; the list has {listed}")
        return self._write(replace(old, doors={name: one for name, one in old.doors.items() if name != door}))

    def exclude_if_listed(self, door: str) -> None:
        """Do so when there is such a door: what revoking it means, too."""
        if (self._folder / "ca" / LIST_FILE).exists() and door in self.listed().doors:
            self.exclude(door)

    def _write(self, doors: DoorList) -> DoorList:
        made = replace(doors, number=max(doors.number + 1, int(self._now())))
        payload = Authority.open(self._folder / "ca").sign_doors(made)
        # The authority's copy first: cut short in between, the hub goes on with the older list.
        write_whole(self._folder / "ca" / LIST_FILE, payload)
        write_whole(self._folder / "hub" / LIST_FILE, payload)
        return made


def _plain(fingerprint: str) -> str:
    return "".join(sign for sign in fingerprint.lower() if sign.isalnum())
