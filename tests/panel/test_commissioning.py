"""The first hour: each step is somebody's word, kept, journaled, printed and signed by the door."""

import base64
import json
import os
import re
import threading

import pytest

from edge.aside import simulated
from edge.config.settings import LockSection
from edge.domain import EventDraft, Reason
from edge.events import Kind
from edge.panel.views_commissioning import SEEN_WITHIN
from edge.service.commissioning import commissioning_of
from edge.store.commissioning import CommissioningBook, CommissioningProof, CommissioningStep
from edge.web.accounts import Role
from tests.fakes.deadlines import Deadlines
from tests.fakes.scene import START
from tests.present import present
from tests.waiting import PATIENCE, wait_until

LOCK = CommissioningStep.LOCK
WELL = CommissioningProof(True, "2026-11-29T12:00:00+00:00", "ines")
FAILED = CommissioningProof(False, "2026-11-29T12:05:00+00:00", "ines")


def section(driver: str) -> LockSection:
    wired = {"pin": 17, "active_high": True, "lock_wiring": "fail-secure"} if driver == "gpio" else {}
    return LockSection.model_validate({"driver": driver, **wired})


def test_only_a_door_with_a_lock_that_never_ran_waits_to_be_proved(tmp_path):
    """Whoever upgrades a door in use goes on opening it from afar."""
    assert commissioning_of(tmp_path / "new", section("gpio")).waits_for_lock
    assert not commissioning_of(tmp_path / "dry", section("dry-run")).waits_for_lock
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "journal.db").touch()
    assert not commissioning_of(tmp_path / "used", section("gpio")).waits_for_lock


def test_what_was_seen_survives_a_restart_and_the_newest_word_counts(tmp_path):
    """Also when the lock failed after it had gone well: somebody changed the wires."""
    book = commissioning_of(tmp_path, section("gpio"))
    (tmp_path / "journal.db").touch()
    for proof, waits in ((FAILED, True), (WELL, False), (FAILED, True)):
        book.put(LOCK, proof)
        assert commissioning_of(tmp_path, section("gpio")).waits_for_lock is waits
    assert CommissioningBook(tmp_path / "commissioning.json").proofs == {LOCK: FAILED}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"is_new": true}', b'{"is_new":true,"proofs":{"x":1}}', b"\xff"]
)
def test_a_damaged_file_stops_nothing(tmp_path, content):
    """It is told in the log, and the steps can be done again."""
    (tmp_path / "commissioning.json").write_bytes(content)
    book = CommissioningBook(tmp_path / "commissioning.json")
    book.put(LOCK, WELL)
    assert book.proofs[LOCK] == WELL


def test_a_start_does_not_wait_for_a_card_that_hangs(tmp_path):
    path = tmp_path / "commissioning.json"
    os.mkfifo(path)
    is_well = threading.Event()
    with simulated(Deadlines(is_well)):
        assert not CommissioningBook(path).proofs
    path.write_text("{}")  # lets go of whoever waits at the pipe


def test_whoever_asks_waits_for_no_card_that_hangs(tmp_path):
    """An order from afar asks whether the lock was seen to move."""
    path = tmp_path / "commissioning.json"
    book = CommissioningBook(path)
    hanging = threading.Event()

    class Slow(CommissioningProof):
        """A proof that takes as long to be written as a card hangs."""

        def __getattribute__(self, name):
            if name == "went_well" and threading.current_thread() is not threading.main_thread():
                hanging.wait(PATIENCE)
            return super().__getattribute__(name)

    writer = threading.Thread(target=book.put, args=(LOCK, Slow(True, WELL.at, WELL.by)), daemon=True)
    writer.start()
    wait_until(lambda: LOCK in book.proofs)
    assert not book.waits_for_lock
    assert writer.is_alive(), "nobody waited for it"
    hanging.set()
    writer.join(PATIENCE)
    assert CommissioningBook(path).proofs[LOCK].by == "ines"


def test_the_steps_are_done_on_the_page_and_each_is_in_the_journal(panel):
    """The release is logged before it happens; then somebody says what they saw."""
    browser = panel.logged_in()
    browser.get("/commissioning")
    assert browser.post("/commissioning/release").status_code == 422  # nobody has said that they are sure
    assert not panel.pulses
    page = browser.post("/commissioning/release", sure="yes").text
    assert len(panel.pulses) == 1
    assert "What did the person at the door see?" in page
    page = browser.post("/commissioning", step="lock", saw="well").text
    assert re.search(r'tag good">went well</span> <small>ines', page)
    browser.post("/commissioning", step="photo", saw="not")
    assert [(event.data["step"], event.data["state"]) for event in panel.events("commissioning.step")] == [
        ("lock", "ok"),
        ("photo", "failed"),
    ]
    assert panel.desk.commissioning.proofs[LOCK].went_well


def test_nobody_has_seen_a_lock_let_go_that_nobody_released(panel):
    """Neither at once nor long after: the word is about this lock and these wires."""
    browser = panel.logged_in()
    browser.get("/commissioning")
    answer = browser.post("/commissioning", step="lock", saw="well")
    assert answer.status_code == 422
    assert "Release the lock first" in answer.text
    browser.post("/commissioning/release", sure="yes")
    panel.clock.advance(SEEN_WITHIN.total_seconds() + 1)
    browser = panel.logged_in()
    browser.get("/commissioning")
    assert browser.post("/commissioning", step="lock", saw="well").status_code == 422
    assert not panel.desk.commissioning.proofs
    assert browser.post("/commissioning", step="lock", saw="not").status_code == 200


def test_a_clock_that_is_set_back_makes_no_old_release_new(panel):
    browser = panel.logged_in()
    browser.get("/commissioning")
    browser.post("/commissioning/release", sure="yes")
    panel.clock.step_wall(-30 * 86_400)
    assert browser.post("/commissioning", step="lock", saw="well").status_code == 422


def test_the_page_leads_through_the_steps_and_tells_what_is_missing_for_one(panel):
    """Nobody walks up to a door at which nobody is enrolled."""
    browser = panel.logged_in()
    page = browser.get("/commissioning").text
    assert "0 of 7 steps have gone well" in page
    assert "Next: Camera" in page
    assert page.count("Enrol yourself first") == 3
    page = browser.post("/commissioning", step="camera", saw="well").text
    assert "1 of 7 steps have gone well" in page
    assert "Next: Distance" in page


def test_only_an_installer_commissions_and_only_what_is_a_step(panel):
    """Others are sent away, and nothing is kept."""
    assert panel.logged_in("wang", Role.STAFF).get("/commissioning").status_code == 403
    answer = panel.logged_in().post("/commissioning", step="roof", saw="well")
    assert answer.status_code in (403, 422)
    assert not panel.desk.commissioning.proofs


def test_the_sheet_holds_the_steps_and_the_doors_signature(panel):
    """Whoever has the door's public key can check it years later."""
    browser = panel.logged_in()
    browser.get("/commissioning")
    browser.post("/commissioning", step="walk_ups", saw="well")
    page = browser.get("/commissioning/sheet").text
    prefix, body, signature = present(re.search(r"FGC1\.[\w-]+\.[\w-]+", page))[0].split(".")
    plain = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    sign = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    panel.desk.receipt_key().public_key().verify(sign, prefix.encode() + plain)
    facts = json.loads(plain)
    assert facts["steps"]["walk_ups"][0] is True
    assert facts["entry"][1] in page
    assert facts["noticed"] == {"entries": 0, "pictures": 0}


@pytest.mark.parametrize(
    ("reason", "score", "count"),
    [
        (Reason.PRESENTATION_ATTACK, 0.02, 1),
        (Reason.PAD_NO_RESPONSE, 0.42, 1),
        (Reason.PAD_NO_RESPONSE, None, 0),
        (Reason.UNKNOWN_CREDENTIAL, None, 0),
    ],
)
def test_a_photo_that_was_refused_narrowly_is_seen_at_its_step(panel, reason, score, count):
    """Such a refusal is told as not judged: it accuses nobody, but the door did stay shut because of it."""
    data = {"method": "face", "liveness": {"score": score}}
    panel.desk.log.record(EventDraft(Kind.ACCESS_DENIED, START, 1.0, reason=str(reason), data=data))
    browser = panel.logged_in()
    assert f"tell of {count} face" in browser.get("/commissioning").text
    body = present(re.search(r"FGC1\.([\w-]+)\.", browser.get("/commissioning/sheet").text))[1]
    facts = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert facts["noticed"]["pictures"] == count
