"""The timer behind the notice: faces whose time is up are erased without anybody asking."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.consent.retention import UNUSED_DAYS, Expiry, due
from edge.consent.rules import PURPOSE
from edge.domain import EventDraft
from edge.errors import StoreError
from edge.events import Kind
from edge.policy.methods import Method
from edge.store.backup import clear_leftovers
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face, people_with_faces
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.ports import Clock

logger = logging.getLogger(__name__)

FACE_METHODS = (Method.FACE.value, Method.FACE_PIN.value)


def erase_expired(
    store: ResidentStore,
    last_used: Mapping[str, datetime],
    clock: Clock,
    record: Callable[[EventDraft], object],
    unused_days: int = UNUSED_DAYS,
) -> list[Expiry]:
    """Erase the faces of who left or never came, each with an event first; return whose and why.

    `last_used` is the last grant per resident. Call it once a day, and only while the clock is
    trusted: a clock years ahead would erase everybody. The person, PIN and card stay.
    """
    expired = due(store.list(), store.last_enrolled(), last_used, clock.now(), unused_days)
    for one in expired:
        record(EventDraft.now(clock, Kind.FACE_ERASED, {"why": one.why}, resident_id=one.resident_id))
        erase_face(store, one.resident_id)
    return expired


def finish_withdrawals(store: ResidentStore, consents: ConsentLedger) -> list[str]:
    """Erase the faces of who has withdrawn, in case the power went in between; return who."""
    suspects = sorted(consents.withdrawn() & people_with_faces(store))
    unfinished = [who for who in suspects if any(one.purpose == PURPOSE for one in consents.of(who))]
    for resident_id in unfinished:
        erase_face(store, resident_id)
    return unfinished


@dataclass(frozen=True, slots=True)
class FaceKeeping:
    """The faces of one data folder, kept no longer than they may be. One thread at a time.

    `record` commits an event of the journal. Raises `StoreError` or `JournalUnavailable`.
    """

    data: Path
    clock: Clock
    record: Callable[[EventDraft], object]

    def begin(self) -> None:
        """Finish what a power cut interrupted, or log why not; needs no clock."""
        clear_leftovers(self.data)
        try:
            with self._opened() as (store, consents):
                for resident_id in finish_withdrawals(store, consents):
                    logger.warning("%s: a withdrawal cut short was finished", resident_id)
        except StoreError as error:  # who has withdrawn is not matched all the same
            logger.error("withdrawals cannot be finished now: %s", error)  # noqa: TRY400

    def prune(self, _now: datetime) -> int:
        """Remember who came by face lately, erase the faces whose time is up; return how many."""
        with self._opened() as (store, consents):
            with closing(JournalReader(self.data / JOURNAL_FILE)) as journal:
                consents.note_uses(journal.last_grants(FACE_METHODS))
            return len(erase_expired(store, consents.last_used(), self.clock, self.record))

    @contextmanager
    def _opened(self) -> Iterator[tuple[ResidentStore, ConsentLedger]]:
        with (
            closing(ResidentStore(self.data / RESIDENTS_FILE)) as store,
            closing(ConsentLedger(self.data / CONSENTS_FILE)) as consents,
        ):
            yield store, consents
