"""For how long faces from elsewhere count at a door that hears nothing of the property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.service.sharing.ties import SharingTies

LEASE_SECONDS = 7 * 86_400.0
"""Of the door's running time, so that setting a clock neither ends nor prolongs it."""
CONFIRMED = "confirmed"


class SharingLease:
    """Holds for seven days of running after the property answered a nonce of this door. One thread.

    It is not renewed while the property tells of a newer door list than we have (`is_list_newest`): a
    list that somebody withholds ends the lease.
    """

    def __init__(self, ties: SharingTies, is_list_newest: Callable[[], bool]) -> None:
        self._ties = ties
        self._is_list_newest = is_list_newest
        self._at, self._ran = _read(ties.book.note(CONFIRMED))
        self.holds = self._is_within()
        """Whether faces from elsewhere count. Any thread."""

    def look(self) -> None:
        """Take a new confirmation, and say when the lease ends or is back. Raises `StoreError`."""
        confirmed = self._ties.roster.confirmed_at()
        at = confirmed.isoformat() if confirmed else ""
        if at and at != self._at and self._is_list_newest():
            self._at, self._ran = at, self._ties.ran_seconds()
            self._ties.book.keep_note(CONFIRMED, f"{self._ran:.0f} {at}")
        before, self.holds = self.holds, self._is_within()
        if before != self.holds:
            self._ties.tell(Kind.HEALTH_SHARING, state="ok" if self.holds else "lease_over")

    def _is_within(self) -> bool:
        # -1: what is kept is rounded to whole seconds. Further back, the clock file was lost.
        return bool(self._at) and -1 <= self._ties.ran_seconds() - self._ran < LEASE_SECONDS


def _read(note: str | None) -> tuple[str, float]:
    ran, _, at = (note or "0 ").partition(" ")
    return at, float(ran)
