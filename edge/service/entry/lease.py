"""The roster's lease, where a site wants one: a door that hears nothing for long lets only a few in.

Without a lease a door whose network was cut would go on letting in people whom the property has removed.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from edge.aside import Aside, TooSlow
from edge.errors import StoreError
from edge.floods import FloodLimit
from edge.policy.trust import is_certain
from edge.store.roster import SqliteRoster

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.domain import Resident
    from edge.policy.trust import Trust
    from edge.ports import Clock
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

STANDING = "standing"
"""The access level of people who keep their rights without a network: the caretaker, the fire brigade."""


class RosterLease:
    """Ends the rights of the property's people `days` after it last confirmed the roster. Any thread.

    `find` is the roster without a lease. People whom only the door knows, and those with the level
    `standing`, keep their rights. The lease needs the time: while the clock is not believed it does not
    end. A confirmation heard since the start counts by the monotonic clock, so that a wall clock set right
    in one leap keeps nobody out. Call `look` every second; it says when the lease ends and is back.
    """

    def __init__(
        self,
        find: Callable[[str], Resident | None],
        store: ResidentStore,
        clock: Clock,
        trust: Trust,
        days: float,
    ) -> None:
        self._find = find
        self._aside = Aside("lease")
        self._roster = SqliteRoster(store)
        self._enrolled_here: tuple[str, ...] = ()
        self._clock = clock
        self._trust = trust
        self._lease = timedelta(days=days)
        self._lines = FloodLimit(1)
        self._confirmed = self._read(None)
        self._pending()  # known before the card may fail
        self._heard_at: float | None = None
        self._is_over = False

    def find(self, resident_id: str) -> Resident | None:
        """Return the resident, expired when the lease is over, or None when there is none of that id."""
        resident = self._find(resident_id)
        ended = self.ended
        if resident is None or ended is None or STANDING in resident.access_levels:
            return resident
        if resident_id in self._pending():
            return resident
        until = resident.valid_until
        # Expired, not missing: the journal then says that the right has ended, and since when.
        return replace(resident, valid_until=ended if until is None else min(until, ended))

    @property
    def ended(self) -> datetime | None:
        """When the lease ended; None while it holds."""
        now = self._clock.now()
        if self._confirmed is None or not is_certain(self._trust, now):
            return None
        # By the monotonic clock: the wall clock may have been set right by years since.
        if self._heard_at is not None and self._since(self._heard_at) < self._lease:
            return None
        end = self._confirmed + self._lease
        return end if end <= now else None

    def look(self) -> dict[str, Any] | None:
        """Take a confirmation; return the data of a `health.roster` event when the lease ends or is back."""
        confirmed = self._read(self._confirmed)
        if confirmed != self._confirmed:
            self._confirmed, self._heard_at = confirmed, self._clock.monotonic()
        was_over, self._is_over = self._is_over, self.ended is not None
        if was_over == self._is_over or confirmed is None:
            return None
        state = "lease_over" if self._is_over else "ok"
        return {"state": state, "confirmed": confirmed.isoformat()}

    def _since(self, mono: float) -> timedelta:
        return timedelta(seconds=self._clock.monotonic() - mono)

    def _read(self, otherwise: datetime | None) -> datetime | None:
        try:
            return self._aside.ask(self._roster.confirmed_at)
        except (StoreError, TooSlow) as error:
            if self._lines.tell(self._clock.monotonic()) is not None:  # asked every second
                logger.error("the roster's lease is as it was: %s", error)  # noqa: TRY400 - one clear line
            return otherwise

    def _pending(self) -> tuple[str, ...]:
        """Return who was enrolled here, on a card that cannot be read as it was read last."""
        with suppress(StoreError, TooSlow):
            self._enrolled_here = self._aside.ask(self._roster.pending)
        return self._enrolled_here
