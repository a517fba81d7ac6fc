"""Folders of an older facegate: sealed at the first start, killed at any step, restored from old backups."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.domain import Resident
from edge.errors import StoreError
from edge.store.consent_rows import CONSENTS
from edge.store.consents import ConsentLedger
from edge.store.credentials import CredentialStore
from edge.store.database import open_database, open_read_only
from edge.store.resident_rows import RECORD, RESIDENTS, opened_text
from edge.store.residents import ResidentStore
from edge.store.way_rows import CREDENTIALS
from tests.store.traces import found_in, text_traces

AT = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE = {f"r-{n}": f"Xaviera Quillfeather {n} 欧阳锦鲤" for n in range(40)}
GUARDIAN, STAFF, CARD = "Gwendolyn Mollwitz", "Ottokar Vondrasek", "w26:117:48211"


def plain(schema, versions):
    """Return `schema` as it was when it had so many versions."""
    return replace(schema, migrations=schema.migrations[:versions])


@pytest.fixture
def old(tmp_path):
    """A folder in plain text, with free pages and a log, as a running door of then leaves it."""
    folder = tmp_path / "old"
    folder.mkdir()
    fill_residents(folder / "residents.db")
    fill_consents(folder / "consents.db")
    fill_cards(folder / "credentials.db")
    assert found_in(folder, traces())
    return folder


def fill_residents(path):
    with closing(open_database(path, plain(RESIDENTS, 2))) as file:
        for who, name in PEOPLE.items():
            row = (who, name, '["resident", "gym"]', None, AT.isoformat(), 1, "roster", 1)
            file.execute("INSERT INTO residents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            text = json.dumps({"id": who, "name": name}, ensure_ascii=False)
            file.execute("INSERT INTO roster VALUES (?, 1, ?)", (who, text))
        file.execute("UPDATE head SET version = 1")
        file.execute("DELETE FROM roster WHERE id = 'r-39'")


def fill_consents(path):
    with closing(open_database(path, plain(CONSENTS, 1))) as file:
        row: tuple[object, ...] = (
            "c-1",
            "r-1",
            AT.isoformat(),
            "2026-1",
            "zh",
            "door",
            STAFF,
            1,
            GUARDIAN,
            None,
            None,
        )
        file.execute("INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        row = ("c-2", "r-2", AT.isoformat(), "2026-1", "en", "door", STAFF, 0, None, AT.isoformat(), "FGR1.x")
        file.execute("INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def fill_cards(path):
    with closing(open_database(path, plain(CREDENTIALS, 1))) as file:
        file.execute("INSERT INTO cards VALUES (?, 'r-1')", (CARD,))
        file.execute("INSERT INTO pins VALUES ('1203', 'r-1', 0, x'00')")


def traces():
    found: dict[bytes, str] = {}
    for text in ("Xaviera Quillfeather", "欧阳锦鲤", GUARDIAN, STAFF, CARD):
        found |= text_traces(text)
    return found


def require_everything(folder):
    with closing(ResidentStore(folder / "residents.db")) as store:
        first = Resident("r-0", PEOPLE["r-0"], ("resident", "gym"), valid_until=AT, extended_unlock=True)
        assert store.get("r-0") == first
        assert {one.id: one.name for one in store.list()} == PEOPLE
        rows = store.query("SELECT id, text FROM roster")
        records = [json.loads(opened_text(store.sealer, RECORD, who, text)) for who, text in rows]
        assert {one["id"]: one["name"] for one in records} == {k: v for k, v in PEOPLE.items() if k != "r-39"}
    with closing(ConsentLedger(folder / "consents.db")) as ledger:
        child, ended = ledger.get("c-1"), ledger.get("c-2")
        assert child is not None
        assert (child.guardian, child.is_minor, child.recorded_by) == (GUARDIAN, True, STAFF)
        assert (child.notice, child.language, child.purpose) == ("2026-1", "zh", "door")
        assert ended is not None
        assert (ended.guardian, ended.is_minor, ended.withdrawn_at) == (None, False, AT)
        assert ledger.receipt_of("r-2") == "FGR1.x"
    with closing(CredentialStore(folder / "credentials.db")) as credentials:
        assert credentials.cards() == {CARD: "r-1"}
        assert [row.number for row in credentials.pins()] == ["1203"]


def test_an_older_folder_is_sealed_at_the_first_start_and_shows_nothing_any_more(old):
    require_everything(old)
    assert found_in(old, traces()) == []
    require_everything(old)


KILLED = """
    import os, shutil, sqlite3, sys
    from pathlib import Path
    original = Path(sys.argv[1])
    left = 0
    def before(statement):
        # What changes the file, and every commit.
        global left
        word = statement.split()[0]
        if word in {"UPDATE", "ALTER", "INSERT", "DROP", "CREATE", "COMMIT", "VACUUM"} or (
            word == "PRAGMA" and ("user_version =" in statement or "checkpoint" in statement)
        ):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
    class Traced(sqlite3.Connection):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.set_trace_callback(before)
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, factory=Traced, **options)
    from edge.store.consents import ConsentLedger
    from edge.store.credentials import CredentialStore
    from edge.store.residents import ResidentStore

    def upgrade(folder):
        ResidentStore(folder / "residents.db").close()
        ConsentLedger(folder / "consents.db").close()
        CredentialStore(folder / "credentials.db").close()

    for step in range(1, 200):
        folder = original.with_name(f"killed-{step}")
        shutil.copytree(original, folder)
        left = step
        if (child := os.fork()) == 0:
            upgrade(folder)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if ended == 0:
            break
        if ended != -9:
            sys.exit("an upgrade that nobody cut short did not come to its end")
    else:
        sys.exit("no upgrade came to its end")
"""


def test_a_power_cut_at_any_step_of_the_upgrade_loses_nothing_and_leaves_nothing(old):
    """A fresh copy for every step, killed there, then started as if nothing had been."""
    code = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(KILLED), old]
    subprocess.run(code, check=True, timeout=120)
    folders = sorted(old.parent.glob("killed-*"))
    assert len(folders) > 30
    for folder in folders:
        require_readable_by_either(folder)
        require_everything(folder)
        assert found_in(folder, traces()) == [], folder.name


def require_readable_by_either(folder):
    """After a kill every file is of a version that this program can open."""
    for name, schema in (
        ("residents.db", RESIDENTS),
        ("consents.db", CONSENTS),
        ("credentials.db", CREDENTIALS),
    ):
        with closing(open_read_only(folder / name, schema, older=True)) as file:
            assert file.execute("PRAGMA quick_check").fetchone() == ("ok",)


def test_looking_at_an_older_file_never_changes_it(old):
    with pytest.raises(StoreError, match="start the door once"):
        open_read_only(old / "residents.db", RESIDENTS)
