"""Retained messages of the property for one door: taken when signed, for this door and not too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from edge.errors import FacegateError, StoreError, SyncError

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
        # First, as a signature takes the longer to check the more there is.
        if len(payload) > self.most_bytes:
            raise SyncError(f"{self.what}: {len(payload)} bytes; at most {self.most_bytes}")
        told = parse(self.keys.open(payload, self.purpose))
        # What another door was sent is as well signed, and whoever has the broker can hand it to us.
        if told.device != self.device:
            raise SyncError(f"{self.what}: signed for {told.device[:64]!r}, not for this door")
        return told


class Revised(Protocol):
    """What says which revision it is; a larger one is newer."""

    @property
    def rev(self) -> int:
        """The revision."""


R = TypeVar("R", bound=Revised)


class NewestKept(Generic[R]):
    """Hands each message to `keep`, and tries again with the newest that the card did not take. One thread.

    A broker sends a retained message once for each connection, so waiting for the next one may take weeks.
    """

    def __init__(self, keep: Callable[[R], object]) -> None:
        self._keep = keep
        self._owed: R | None = None

    def take(self, told: R) -> None:
        """Have `told` kept, or a newer one that is owed. Raises what `keep` raises."""
        # An older message, played back while the card fails, must not take the place of the one that is owed.
        newest = told if self._owed is None or told.rev >= self._owed.rev else self._owed
        try:
            self._keep(newest)
        except StoreError:
            self._owed = newest
            raise
        except FacegateError:
            self._owed = None  # refused for good: it is not tried again
            raise
        self._owed = None

    def try_again(self) -> None:
        """Have kept what is owed, if anything is. Raises what `keep` raises."""
        if self._owed is not None:
            self.take(self._owed)
