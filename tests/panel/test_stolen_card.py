"""What somebody reads who takes the card out of a door: every byte of every file, and nothing of anybody.

People come in through the real page, the real commands and the property's roster; the journal, the
write-ahead logs, free pages and the backup are all looked through.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack

import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import RosterChange, RosterState
from edge.store.roster import SqliteRoster, roster_digest
from edge.web.accounts import Role
from edge.wire.records import parse_record
from tests.fakes.scene import DIM, Actor, unit
from tests.panel.office import open_panel, photo
from tests.store.traces import PICTURES, found_in, pixel_traces, text_traces, vector_traces

NAMES = {"r-1": "Xaviera Quillfeather", "r-2": "欧阳锦鲤", "r-3": "Zbigniew Przeworski", "r-4": "诸葛琉璃"}
GUARDIAN = "Gwendolyn Mollwitz"
CARD = "w26:117:48211"
PASSWORD = "correct horse battery"


def person(n):
    """Somebody whose vector is like no other bytes."""
    return Actor(n, unit(np.random.default_rng(n).normal(size=DIM)))


@pytest.fixture
def panel(tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack, minors_allowed=True)
        panel.scene.actors[:] = [person(n) for n in range(4)]
        yield panel


def run(folder, *words):
    done = CliRunner().invoke(app, [*words, "--data", str(folder)])
    assert done.exit_code == 0, done.output
    return done.output


def enrol(panel, browser, n, **fields):
    """Enrol the nth resident with his own face, as staff do it from photos."""
    who = sorted(NAMES)[n]
    browser.get("/enrol")
    picture = photo(panel.scene, actor=panel.scene.actors[n])
    files = [("photos", (f"{NAMES[who]}-{k}.png", picture, "image/png")) for k in range(3)]
    asked = browser.post(
        "/enrol/photos", files=files, resident_id=who, name=NAMES[who], agrees="yes", **fields
    )
    assert asked.status_code == 200, asked.text
    saved = browser.post("/enrol/save", reason="seen in person")
    assert saved.status_code == 200, saved.text
    panel.gallery.rows[who] = panel.desk.residents.templates_of(who)[0].embedding


def sync_roster(panel):
    """Take a roster of the property that renames one, adds one and removes one."""
    roster = SqliteRoster(panel.desk.residents)
    records = [{"id": "r-2", "name": NAMES["r-2"]}, {"id": "r-4", "name": NAMES["r-4"]}]
    changes = []
    for rev, fields in enumerate(records, start=1):
        resident, text = parse_record(fields)
        changes.append(RosterChange(rev, resident.id, resident, text))
    target = roster_digest([(one.id, one.rev, one.text) for one in changes])
    roster.replace(changes, RosterState(1, 2, target, 2))
    kept = changes[:1]
    digest = roster_digest([(one.id, one.rev, one.text) for one in kept])
    roster.apply([RosterChange(3, "r-4")], RosterState(1, 3, digest, 1))


def live_a_day(panel, folder):
    """Enrol, change, export, give credentials, sync, withdraw, remove, change keys, back up."""
    browser = panel.logged_in("desk-1", Role.INSTALLER)
    enrol(panel, browser, 0)
    enrol(panel, browser, 1, minor="yes", guardian=GUARDIAN)
    enrol(panel, browser, 2)
    vectors = [
        template.embedding
        for who in ("r-1", "r-2", "r-3")
        for template in panel.desk.residents.templates_of(who)
    ]
    browser.get("/residents/r-1")
    assert browser.post("/residents/r-1/change", levels="resident,gym").status_code == 200
    browser.get("/residents?q=Quillfeather")
    browser.get("/residents/r-1")
    assert browser.post("/residents/r-1/export").status_code == 200
    run(folder, "card", "add", CARD, "r-1")
    run(folder, "pin", "set", "r-2", "--number", "1203")
    run(folder, "enrol", "list")
    run(folder, "keys", "rotate")
    sync_roster(panel)
    browser.get("/residents/r-1")
    assert browser.post("/residents/r-1/withdraw", typed="r-1").status_code == 200
    panel.desk.residents.remove("r-3")
    words = folder.parent / "words"
    words.write_text(PASSWORD)
    run(folder, "backup", str(folder / "door.fgb"), "--passphrase-file", str(words))
    return vectors


def traces_of_everybody(panel, vectors):
    traces = dict(PICTURES)
    for name in (*NAMES.values(), GUARDIAN, CARD, *["Xaviera", "Quillfeather", "Przeworski", "Gwendolyn"]):
        traces |= text_traces(name)
    for n, vector in enumerate(vectors):
        traces |= vector_traces(f"vector {n}", vector)
    for n, actor in enumerate(panel.scene.actors):
        traces |= pixel_traces(f"face {n}", panel.scene.frame(0, (actor, 260, 150, 120)).image)
    return traces


def test_a_card_shows_no_name_no_vector_and_no_picture(panel, tmp_path, caplog):
    caplog.set_level("DEBUG")
    vectors = live_a_day(panel, tmp_path)
    traces = traces_of_everybody(panel, vectors)
    assert len(traces) > 400, "the search is for something"

    assert (tmp_path / "residents.db-wal").exists(), "the door still runs: its logs are read too"
    assert found_in(tmp_path, traces) == []
    assert panel.desk.residents.get("r-1").name == NAMES["r-1"], "who has the key reads it"

    panel.desk.residents.close()
    panel.desk.consents.close()
    panel.journal.close()
    assert found_in(tmp_path, traces) == []
    log = tmp_path / "log"
    log.mkdir()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("edge")]
    (log / "service.log").write_text("\n".join(["log", *lines]))
    assert found_in(log, traces) == []


def test_the_search_finds_what_is_there(tmp_path):
    """Else an empty answer would mean nothing."""
    vector = unit(np.random.default_rng(1).normal(size=128))
    (tmp_path / "deep").mkdir()
    for form in (vector.astype("<f2").tobytes(), vector.astype("<f4").tobytes()):
        (tmp_path / "deep" / "f").write_bytes(secrets.token_bytes(777) + form + b"tail")
        assert found_in(tmp_path, vector_traces("v", vector))
    for encoding in ("utf-8", "utf-16-le", "gb18030"):
        (tmp_path / "deep" / "f").write_bytes(b"head" + NAMES["r-2"].encode(encoding) + b"tail")
        assert found_in(tmp_path, text_traces(NAMES["r-2"]))


def test_no_event_carries_a_name_or_the_number_of_a_resident_s_card(panel, tmp_path):
    """The journal is plain text and goes to the property: it names people by their ids alone."""
    live_a_day(panel, tmp_path)
    events = panel.journal.read(0, 10_000)
    text = "\n".join(str(event) for event in events)
    assert len(events) > 10
    assert not [name for name in (*NAMES.values(), GUARDIAN, CARD) if name in text]
