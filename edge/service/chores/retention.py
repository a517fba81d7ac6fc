"""The timer behind the notice: faces whose time is up are erased without anybody asking."""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.consent.retention import UNUSED_DAYS, Expiry, due
from edge.consent.rules import PURPOSE
from edge.domain import EventDraft
from edge.enrol.leaving import LeavingDesk, unfinished
from edge.enrol.ways_in import WaysIn
from edge.errors import StoreError
from edge.events import Kind
from edge.policy.methods import Method
from edge.store.consents import CONSENTS_FILE, ConsentLedger, FaceAge, erase_face, people_with_faces
from edge.store.leftovers import clear_leftovers
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.ports import Clock
    from edge.store.reader import LastGrant

logger = logging.getLogger(__name__)

SHARE = 20
"""At most one face in so many is erased on one day, and at least one."""

MOST_STAMP_SECONDS = (UNUSED_DAYS - 30) * 86_400.0

FACE_METHODS = (Method.FACE.value, Method.FACE_PIN.value)


def erase_expired(
    store: ResidentStore,
    unused_seconds: Mapping[str, float],
    certain: datetime | None,
    clock: Clock,
    record: Callable[[EventDraft], object],
    as_of: int,
) -> list[Expiry]:
    """Erase the faces of who left or never came, each with an event first; return whose and why.

    See `due` for `unused_seconds` and `certain`; these are of version `as_of` of the store, and whoever was
    enrolled again or given other rights since is left alone. Call it once a day: it erases one day's share
    and leaves the rest for tomorrow, so that people can stop what should not happen. The person, PIN and
    card stay.
    """
    expired = due(store.list(), unused_seconds, certain)
    # A wrong clock or a lost journal must not erase a whole house in one night.
    share = max(1, len(unused_seconds) // SHARE)
    if len(expired) > share:
        logger.warning("%d faces are to be erased; %d today, the others follow", len(expired), share)
    gone = []
    for one in expired[:share]:
        if one.resident_id in store.changes_since(as_of).put:
            continue
        # Committed first: an erasure that nobody can be told of does not happen.
        record(EventDraft.now(clock, Kind.FACE_ERASED, {"why": one.why}, resident_id=one.resident_id))
        erase_face(store, one.resident_id, as_of)
        gone.append(one)
    return gone


def aged(
    known: Mapping[str, FaceAge],
    seen: Mapping[str, FaceMarks],
    ran_seconds: float,
) -> dict[str, FaceAge]:
    """Return since when each face in `seen` has not been used.

    One that was enrolled again or let in since the last look was used just now. A journal that has
    forgotten its grants changes nothing. A face that was never looked at begins with its stamps' age, at
    most a month short of the year: a stamp made under a wrong clock must erase nothing.
    """
    ages = {}
    for who, marks in seen.items():
        age = known.get(who)
        grant = marks.last_grant or (age.last_grant if age is not None else "")
        if age is None or age.since > ran_seconds:
            since = ran_seconds - min(max(marks.stamp_age_seconds, 0.0), MOST_STAMP_SECONDS)
            ages[who] = FaceAge(marks.enrolled, grant, since)
        elif (age.enrolled, age.last_grant) != (marks.enrolled, grant):
            ages[who] = FaceAge(marks.enrolled, grant, ran_seconds)
        else:
            ages[who] = age
    return ages


@dataclass(frozen=True, slots=True)
class FaceMarks:
    """What names the last use of a face, and how old its stamps claim to be (0: not known)."""

    enrolled: str
    last_grant: str
    stamp_age_seconds: float = 0.0


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

    `record` commits an event of the journal, `ran_seconds` is how long the door has run over all its
    starts. Raises `StoreError` or `JournalUnavailable`.
    """

    data: Path
    clock: Clock
    record: Callable[[EventDraft], object]
    ran_seconds: Callable[[], float]

    def begin(self) -> bool:
        """Finish what a power cut interrupted; False, and a log line, where the card does not let it be done.

        Needs no clock.
        """
        try:
            clear_leftovers(self.data)
            with self._opened() as (store, consents):
                for resident_id in finish_withdrawals(store, consents):
                    logger.warning("%s: a withdrawal cut short was finished", resident_id)
                if unfinished(self.data):
                    with WaysIn.of(self.data) as ways:
                        LeavingDesk(store, consents, ways, self.clock, self.record).finish()
        # Of the journal, too. Who has withdrawn is not matched all the same.
        except (StoreError, OSError) as error:
            logger.error("withdrawals and removals cannot be finished now: %s", error)  # noqa: TRY400
            return False
        return True

    def prune(self, certain: datetime | None) -> int:
        """Remember who came by face lately, erase the faces whose time is up; return how many."""
        ran = self.ran_seconds()
        with self._opened() as (store, consents):
            as_of = store.version()
            with closing(JournalReader(self.data / JOURNAL_FILE)) as journal:
                grants = journal.last_grants(FACE_METHODS)
            consents.note_uses({who: grant.at for who, grant in grants.items()})
            marks = _marks(store.last_enrolled(), consents.last_used(), grants, certain)
            ages = aged(consents.ages(), marks, ran)
            consents.keep_ages(ages)
            unused = {who: ran - age.since for who, age in ages.items()}
            return len(erase_expired(store, unused, certain, self.clock, self.record, as_of))

    @contextmanager
    def _opened(self) -> Iterator[tuple[ResidentStore, ConsentLedger]]:
        with (
            closing(ResidentStore(self.data / RESIDENTS_FILE)) as store,
            closing(ConsentLedger(self.data / CONSENTS_FILE)) as consents,
        ):
            yield store, consents


def _marks(
    enrolled: Mapping[str, datetime],
    last_used: Mapping[str, datetime],
    grants: Mapping[str, LastGrant],
    certain: datetime | None,
) -> dict[str, FaceMarks]:
    marks = {}
    for who, at in enrolled.items():
        newest = max(at, last_used.get(who, at))
        age = 0.0 if certain is None else (certain - newest).total_seconds()
        grant = grants[who].mark if who in grants else ""
        marks[who] = FaceMarks(at.isoformat(), grant, age)
    return marks
