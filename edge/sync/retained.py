"""Retained messages of the property for one door: taken when signed, for this door and not too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from edge.errors import SyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.wire.signing import TrustedKeys


class ForOneDoor(Protocol):
    """What says which door it is for."""

    @property
    def device(self) -> str:
        """The door's id."""


M = TypeVar("M", bound=ForOneDoor)


@dataclass(frozen=True, slots=True)
class Authentic:
    """Reads what the property signed for a door: `what` names it, `purpose` is that of its signature.

    `most_bytes` are those of the whole message, with the signature.
    """

    keys: TrustedKeys
    device: str
    what: str
    purpose: str
    most_bytes: int

    def read(self, payload: bytes, parse: Callable[[bytes], M]) -> M:
        """Return what a message says. Raises `SyncError` for what is too long, not signed, or not for us."""
        if len(payload) > self.most_bytes:
            raise SyncError(f"{self.what}: {len(payload)} bytes; at most {self.most_bytes}")
        told = parse(self.keys.open(payload, self.purpose))
        if told.device != self.device:
            raise SyncError(f"{self.what}: signed for {told.device[:64]!r}, not for this door")
        return told
