"""What version 0.1.0 left behind opens without a person's help: a door's folder, and a site's."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.policy.pin import PinBook, PinEntry
from edge.store.credentials import CredentialStore
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from facegate_hub.database_urls import database_url
from facegate_hub.staff import Staff
from tests.fakes.site import record_walk_ups
from tests.places import shared_data
from tests.present import present
from tests.service.running import Door, is_kind, settings

pytestmark = [pytest.mark.shared, pytest.mark.models]

NAME = "data-0.1.0"
BEGAN, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def old(tmp_path) -> Path:
    archive = Path(shared_data()).parent / "cases" / f"{NAME}.tar.gz"
    if not archive.exists():
        pytest.skip(f"what 0.1.0 left is not here: {archive}")
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
        opened.extractall(tmp_path)
    for file in (tmp_path / NAME / "site").rglob("*.toml"):
        file.write_text(file.read_text().replace("@ROOT@", str(tmp_path / NAME)))
    return tmp_path / NAME


def test_a_door_goes_on_with_its_residents_pins_and_cards(old, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (old / "standalone-door").rename(home / "data")
    door = Door(home, settings(record_walk_ups(tmp_path / "walk-up.avi", 1, 2)))
    try:
        granted = door.wait_for(is_kind("access.granted"))
    finally:
        door.stop()
    assert granted["resident"] == "flat-1203"

    data = home / "data"
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as credentials:
        assert credentials.cards() == {"hid:0563537489": "flat-1203"}
        entries = [
            PinEntry(row.number, row.resident_id, row.digest, row.is_duress) for row in credentials.pins()
        ]
        assert credentials.take(b"12345678", 1, BEGAN, UNTIL, UNTIL) == 1
    with closing(sqlite3.connect(data / CREDENTIALS_FILE)) as file, file:
        file.execute("DELETE FROM pass_uses")
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as credentials:
        assert credentials.take(b"12345678", 1, BEGAN, UNTIL, UNTIL) is None, "bound since the first start"
    book = PinBook((data / PIN_KEY_FILE).read_bytes(), entries)
    assert present(book.match("1203", "226573")).resident_id == "flat-1203"
    with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
        assert {one.id: one.name for one in store.list()} == {"flat-1203": "Li Wei", "flat-302": "王芳"}


def test_a_site_keeps_its_journal_its_roster_and_its_stream(old):
    data = old / "site" / "doors" / "front" / "data"
    with closing(JournalReader(data / JOURNAL_FILE)) as journal:
        assert journal.verify() == 7
        stream = journal.stream
    with closing(ResidentStore(data / RESIDENTS_FILE)) as store:
        at_door = SqliteRoster(store).state()
    assert (at_door.epoch, at_door.rev, at_door.count) == (1, 3, 3)

    site = old / "site"
    with closing(Staff(site, database_url(site), "a test")) as staff:
        assert (staff.roster().epoch, staff.roster().rev) == (1, 3)
        assert {json.loads(one.body)["stream"] for one in staff.events()} == {stream}
        assert staff.doubts() == []
        assert [one.id for one in staff.doors()] == ["front"]
