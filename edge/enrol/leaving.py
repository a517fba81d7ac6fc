"""Somebody moves out: ways in taken back, consents ended, the face erased, the person gone; in that order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.errors import PanelRefused
from edge.events import Kind
from edge.store.roster import SOURCE
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.enrol.ways_in import WaysIn
    from edge.ports import Clock, EventWriter
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore


@dataclass(frozen=True, slots=True)
class LeavingDesk:
    """Where people move out: one door's records. `events` is where it is written down first.

    `elsewhere` as in `edge.enrol.withdrawal.WithdrawalDesk`.
    """

    store: ResidentStore
    consents: ConsentLedger
    ways: WaysIn
    clock: Clock
    events: EventWriter
    elsewhere: Callable[[str, datetime], object] = lambda _resident_id, _at: ()

    def move_out(self, resident_id: str, by: str) -> None:
        """Remove a person and everything they open the door with; what is left of them is the journal.

        The next person with the same id has none of it. After a power cut in between it can be done again.
        Raises `JournalUnavailable` before anything is done, and `PanelRefused` for somebody whom the
        property's roster would only bring back.
        """
        if self.store.source_of(resident_id) == SOURCE:
            raise PanelRefused(message("error.moved_by_property", who=resident_id))
        draft = EventDraft.now(self.clock, Kind.RESIDENT_REMOVED, {"by": by}, resident_id=resident_id)
        self.events.commit(draft)
        # The person goes last: until then it can be seen that something is left to do, and done again.
        self.ways.take_all(resident_id)
        at = self.clock.now()
        self.elsewhere(resident_id, at)
        self.consents.withdraw(resident_id, at)
        self.store.remove(resident_id)
