"""What the hub's parts need of the signer, as types: they know neither its socket nor its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import RosterState

    RosterStates: TypeAlias = tuple[RosterState, RosterState]
    """The roster as doors know it that read certificates of faces, and as others do."""
    ApproveRoster: TypeAlias = Callable[[RosterState | None, RosterStates], None]
    """Asks for the roster to go from one state (None: whatever it was) to others."""
    ApproveWish: TypeAlias = Callable[[tuple[str, int, str]], None]
    """Asks for settings: (door, revision, SHA-256 of what will be signed)."""


@dataclass(frozen=True, slots=True)
class FacesListed:
    """A change of the roster that lists faces and does nothing else, with all that proves it.

    `lines` are (id, revision, SHA-256 of the record, SHA-256 of it without faces) of the roster before;
    `records` are (id, text before, text after), in the order of their revisions.
    """

    before: RosterState
    lines: list[tuple[str, int, str, str]]
    records: list[tuple[str, str, str]]


class Signs(Protocol):
    """Who signs messages about roster and settings."""

    def sign(self, body: bytes, purpose: str) -> bytes:
        """Return the signed message. Raises `SyncError` when nobody who may has asked for it."""
