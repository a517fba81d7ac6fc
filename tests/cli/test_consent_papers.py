"""What a person may ask for: his data complete, nobody else's, and a receipt that proves itself."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import Consent, EventDraft, Resident, Template
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.person import FORMAT
from edge.store.residents import RESIDENTS_FILE, ResidentStore

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def run(*words, code=0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


def draft(kind, who, **data):
    return EventDraft(kind, AT, 1.0, who, None, data)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "door"
    folder.mkdir()
    with closing(ResidentStore(folder / RESIDENTS_FILE)) as store:
        for n, who in enumerate(("anna", "otto")):
            vector = np.random.default_rng(n).normal(size=128).astype(np.float32)
            shot = Template(who, vector / np.linalg.norm(vector), "m1", AT, consent_id=f"c-{who}")
            store.put(Resident(who, who.title() + " 安娜", ("resident", "gym"), valid_until=AT), [shot])
    with closing(ConsentLedger(folder / CONSENTS_FILE)) as ledger:
        for who in ("anna", "otto"):
            row = Consent(f"c-{who}", who, AT, "2026-1", "zh", "door", "desk-1", is_minor=True, guardian="Li")
            ledger.record(row)
        ledger.note_uses({"anna": AT})
    with closing(SqliteJournal(folder / "journal.db", "gate", boot="b", clock_trust=lambda: "synced")) as log:
        log.append(draft("access.granted", "anna", method="face"))
        log.append(draft("access.granted", "otto", method="face"))
        log.append(draft("access.granted", None, method="pass", host="anna"))
        log.append(draft("door.opened", None))
    run("card", "add", "w26:1:2", "anna", "--data", folder)
    run("card", "add", "w26:3:4", "otto", "--data", folder)
    run("pin", "set", "anna", "--number", "1203", "--data", folder)
    return folder


def test_everything_about_one_person_and_nothing_about_another(data):
    text = run("consent", "export", "anna", "--data", data)
    found = json.loads(text)
    assert found["format"] == FORMAT
    assert (found["resident"]["name"], found["resident"]["access_levels"]) == (
        "Anna 安娜",
        ["resident", "gym"],
    )
    assert found["resident"]["valid_until"] == found["face_last_used"] == AT.isoformat()
    (shot,) = found["resident"]["templates"]
    assert (shot["model_id"], shot["consent_id"], len(shot["embedding"])) == ("m1", "c-anna", 128)
    (consent,) = found["consents"]
    assert (consent["guardian"], consent["recorded_by"], consent["withdrawn_at"]) == ("Li", "desk-1", None)
    assert found["credentials"] == {"pins": [{"number": "1203", "is_duress": False}], "cards": ["w26:1:2"]}
    assert [event["type"] for event in found["events"]] == [
        *("access.granted", "access.granted"),
        *("credential.given", "credential.given"),
    ]
    assert found["events"][1]["data"]["host"] == "anna", "whom he invited"
    assert "otto" not in text.lower()
    assert "w26:3:4" not in text


def test_asking_is_an_event_and_goes_to_a_file(data, tmp_path):
    run("consent", "export", "anna", "--out", tmp_path / "anna.json", "--data", data)
    assert json.loads((tmp_path / "anna.json").read_text())["resident"]["id"] == "anna"
    again = json.loads(run("consent", "export", "anna", "--data", data))
    assert again["events"][-1]["type"] == "resident.exported"


def test_nobody_has_no_data(data):
    assert "no such resident" in run("consent", "export", "nobody", "--data", data, code=1)


def test_after_a_restore_the_events_before_it_are_there_too(data, tmp_path):
    (tmp_path / "words").write_text("correct horse battery")
    words = ["--passphrase-file", tmp_path / "words"]
    run("backup", tmp_path / "f", "--data", data, *words)
    run("restore", tmp_path / "f", "--data", tmp_path / "new", *words)
    found = json.loads(run("consent", "export", "anna", "--data", tmp_path / "new"))
    assert [event["type"] for event in found["events"]][:2] == ["access.granted", "access.granted"]


@pytest.fixture
def page(data, tmp_path):
    (tmp_path / "page").write_text(run("consent", "withdraw", "anna", "--language", "zh", "--data", data))
    return tmp_path / "page"


def test_a_receipt_is_genuine_for_the_door_and_for_whoever_has_its_public_key(data, page, tmp_path):
    said = run("consent", "verify-receipt", page, "--data", data)
    assert said.startswith("genuine: gate erased 1 template(s) of anna at ")
    key = run("consent", "receipt-key", "--data", data).strip()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run("consent", "verify-receipt", page, "--key", key, "--data", elsewhere) == said
    assert json.loads(run("consent", "export", "anna", "--data", data))["receipt"] in page.read_text()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("FGR1.", "FGR1.A"), "not a receipt that this door signed"),
        (lambda text: "anything", "no receipt in it"),
    ],
)
def test_a_changed_receipt_is_none(data, page, change, why):
    page.write_text(change(page.read_text()))
    done = CliRunner().invoke(app, ["consent", "verify-receipt", str(page), "--data", str(data)])
    assert done.exit_code
    assert why in str(done.exception)


def test_a_key_that_is_none_and_a_door_without_receipts_are_refused(page, tmp_path):
    for words in (["--key", "no key"], ["--data", str(tmp_path / "nowhere")]):
        done = CliRunner().invoke(app, ["consent", "verify-receipt", str(page), *words])
        assert done.exit_code
        assert "key" in str(done.exception) or "no receipt" in str(done.exception)
