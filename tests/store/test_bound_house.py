"""The mode and the page's accounts edited on the card: nothing is unlocked, nobody logs in, all is told."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from edge.aside import Machine, simulated
from edge.domain import EventDraft
from edge.errors import StoreError
from edge.events import Kind
from edge.policy.modes import Mode, ModeState
from edge.service.entry.kept import AGAIN_SECONDS, ModeFile
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.backup import BackupWish, back_up
from edge.store.journal import SqliteJournal
from edge.store.key_source import KeySource, change_key, finish_renewal, use_source
from edge.store.keyring import KEYS_FILE
from edge.store.mode_rows import MODE_FILE
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.sealed_file import Cost
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL
from edge.web.accounts import Accounts, Role
from tests.fakes.accounts import account

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOCKED = ModeState(Mode.LOCKED_DOWN, None, "desk")
FREE = ModeState(Mode.EVACUATION, None, "desk")
PASSWORD, OTHER = "correct horse 9", "another horse 8"


class Later(Machine):
    """The same machine, when a file is tried again."""

    def monotonic(self):
        return super().monotonic() + AGAIN_SECONDS


@pytest.fixture(params=["file", "credential"])
def door(request, tmp_path, unit):
    """A folder in which everything is bound, with two accounts and an evacuation."""
    data = tmp_path / "data"
    data.mkdir()
    use_source(data, KeySource(request.param))
    ResidentStore(data / "residents.db").close()
    furnish(data)
    finish_renewal(data)
    return data


def furnish(data):
    with closing(Accounts(data / ACCOUNTS_FILE)) as accounts:
        accounts.put_back(account("ines", Role.INSTALLER, PASSWORD))
        accounts.put_back(account("omar", Role.STAFF, OTHER))
    save(data, FREE)


def save(data, state):
    with closing(ModeFile(data / MODE_FILE)) as file:
        file.save(state)


def loaded(data):
    with closing(ModeFile(data / MODE_FILE)) as file:
        return file.load(), file.news


def edit_mode(data, **changes):
    path = data / MODE_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit(data, sql):
    with closing(sqlite3.connect(data / ACCOUNTS_FILE)) as file, file:
        assert file.execute(sql).rowcount > 0


def journal_mode(data, mode):
    journal = SqliteJournal(data / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    with closing(journal):
        command = {"mode": mode, "by": "desk", "until": None}
        journal.append(EventDraft(Kind.DOOR_MODE, NOW, 0.0, data=command))


def logs_in(data, name, password):
    with closing(Accounts(data / ACCOUNTS_FILE)) as accounts:
        return accounts.check(name, password)


def test_what_this_door_wrote_counts_and_a_change_of_keys_costs_nothing(door, unit):
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)
    (unit / NEW_CREDENTIAL).replace(unit / CREDENTIAL)
    assert loaded(door) == (FREE, None)
    assert logs_in(door, "ines", PASSWORD) is Role.INSTALLER
    assert logs_in(door, "omar", OTHER) is Role.STAFF


EDITS = [
    {"mode": "evacuation"},
    {"mode": "unlocked"},
    {"mode": "scheduled"},
    {"mode": "first_person_in"},
    {"mode": "unlocked", "bound": None},
    {"mode": "unlocked", "bound": 7},
    {"until": "2026-03-01T00:00:00+00:00"},
]


@pytest.mark.parametrize("changes", EDITS)
def test_an_edited_mode_unlocks_nothing_and_ends_no_lock_down(door, changes):
    save(door, LOCKED)
    journal_mode(door, "locked_down")
    edit_mode(door, **changes)
    stands, news = loaded(door)
    assert stands.mode is Mode.LOCKED_DOWN
    assert news == {"state": "edited", "why": "mode", "mode": "locked_down"}
    assert finish_renewal(door) is False
    assert loaded(door) == (stands, news), "a new start blesses nothing"


@pytest.mark.parametrize("mode", ["evacuation", "unlocked", "scheduled"])
def test_an_edited_mode_and_an_edited_journal_unlock_nothing(door, mode):
    edit_mode(door, mode=mode, by="somebody")
    journal_mode(door, mode)
    stands, news = loaded(door)
    assert stands is None
    assert news == {"state": "edited", "why": "mode", "mode": "usual"}


def test_a_lock_down_outlives_the_file_that_is_taken_away(door):
    journal_mode(door, "locked_down")
    (door / MODE_FILE).unlink()
    stands, news = loaded(door)
    assert stands == LOCKED
    assert news["state"] == "edited"
    journal_mode(door, "evacuation")
    assert loaded(door) == (None, None), "the journal alone unlocks nothing"


@pytest.mark.parametrize(
    "content", [b"[" * 4000, b" " * 5000, b"\xff\xfe\x00", b"null", b'{"mode": ["x"], "by": 1}']
)
def test_no_content_keeps_the_door_from_starting(door, content):
    journal_mode(door, "locked_down")
    (door / MODE_FILE).write_bytes(content)
    assert loaded(door) == (LOCKED, None)


def test_a_pipe_in_the_place_of_the_mode_holds_up_nothing(door):
    (door / MODE_FILE).unlink()
    os.mkfifo(door / MODE_FILE)
    with closing(ModeFile(door / MODE_FILE)) as file:
        assert file.load() is None
        file.save(LOCKED)
        assert file.load() == LOCKED


def test_a_command_makes_an_edited_mode_good_again(door):
    edit_mode(door, mode="unlocked")
    with closing(ModeFile(door / MODE_FILE)) as file:
        file.load()
        file.save(FREE)
        assert file.news == {"state": "ok", "why": "mode"}
        assert file.load() == FREE


def test_an_evacuation_stands_as_soon_as_the_key_can_be_had(door, unit, monkeypatch):
    """A TPM that answers late: until then the door is shut for who may not pass."""
    use_source(door, KeySource("credential"))
    with monkeypatch.context() as outside:
        outside.delenv("CREDENTIALS_DIRECTORY")
        with closing(ModeFile(door / MODE_FILE)) as file:
            assert (file.load(), file.news) == (None, None)
    with closing(ModeFile(door / MODE_FILE)) as file:
        key = (unit / CREDENTIAL).read_bytes()
        (unit / CREDENTIAL).unlink()
        assert file.load() is None
        assert file.retry() is None
        (unit / CREDENTIAL).write_bytes(key)
        with simulated(Later()):
            assert file.retry() == FREE
            assert file.retry() is None, "once"


def test_a_command_counts_more_than_what_is_read_late(door, unit):
    use_source(door, KeySource("credential"))
    key = (unit / CREDENTIAL).read_bytes()
    (unit / CREDENTIAL).unlink()
    with closing(ModeFile(door / MODE_FILE)) as file:
        assert file.load() is None
        file.save(LOCKED)
        (unit / CREDENTIAL).write_bytes(key)
        with simulated(Later()):
            assert file.retry() is None
        assert file.load() == LOCKED, "and it has its mark by now"


INES = "(SELECT {} FROM accounts WHERE name = 'ines')"
NEWCOMER = "INSERT INTO accounts (name, role, salt, digest) SELECT 'omar2', 'installer', salt, digest FROM"
ACCOUNT_EDITS = [
    "UPDATE accounts SET role = 'installer' WHERE name = 'omar'",
    "UPDATE accounts SET role = 'emperor' WHERE name = 'omar'",
    "UPDATE accounts SET bound = NULL WHERE name = 'omar'",
    f"UPDATE accounts SET bound = {INES.format('bound')} WHERE name = 'omar'",
    f"UPDATE accounts SET (salt, digest) = {INES.format('salt, digest')} WHERE name = 'omar'",
    f"{NEWCOMER} accounts WHERE name = 'omar'",
]


@pytest.mark.parametrize("sql", ACCOUNT_EDITS)
def test_an_edited_account_logs_nobody_in_and_is_told_once(door, sql):
    edit(door, sql)
    told: list[tuple[str, ...]] = []
    with closing(Accounts(door / ACCOUNTS_FILE, told.append)) as accounts:
        for password in (PASSWORD, OTHER):
            assert accounts.check("omar2", password) is None
            if "omar2" not in sql:
                assert accounts.check("omar", password) is None
        assert accounts.check("ines", PASSWORD) is Role.INSTALLER, "the others go on"
        assert told == [accounts.edited]
        assert accounts.edited == (("omar2",) if "omar2" in sql else ("omar",))
        (name,) = accounts.edited
        accounts.put(name, Role.AUDITOR, OTHER)
        assert accounts.check(name, OTHER) is Role.AUDITOR
        assert told[1:] == [()]
    assert finish_renewal(door) is False


def test_the_first_start_does_not_come_again_when_every_account_was_edited(door):
    edit(door, "UPDATE accounts SET bound = NULL")
    with closing(Accounts(door / ACCOUNTS_FILE)) as accounts:
        assert accounts.all() == {}
        assert accounts.first_code is None


def test_without_the_key_nobody_makes_an_account(door, unit, monkeypatch):
    use_source(door, KeySource("credential"))
    with monkeypatch.context() as outside:
        outside.delenv("CREDENTIALS_DIRECTORY")
        with closing(Accounts(door / ACCOUNTS_FILE)) as accounts, pytest.raises(StoreError):
            accounts.put("thief", Role.INSTALLER, PASSWORD)
    for path in door.glob(f"{KEYS_FILE}*"):
        path.unlink()
    assert logs_in(door, "ines", PASSWORD) is None, "nor do new keys bless what is there"
    edit_mode(door, mode="unlocked")
    assert loaded(door)[0] is None


def test_what_an_older_version_wrote_is_bound_once(tmp_path, unit):
    data = tmp_path / "data"
    data.mkdir()
    ResidentStore(data / "residents.db").close()
    furnish(data)
    edit_mode(data, bound=None)
    edit(data, "UPDATE accounts SET bound = NULL")
    assert logs_in(data, "omar", OTHER) is Role.STAFF, "until they are bound all count"
    assert loaded(data) == (FREE, None)
    assert finish_renewal(data)
    assert loaded(data) == (FREE, None)
    assert logs_in(data, "omar", OTHER) is Role.STAFF
    edit_mode(data, mode="unlocked", bound=None)
    edit(data, "UPDATE accounts SET role = 'installer', bound = NULL WHERE name = 'omar'")
    assert not finish_renewal(data)
    assert loaded(data)[0] is None
    assert logs_in(data, "omar", OTHER) is None


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_restore_keeps_both_and_binds_them_with_the_keys_of_the_backup(door, tmp_path, unit, is_edited):
    words = "correct horse battery"
    back_up(door, tmp_path / "b.fgb", words, NOW, BackupWish("1", cost=Cost(8, 1)))
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    with closing(Accounts(door / ACCOUNTS_FILE)) as accounts:
        accounts.put("omar", Role.AUDITOR, PASSWORD)
    change_key(door)  # the folder's own keys are others than the backup's now
    if is_edited:
        edit(door, "UPDATE accounts SET role = 'installer' WHERE name = 'omar'")
        edit_mode(door, mode="unlocked")
    done = restore(tmp_path / "b.fgb", door, words, NOW, RestoreWish(replace=True))
    assert logs_in(door, "ines", PASSWORD) is Role.INSTALLER
    assert logs_in(door, "omar", PASSWORD) is (None if is_edited else Role.AUDITOR)
    assert any("made anew, of: omar" in one for one in done.revoked) is is_edited
    assert loaded(door)[0] == (None if is_edited else FREE)
