"""Uses of passes and the display's notice edited on the card: no pass comes back, nothing false is shown."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.errors import StoreError
from edge.panel.gate_words import GateWords
from edge.service.entry.kept import Credentials
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.backup import BackupWish, back_up
from edge.store.credentials import CredentialStore, IssuedPass
from edge.store.key_source import KeySource, change_key, finish_renewal, use_source
from edge.store.keyring import KEYS_FILE
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.sealed_file import Cost
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW, UNTIL = BEGAN + timedelta(hours=2), BEGAN + timedelta(days=2)
USED, FREE, OURS, LENT = b"used-up.", b"any-time", b"our-own.", b"the-site"
WORDS = "correct horse battery"


@pytest.fixture(params=["file", "credential"])
def door(request, tmp_path, unit):
    """A folder in which everything is bound: one pass used up, two taken back, and a notice."""
    data = tmp_path / "data"
    data.mkdir()
    use_source(data, KeySource(request.param))
    ResidentStore(data / "residents.db").close()
    furnish(data)
    finish_renewal(data)
    return data


def furnish(data: Path) -> None:
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        store.note_pass(IssuedPass(OURS, "anna", "visitor", BEGAN, UNTIL, 0))
        assert taken(store, USED, 1) == 1
        store.end_pass(OURS)
        store.end_passes(3, {LENT: UNTIL})
    with closing(GateWords(data / ACCOUNTS_FILE)) as words:
        words.put_notice("en", "Ring twice")


def taken(
    store: CredentialStore | Credentials, key: bytes, most: int = 0, began: datetime = BEGAN
) -> int | None:
    return store.take(key, most, began, UNTIL, NOW)


def opens(data: Path, key: bytes, most: int = 0, began: datetime = BEGAN) -> bool:
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        return taken(store, key, most, began) is not None


def edit(data: Path, sql: str, name: str = CREDENTIALS_FILE) -> None:
    with closing(sqlite3.connect(data / name)) as file, file:
        assert file.execute(sql).rowcount > 0


def test_what_this_door_counted_counts_and_a_change_of_keys_costs_nothing(door, unit):
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)
    (unit / NEW_CREDENTIAL).replace(unit / CREDENTIAL)
    assert not any(opens(door, key, most) for key, most in ((USED, 1), (OURS, 0), (LENT, 0)))
    assert opens(door, FREE)
    with closing(GateWords(door / ACCOUNTS_FILE)) as words:
        assert words.notices() == {"en": "Ring twice"}


EDITS = [
    "UPDATE pass_uses SET uses = 0",
    "DELETE FROM pass_uses",
    "DELETE FROM pass_uses WHERE uses = 1",
    "UPDATE pass_uses SET until = '2020-01-01'",
    "DELETE FROM issued_passes",
    "UPDATE issued_passes SET until = '2020-01-01'",
    "UPDATE pass_ends SET rev = 0",
    "DELETE FROM whole",
    "UPDATE whole SET bound = x'00'",
]


@pytest.mark.parametrize("sql", EDITS)
def test_no_edit_lets_an_old_pass_open_again(door, sql):
    edit(door, sql)
    assert finish_renewal(door) is False, "a new start blesses nothing"
    keeper = Credentials(door, ())
    with closing(keeper):
        assert taken(keeper, USED, 1) is None
        assert keeper.news == {"state": "edited", "why": "passes"}
        assert keeper.is_ended(FREE, BEGAN), "whether it was used nobody knows"
        assert not any(opens(door, key) for key in (USED, OURS, LENT, FREE))
        assert opens(door, b"new-pass", 1, NOW), "what is issued from now on opens"
        assert not opens(door, b"new-pass", 1, NOW), "and is counted"
        taken(keeper, FREE)
        assert keeper.news == {"state": "ok", "why": "passes"}


def test_an_edit_of_the_time_from_which_passes_count_revives_none(door):
    edit(door, "DELETE FROM pass_uses")
    assert not opens(door, USED, 1)
    edit(door, "UPDATE whole SET since = ''")
    assert not opens(door, USED, 1)


def test_a_change_by_the_door_does_not_bless_an_edit(door):
    edit(door, "DELETE FROM pass_uses")
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
        store.note_pass(IssuedPass(b"another.", "otto", "visitor", NOW, UNTIL, 1))
        store.end_passes(4, {b"elsewhere": UNTIL})
        store.forget_uses(NOW)
    assert not opens(door, USED, 1)


def test_a_pass_is_taken_back_without_the_key_and_none_is_revived_by_that(door, unit, monkeypatch):
    use_source(door, KeySource("credential"))
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
        store.note_pass(IssuedPass(b"another.", "otto", "visitor", BEGAN, UNTIL, 1))
    with monkeypatch.context() as outside:
        outside.delenv("CREDENTIALS_DIRECTORY")
        with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
            store.end_pass(b"another.")
            with pytest.raises(StoreError):
                taken(store, FREE)
    assert not any(opens(door, key) for key in (b"another.", USED, OURS, LENT, FREE))
    assert opens(door, b"new-pass", 1, NOW)


def test_a_new_door_counts_passes_from_before_it_was_there(tmp_path, unit):
    data = tmp_path / "data"
    data.mkdir()
    use_source(data, KeySource("credential"))
    ResidentStore(data / "residents.db").close()
    CredentialStore(data / CREDENTIALS_FILE).close()
    assert opens(data, USED, 1)


def test_what_an_older_version_counted_is_bound_once(tmp_path, unit):
    data = tmp_path / "data"
    data.mkdir()
    ResidentStore(data / "residents.db").close()
    furnish(data)
    edit(data, "DELETE FROM whole")
    edit(data, "UPDATE notices SET bound = NULL", ACCOUNTS_FILE)
    assert finish_renewal(data)
    assert (opens(data, FREE), opens(data, USED, 1)) == (True, False)
    with closing(GateWords(data / ACCOUNTS_FILE)) as words:
        assert words.notices() == {"en": "Ring twice"}
    edit(data, "DELETE FROM pass_uses")
    edit(data, "DELETE FROM whole")
    assert not finish_renewal(data)
    assert not opens(data, USED, 1)


def test_a_lost_keyring_ends_no_pass_where_the_key_lies_on_the_card(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    ResidentStore(data / "residents.db").close()
    furnish(data)
    finish_renewal(data)
    for path in data.glob(f"{KEYS_FILE}*"):
        path.unlink()
    assert (opens(data, FREE), opens(data, USED, 1)) == (True, False)


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_restore_counts_the_uses_of_both_and_revives_no_pass(door, tmp_path, unit, is_edited):
    back_up(door, tmp_path / "b.fgb", WORDS, NOW, BackupWish("1", cost=Cost(8, 1)))
    assert opens(door, b"since-it", 1)
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)  # the folder's own keys are others than the backup's now
    if is_edited:
        edit(door, "DELETE FROM pass_uses WHERE uses = 1")
    restore(tmp_path / "b.fgb", door, WORDS, NOW, RestoreWish(replace=True))
    assert not any(opens(door, key, most) for key, most in ((USED, 1), (b"since-it", 1), (OURS, 0)))
    assert opens(door, FREE) is not is_edited
    assert opens(door, b"new-pass", 1, NOW)


@pytest.mark.parametrize(
    "sql", ["UPDATE notices SET text = 'Gate broken'", "UPDATE notices SET bound = NULL"]
)
def test_an_edited_notice_is_not_shown_and_told_once(door, sql):
    edit(door, sql, ACCOUNTS_FILE)
    told: list[tuple[str, ...]] = []
    with closing(GateWords(door / ACCOUNTS_FILE, told.append)) as words:
        assert (words.notices(), words.notices()) == ({}, {})
        assert told == [("en",)]
        words.put_notice("en", "Ring once")
        assert words.notices() == {"en": "Ring once"}
        assert told[1:] == [()]
