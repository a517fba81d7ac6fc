"""Faces whose time is up go by themselves, and the journal says so; no clock makes a face old."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.consent.retention import UNUSED_DAYS, Expiry
from edge.consent.rules import Statement, consent_from
from edge.domain import EventDraft, Resident, Template
from edge.errors import JournalUnavailable
from edge.events import Kind
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import TrustedTime
from edge.service.chores.retention import FaceKeeping, erase_expired
from edge.store.consents import ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = 86_400.0
YEAR = UNUSED_DAYS * DAY


def template(resident_id, enrolled_at):
    vector = np.zeros(8, np.float32)
    vector[0] = 1
    return Template(resident_id, vector, "m", enrolled_at)


@pytest.fixture
def store(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as opened:
        opened.put(Resident("unused", "A"), [template("unused", NOW)])
        opened.put(Resident("used", "B"), [template("used", NOW)])
        visitor = Resident("visitor", "C", valid_until=NOW - timedelta(minutes=1))
        opened.put(visitor, [template("visitor", NOW - timedelta(days=2))])
        yield opened


def erase(store, unused_seconds, certain, record):
    return erase_expired(store, unused_seconds, certain, ManualClock(NOW), record, store.version())


def test_an_unused_face_goes_and_the_person_stays(store):
    events: list[EventDraft] = []

    expired = erase(store, {"unused": YEAR, "used": YEAR - 1.0}, None, events.append)

    assert expired == [Expiry("unused", "unused")]
    assert [(event.kind, event.resident_id) for event in events] == [("face.erased", "unused")]
    assert store.templates_of("unused") == ()
    assert store.templates_of("used")
    assert store.sealer.people() == ("used", "visitor")
    assert store.get("unused").name == "A"


def test_a_validity_is_over_only_at_a_certain_time(store):
    faces = dict.fromkeys(("unused", "used", "visitor"), 0.0)
    assert erase(store, faces, None, lambda _: None) == []
    assert erase(store, faces, NOW, lambda _: None) == [Expiry("visitor", "validity_ended")]


def test_whoever_was_changed_since_the_look_keeps_their_face(store):
    events: list[EventDraft] = []
    as_of, faces = store.version(), dict.fromkeys(("unused", "used", "visitor"), 0.0)
    store.put_people([Resident("visitor", "C", valid_until=NOW + timedelta(days=9))])
    stale = {**faces, "unused": YEAR}
    store.put(Resident("unused", "A"), [template("unused", NOW)])
    assert erase_expired(store, stale, NOW, ManualClock(NOW), events.append, as_of) == []
    assert events == []
    assert len(store.templates_of("unused")) == 1


def test_an_enrolment_while_the_erasure_is_written_down_is_kept(store):
    def enrols_again(_draft: EventDraft) -> None:
        store.put(Resident("unused", "A"), [template("unused", NOW)])

    assert erase(store, {"unused": YEAR}, None, enrols_again) == [Expiry("unused", "unused")]
    assert len(store.templates_of("unused")) == 1


def test_no_more_than_a_days_share_goes_at_once(store):
    for n in range(40):
        store.put(Resident(f"flat-{n}", "X"), [template(f"flat-{n}", NOW)])
    faces = dict.fromkeys(store.last_enrolled(), YEAR)
    assert len(erase(store, faces, NOW, lambda _: None)) == 2


def test_one_whose_key_is_gone_does_not_keep_the_others_faces(store):
    """A backup may bring back templates that nothing opens any more."""
    store.sealer.forget("used")
    assert [one.resident_id for one in erase(store, {"unused": YEAR}, NOW, lambda _: None)] == ["unused"]


def test_what_cannot_be_recorded_is_not_erased(store):
    def full(_):
        raise JournalUnavailable("disk full")

    with pytest.raises(JournalUnavailable):
        erase(store, {"unused": YEAR}, NOW, full)
    assert store.templates_of("unused")


def enrolled(store, ledger, resident_id, at, **fields):
    consent = consent_from(Statement(resident_id, agrees=True), "ines", at)
    ledger.record(consent)
    row = replace(template(resident_id, at), consent_id=consent.id)
    store.put(Resident(resident_id, resident_id.title(), **fields), [row])


class Folder:
    """A door's folder, its clock and its daily chore."""

    def __init__(self, path, now=NOW, trust="synced", stack=None):
        self.path, self.clock = path, ManualClock(now)
        self.store = stack.enter_context(closing(ResidentStore(path / "residents.db")))
        self.ledger = stack.enter_context(closing(ConsentLedger(path / "consents.db")))
        opened = SqliteJournal(path / "journal.db", "north", boot="b", clock_trust=lambda: trust)
        self.journal = stack.enter_context(closing(opened))
        self.keeping = FaceKeeping(path, self.clock, self.journal.append, self.clock.monotonic)

    def enrol(self, *people, at=None):
        for who in people:
            enrolled(self.store, self.ledger, who, at or self.clock.now())

    def came(self, who, method="face"):
        draft = EventDraft(Kind.ACCESS_GRANTED, self.clock.now(), 0.0, who, "granted", {"method": method})
        self.journal.append(draft)

    def prune(self, certain=None):
        return self.keeping.prune(certain)

    def erased(self):
        return [event.resident_id for event in self.journal.read(0, 10_000) if event.kind == "face.erased"]


@pytest.fixture
def folder(tmp_path):
    with ExitStack() as stack:
        yield Folder(tmp_path, stack=stack)


def test_a_year_of_running_without_use_erases_and_a_use_begins_it_anew(folder):
    folder.enrol("came", "typed")
    folder.prune()
    folder.clock.advance(200 * DAY)
    folder.came("came")
    folder.came("typed", "pin")
    folder.prune()
    folder.clock.advance(166 * DAY)

    assert folder.prune() == 1
    assert folder.erased() == ["typed"]
    assert folder.store.templates_of("came")
    assert folder.ledger.last_used()["came"] == NOW + timedelta(days=200)


def test_a_journal_that_has_forgotten_its_grants_begins_nothing_anew(folder, tmp_path):
    folder.enrol("came")
    folder.came("came")
    folder.prune()
    folder.clock.advance(300 * DAY)
    (kept,) = folder.ledger.ages().values()
    folder.journal.close()
    (tmp_path / "journal.db").unlink()
    with closing(SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")):
        folder.prune()
    assert folder.ledger.ages() == {"came": kept}


def test_enrolling_again_begins_it_anew(folder):
    folder.enrol("anna")
    folder.prune()
    folder.clock.advance(364 * DAY)
    folder.enrol("anna")
    folder.prune()
    folder.clock.advance(300 * DAY)
    assert folder.prune() == 0


def test_a_door_that_never_knows_the_time_keeps_what_the_notice_promises(folder):
    folder.enrol("anna", at=datetime(1970, 1, 2, tzinfo=UTC))
    folder.came("anna")
    for _ in range(4):
        assert folder.prune(None) == 0
        folder.clock.advance(100 * DAY)
    assert folder.ledger.last_used()["anna"] == NOW
    assert folder.prune(None) == 1


def test_the_time_that_arrives_ages_no_stamp_made_before(folder):
    """Enrolled and let in while the wall clock was 14 months behind; then NTP answers."""
    folder.clock.step_wall(-430 * DAY)
    folder.enrol("anna", "otto")
    folder.came("anna")
    folder.clock.step_wall(430 * DAY)
    for _ in range(29):
        assert folder.prune(folder.clock.now()) == 0
        folder.clock.advance(DAY)


def test_an_upgraded_door_takes_old_stamps_for_old_but_waits_a_month(folder):
    folder.enrol("anna", at=NOW - timedelta(days=700))
    assert folder.prune(NOW) == 0
    folder.clock.advance(30 * DAY)
    assert folder.prune(folder.clock.now()) == 1


def test_a_running_time_that_was_lost_erases_nothing(folder):
    folder.clock.advance(500 * DAY)
    folder.enrol("anna")
    folder.prune()
    fresh = FaceKeeping(folder.path, folder.clock, folder.journal.append, lambda: 0.0)
    assert fresh.prune(None) == 0
    assert folder.ledger.ages()["anna"].since == 0.0


@pytest.mark.parametrize(
    ("wrong", "is_synced", "has_rtc"),
    [
        (timedelta(days=366), False, False),
        (timedelta(days=700), True, False),
        (timedelta(days=26_000), False, True),
        (timedelta(days=366), True, True),
    ],
)
def test_a_clock_that_leaps_ahead_erases_nothing(folder, tmp_path, wrong, is_synced, has_rtc):
    folder.enrol("anna", "otto", "mei")
    folder.came("anna")
    (tmp_path / "floor").write_text(NOW.isoformat() + "\n")
    folder.clock.step_wall(wrong.total_seconds())
    time = TrustedTime(folder.clock, tmp_path / "floor", lambda: is_synced, has_rtc=has_rtc)
    for _ in range(40):
        time.checkpoint()
        assert folder.prune(time.certain) == 0
        folder.clock.advance(3600.0)
    assert folder.journal.verify() == 1


def test_a_withdrawal_cut_short_is_finished_at_the_start(tmp_path, caplog):
    with (
        closing(ResidentStore(tmp_path / "residents.db")) as store,
        closing(ConsentLedger(tmp_path / "consents.db")) as ledger,
    ):
        enrolled(store, ledger, "anna", NOW)
        enrolled(store, ledger, "otto", NOW)
        ledger.withdraw("anna", NOW)  # and here the power went
        FaceKeeping(tmp_path, ManualClock(NOW), lambda _: None, lambda: 0.0).begin()

        assert store.templates_of("anna") == ()
        assert store.templates_of("otto")
    assert "anna: a withdrawal cut short was finished" in caplog.text
