"""Consent on the command line: nobody is enrolled without one, and it ends with a receipt."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.consent.receipt import verified
from edge.domain import EventDraft, Resident, Template
from edge.events import Kind
from edge.store.consents import ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from edge.web.tls import signing_key

AT = datetime(2026, 1, 5, tzinfo=UTC)


class Door:
    def __init__(self, data):
        self.data = data

    def run(self, *words, ok=True):
        done = CliRunner().invoke(app, [*words, "--data", str(self.data)])
        assert (done.exit_code == 0) is ok, done.output + repr(done.exception)
        return done.output if ok else done.output + str(done.exception)

    def consents(self, resident_id):
        with closing(ConsentLedger(self.data / "consents.db")) as ledger:
            return ledger.of(resident_id)

    def templates(self, resident_id):
        with closing(ResidentStore(self.data / "residents.db")) as store:
            return store.templates_of(resident_id)

    def enrolled_long_ago(self, *residents):
        """As a version before the ledger left it."""
        vector = np.zeros(8, np.float32)
        vector[0] = 1
        with closing(ResidentStore(self.data / "residents.db")) as store:
            for who in residents:
                store.put(Resident(who, who), [Template(who, vector, "m", AT)])

    def has_run(self):
        with closing(self.journal()) as journal:
            journal.append(EventDraft(Kind.SERVICE_STARTED, AT, 0.0))

    def journal(self):
        path = self.data / "journal.db"
        return SqliteJournal(path, "north", boot="b", clock_trust=lambda: "synced")

    def events(self):
        with closing(self.journal()) as journal:
            return [(one.kind, one.resident_id, one.door_id) for one in journal.read()]


@pytest.fixture
def door(tmp_path):
    (tmp_path / "data").mkdir()
    return Door(tmp_path / "data")


@pytest.fixture
def encodings(tmp_path):
    rows = np.random.default_rng(1).normal(scale=0.12, size=(2, 128)).astype(np.float32)
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"anna": rows[0].tolist(), "otto": rows[1].tolist()}))
    return path


def test_enrolling_without_a_consent_is_refused_and_says_what_to_write(door, tmp_path):
    photo = tmp_path / "li.jpg"
    photo.write_bytes(b"never read")

    text = door.run("enrol", "add", "flat-1203", str(photo), ok=False)

    assert "flat-1203: no consent is on record" in text
    assert re.search(r"--consent signed-paper-20\d\d-\d\d", text)
    assert door.templates("flat-1203") == ()


def test_an_import_needs_everybodys_consent_once(door, encodings):
    assert "no consent is on record" in door.run("enrol", "import-encodings", str(encodings), ok=False)
    door.run(
        "enrol", "import-encodings", str(encodings), "--consent", "binder 3", "--consent-by", "ines",
        "--consent-on", "2026-03-14",
    )  # fmt: skip

    [consent] = door.consents("anna")
    assert consent.recorded_by == "ines (binder 3)"
    assert consent.given_at == datetime(2026, 3, 14, tzinfo=UTC)
    assert {one.consent_id for one in door.templates("anna")} == {consent.id}
    door.run("enrol", "import-encodings", str(encodings))  # enrolled anew: it is on record already
    assert len(door.consents("anna")) == 1


def test_imported_people_can_be_numbered_so_that_no_event_carries_a_name(door, encodings):
    words = ("enrol", "import-encodings", str(encodings), "--ids", "flat", "--consent", "binder 3")
    door.has_run()
    door.run(*words)
    door.run(*words)  # again: the same people

    people = [json.loads(line) for line in door.run("enrol", "list", "--json").splitlines()]
    assert [(one["id"], one["name"]) for one in people] == [("flat-1", "anna"), ("flat-2", "otto")]
    assert {who for _, who, _ in door.events()} == {None, "flat-1", "flat-2"}


def test_an_import_asks_whose_face_it_is_where_two_have_the_name(door, encodings):
    for who in ("flat-7", "flat-8"):
        door.run("pin", "set", who, "--number", who[-1], "--name", "anna")

    words = ("enrol", "import-encodings", str(encodings), "--ids", "flat", "--consent", "binder 3")
    assert "several people here have this name" in door.run(*words, ok=False)

    assert not door.templates("flat-8"), "it may be the other one's"


def test_an_import_never_puts_another_persons_face_under_an_id(door, encodings):
    words = ("enrol", "import-encodings", str(encodings))
    door.run(*words, "--consent", "binder 3")
    before = [one.embedding.tolist() for one in door.templates("otto")]
    rows = json.loads(encodings.read_text())
    rows["otto"], rows["zoe"] = rows["anna"], rows["otto"]
    encodings.write_text(json.dumps(rows))

    told = door.run(*words, "--consent", "binder 4", "--replace", ok=False)

    assert "not the person enrolled as otto" in told
    assert "facegate consent withdraw otto" in told
    assert [one.embedding.tolist() for one in door.templates("otto")] == before
    assert not door.templates("zoe"), "nobody of the file was imported"
    assert [one.withdrawn_at for one in door.consents("anna")] == [None]


def test_the_same_person_imported_again_has_one_consent(door, encodings):
    words = ("enrol", "import-encodings", str(encodings))
    door.has_run()
    door.run(*words, "--consent", "binder 3")
    assert "2 in place of an earlier face" in door.run(*words, "--consent", "binder 4")

    assert [one.withdrawn_at is None for one in door.consents("anna")] == [False, True]
    assert ("consent.ended", "anna", "north") in door.events()


def test_a_face_of_another_model_is_replaced_only_when_somebody_checked(door, encodings):
    door.enrolled_long_ago("anna")
    words = ("enrol", "import-encodings", str(encodings), "--consent", "binder 3")
    assert "cannot be compared" in door.run(*words, ok=False)
    assert not door.templates("otto")
    door.run(*words, "--replace")
    assert {one.model_id for one in door.templates("anna")} != {"m"}


def test_a_consent_recorded_again_takes_the_place_of_the_older_one(door):
    door.enrolled_long_ago("anna")
    door.run("consent", "record", "anna", "--consent", "binder 3")
    door.run("consent", "record", "anna", "--greeting", "--consent", "binder 3")
    door.run("consent", "record", "anna", "--consent", "binder 4")

    standing = [one for one in door.consents("anna") if one.withdrawn_at is None]
    assert {one.purpose for one in standing} == {"door", "greeting"}
    assert len(standing) == 2
    assert {one.consent_id for one in door.templates("anna")} <= {one.id for one in standing}


def test_a_consent_of_tomorrow_is_refused(door, encodings):
    words = ("enrol", "import-encodings", str(encodings), "--consent", "x", "--consent-on", "2999-01-01")
    assert "given before it is recorded" in door.run(*words, ok=False)


def test_a_door_from_before_the_ledger_is_told_who_is_missing_and_recorded_in_one_go(door):
    door.enrolled_long_ago("anna", "otto")
    door.has_run()
    missing = door.run("consent", "list", "--missing").split()
    assert missing == ["anna", "otto"]
    assert "no consent on record" in door.run("consent", "list")

    door.run("consent", "record", *missing, "--consent", "binder 3")

    assert door.run("consent", "list", "--missing") == ""
    shown = json.loads(door.run("consent", "list", "--json").splitlines()[0])
    assert (shown["id"], shown["face"]) == ("anna", "matched")
    assert door.events()[1:] == [("consent.recorded", "anna", "north"), ("consent.recorded", "otto", "north")]


def test_recording_needs_to_know_where_and_who(door):
    door.enrolled_long_ago("anna")

    assert "say where" in door.run("consent", "record", "anna", ok=False)
    assert "no such resident" in door.run("consent", "record", "nobody", "--consent", "x", ok=False)


def test_a_withdrawal_erases_and_prints_a_receipt_that_can_be_checked(door):
    door.enrolled_long_ago("anna")
    door.has_run()
    door.run("consent", "record", "anna", "--consent", "x")

    text = door.run("consent", "withdraw", "anna")

    line = text.strip().splitlines()[-1]
    receipt = verified(line, signing_key(door.data / "receipt.key").public_key())
    assert (receipt.resident_id, receipt.door, receipt.templates, receipt.consents) == ("anna", "north", 1, 1)
    assert door.templates("anna") == ()
    assert [kind for kind, *_ in door.events()][-2:] == ["consent.withdrawn", "face.erased"]
    assert "no face" in door.run("consent", "list")


def test_a_child_needs_a_guardian_who_is_on_record(door):
    door.enrolled_long_ago("mei")
    door.run("consent", "record", "mei", "--consent", "x", "--guardian", "Li Wei", "--language", "zh")

    [consent] = door.consents("mei")
    assert (consent.is_minor, consent.guardian, consent.language) == (True, "Li Wei", "zh")


def test_being_welcomed_by_name_is_a_consent_of_its_own_that_lets_nobody_in(door):
    door.enrolled_long_ago("anna")
    door.run("consent", "record", "anna", "--greeting", "--consent", "x")

    assert [one.purpose for one in door.consents("anna")] == ["greeting"]
    assert door.run("consent", "list", "--missing").split() == ["anna"]


def test_removing_somebody_ends_the_consents_too(door):
    door.enrolled_long_ago("anna")
    door.run("consent", "record", "anna", "--consent", "x")
    door.run("enrol", "remove", "anna")

    assert [one.withdrawn_at is None for one in door.consents("anna")] == [False]
    assert "no such resident" in door.run("enrol", "remove", "anna", ok=False)


def test_the_notice_is_printed_to_be_signed(door):
    done = CliRunner().invoke(app, ["consent", "notice", "--language", "zh"])

    assert "人脸" in done.output
    assert "2026-2" in done.output
