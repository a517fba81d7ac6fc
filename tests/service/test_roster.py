"""The gallery follows residents and consents: who may be matched is matched, and nobody else, at once."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.consent.rules import Statement, consent_from
from edge.domain import Reason, Resident, Template
from edge.matcher.gallery import LiveGallery
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.roster import GalleryFollower
from edge.store.consents import CONSENTS_FILE, ConsentLedger, bind_consent, erase_face
from edge.store.residents import ResidentStore

if TYPE_CHECKING:
    from edge.events import Kind

AT = datetime(2026, 1, 5, tzinfo=UTC)


def template(resident_id, axis, consent_id=None, kind="shot"):
    vector = np.zeros(8, np.float32)
    vector[axis] = 1
    return Template(resident_id, vector, "m", AT, kind, consent_id)


class Door:
    """A door's files, changed as panel and commands change them: over connections of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.told: list[tuple[Kind, dict[str, Any]]] = []
        self.store = ResidentStore(folder / "residents.db")
        self.office = ResidentStore(folder / "residents.db")
        self.ledger = ConsentLedger(folder / CONSENTS_FILE)
        self.gallery = LiveGallery("m", 8)
        consents = FollowedConsents(lambda: ConsentLedger(folder / CONSENTS_FILE))
        self.follower = GalleryFollower(
            self.store, self.gallery, consents, lambda kind, data: self.told.append((kind, data))
        )

    def enrol(self, resident_id, axis, *, agrees=True):
        consent = consent_from(Statement(resident_id, agrees=True), "installer", AT)
        if agrees:
            self.ledger.record(consent)
        bound = consent.id if agrees else None
        self.office.put(Resident(resident_id, resident_id.title()), [template(resident_id, axis, bound)])
        return consent

    def matched(self):
        self.follower.refresh()
        return {who for who in ("anna", "otto", "mei") if who in self.gallery}

    def close(self):
        for one in (self.store, self.office, self.ledger):
            one.close()


@pytest.fixture
def door(tmp_path):
    with closing(Door(tmp_path)) as opened:
        yield opened


def test_only_who_agreed_is_matched_and_the_journal_says_who_is_not(door, caplog):
    door.enrol("anna", 0)
    door.enrol("otto", 1, agrees=False)

    assert door.matched() == {"anna"}
    assert door.follower.objections == {"otto": Reason.CONSENT_MISSING}
    [(kind, data)] = door.told
    assert kind == "health.consent"
    assert (data["state"], data["residents"], data["who"]) == ("missing", 1, ["otto"])
    assert "facegate consent record" in data["way_out"]
    assert "otto (consent_missing)" in caplog.text
    door.matched()
    assert len(door.told) == 1  # told once, not every half second


def test_a_consent_recorded_later_counts_at_once(door):
    door.enrol("otto", 1, agrees=False)
    assert door.matched() == set()
    consent = consent_from(Statement("otto", agrees=True), "installer", AT)
    door.ledger.record(consent)
    assert bind_consent(door.office, consent) == 1

    assert door.matched() == {"otto"}
    assert door.told[-1] == ("health.consent", {"state": "ok"})


def test_a_withdrawal_counts_at_once_even_before_the_templates_are_erased(door):
    door.enrol("anna", 0)
    door.enrol("mei", 2)
    assert door.matched() == {"anna", "mei"}
    door.ledger.withdraw("anna", AT)

    assert door.matched() == {"mei"}
    erase_face(door.office, "anna")
    assert door.matched() == {"mei"}
    assert door.follower.objections == {}


def test_templates_written_before_their_consent_is_seen_are_matched_in_the_end(door):
    consent = consent_from(Statement("anna", agrees=True), "installer", AT)
    door.office.put(Resident("anna", "Anna"), [template("anna", 0, consent.id)])
    assert door.matched() == set()
    door.ledger.record(consent)

    assert door.matched() == {"anna"}


def test_somebody_elses_consent_opens_nothing(door):
    consent = door.enrol("anna", 0)
    door.office.put(Resident("otto", "Otto"), [template("otto", 1, consent.id)])

    assert door.matched() == {"anna"}


def test_while_the_ledger_cannot_be_read_nobody_is_matched_and_all_come_back(door, tmp_path):
    door.enrol("anna", 0)
    assert door.matched() == {"anna"}
    door.follower._consents._ledger.close()  # as a card that fails

    assert door.matched() == set()
    assert door.gallery.residents == 0
    assert door.told[-1][1]["state"] == "unreadable"
    assert door.matched() == {"anna"}
    assert door.told[-1] == ("health.consent", {"state": "ok"})


def test_a_damaged_ledger_at_the_start_is_told_and_does_not_stop_the_door(door, tmp_path):
    door.enrol("anna", 0)
    door.ledger.close()
    (tmp_path / CONSENTS_FILE).write_bytes(b"not a database" * 1000)

    door.follower.load()
    assert door.matched() == set()
    assert door.told[-1][1]["state"] == "unreadable"
    assert "restore or remove" in door.told[-1][1]["error"]


def test_one_whose_key_is_gone_is_left_out_and_the_others_come_in(door, caplog):
    door.enrol("anna", 0)
    door.enrol("mei", 2)
    door.office.sealer.forget("anna")  # a backup brought her templates back, and not her key

    assert door.matched() == {"mei"}
    assert "anna is not matched" in caplog.text


def test_the_mean_is_what_is_compared_and_a_removed_resident_is_forgotten(door):
    consent = door.enrol("anna", 0)
    rows = [template("anna", 0, consent.id), template("anna", 1, consent.id, "mean")]
    door.office.put(Resident("anna", "Anna"), rows)
    assert door.matched() == {"anna"}
    assert door.gallery.templates == 1
    door.office.remove("anna")

    assert door.matched() == set()
