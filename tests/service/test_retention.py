"""Faces whose time is up go by themselves, and the journal says so."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.consent.retention import Expiry
from edge.consent.rules import Statement, consent_from
from edge.domain import EventDraft, Resident, Template
from edge.errors import JournalUnavailable
from edge.runtime.clock import ManualClock
from edge.service.chores.retention import FaceKeeping, erase_expired
from edge.store.consents import ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def template(resident_id, enrolled_at):
    vector = np.zeros(8, np.float32)
    vector[0] = 1
    return Template(resident_id, vector, "m", enrolled_at)


@pytest.fixture
def store(tmp_path):
    old = NOW - timedelta(days=366)
    with closing(ResidentStore(tmp_path / "residents.db")) as opened:
        opened.put(Resident("unused", "A"), [template("unused", old)])
        opened.put(Resident("used", "B"), [template("used", old)])
        visitor = Resident("visitor", "C", valid_until=NOW - timedelta(minutes=1))
        opened.put(visitor, [template("visitor", NOW - timedelta(days=2))])
        yield opened


def test_unused_and_expired_faces_go_and_people_stay(store):
    events = []

    expired = erase_expired(store, {"used": NOW - timedelta(days=1)}, ManualClock(NOW), events.append)

    assert expired == [Expiry("unused", "unused"), Expiry("visitor", "validity_ended")]
    assert [(event.kind, event.resident_id) for event in events] == [
        ("face.erased", "unused"),
        ("face.erased", "visitor"),
    ]
    assert store.templates_of("unused") == ()
    assert store.templates_of("used")
    assert store.sealer.people() == ("used",)
    assert store.get("unused").name == "A"
    assert erase_expired(store, {"used": NOW}, ManualClock(NOW), events.append) == []


def test_one_whose_key_is_gone_does_not_keep_the_others_faces(store):
    """A backup may bring back templates that nothing opens any more."""
    store.sealer.forget("used")
    expired = erase_expired(store, {"used": NOW}, ManualClock(NOW), lambda _: None)
    assert [one.resident_id for one in expired] == ["unused", "visitor"]


def test_what_cannot_be_recorded_is_not_erased(store):
    def full(_):
        raise JournalUnavailable("disk full")

    with pytest.raises(JournalUnavailable):
        erase_expired(store, {}, ManualClock(NOW), full)
    assert store.templates_of("unused")


def enrolled(store, ledger, resident_id, at, **fields):
    consent = consent_from(Statement(resident_id, agrees=True), "ines", at)
    ledger.record(consent)
    row = replace(template(resident_id, at), consent_id=consent.id)
    store.put(Resident(resident_id, resident_id.title(), **fields), [row])


def test_who_came_by_face_stays_though_the_journal_has_forgotten(tmp_path):
    clock, old = ManualClock(NOW), NOW - timedelta(days=300)
    opened = SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    with (
        closing(ResidentStore(tmp_path / "residents.db")) as store,
        closing(ConsentLedger(tmp_path / "consents.db")) as ledger,
        closing(opened) as journal,
    ):
        for who in ("came", "typed", "away"):
            enrolled(store, ledger, who, old)
        journal.append(EventDraft("access.granted", NOW, 0.0, "came", "granted", {"method": "face"}))
        journal.append(EventDraft("access.granted", NOW, 0.0, "typed", "granted", {"method": "pin"}))
        keeping = FaceKeeping(tmp_path, clock, journal.append)
        assert keeping.prune(clock.now()) == 0
        ledger.note_uses({"away": NOW - timedelta(days=40)})  # the journal of then is gone
        clock.advance(100 * 86_400)

        assert keeping.prune(clock.now()) == 1
        erased = [event for event in journal.read() if event.kind == "face.erased"]
        assert [(event.resident_id, event.data["why"]) for event in erased] == [("typed", "unused")]
        assert store.templates_of("came")
        assert store.templates_of("away")


def test_a_withdrawal_cut_short_is_finished_at_the_start(tmp_path, caplog):
    with (
        closing(ResidentStore(tmp_path / "residents.db")) as store,
        closing(ConsentLedger(tmp_path / "consents.db")) as ledger,
    ):
        enrolled(store, ledger, "anna", NOW)
        enrolled(store, ledger, "otto", NOW)
        ledger.withdraw("anna", NOW)  # and here the power went
        FaceKeeping(tmp_path, ManualClock(NOW), lambda _: None).begin()

        assert store.templates_of("anna") == ()
        assert store.templates_of("otto")
    assert "anna: a withdrawal cut short was finished" in caplog.text
