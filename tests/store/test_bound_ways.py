"""PINs and cards edited on the card let nobody in, wherever the key that seals them comes from."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.domain import Resident
from edge.errors import KeyUnavailable
from edge.service.entry.kept import Credentials
from edge.store.backup import BackupWish, back_up
from edge.store.bound_ways import BoundWays
from edge.store.credentials import CredentialStore, PinRow
from edge.store.key_source import KeySource, change_key, finish_renewal, use_source
from edge.store.keyring import KEYS_FILE, Keyring
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.sealed_file import Cost
from edge.store.site_key import CREDENTIAL, NEW_CREDENTIAL, KeyFile
from edge.store.way_rows import CREDENTIALS_FILE

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PINS = [PinRow("12", "anna", False, b"a" * 32), PinRow("12", "anna", True, b"b" * 32)]
CARDS = {"w26:1:1": "anna", "w26:1:2": "otto"}


@pytest.fixture(params=["bound at once", "bound later", "keys changed", "bound by hand"])
def door(request, tmp_path, unit):
    """A folder whose key is in a TPM, with Anna, who has a PIN and a card, Otto, who has a card, and Mei."""
    data = tmp_path / "data"
    data.mkdir()
    if request.param == "bound at once":
        use_source(data, KeySource("credential"))
    with closing(ResidentStore(data / "residents.db")) as store:
        for who in ("anna", "otto", "mei"):
            store.put(Resident(who, who.title()), [])
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        for row in PINS:
            store.put_pin(row)
        for card, who in CARDS.items():
            store.put_card(card, who)
    if request.param == "bound later":
        for table in ("pins", "sealed_cards"):
            edit(data, f"UPDATE {table} SET bound = NULL")  # as an older version left it
        assert held(data) == (PINS, CARDS), "until they are bound all count"
    if request.param != "keys changed":
        finish_renewal(data)
    use_source(data, KeySource("credential"))
    return data


def held(data):
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        return store.pins(), store.cards()


def edit(data, sql, name=CREDENTIALS_FILE):
    with closing(sqlite3.connect(data / name)) as file, file:
        assert file.execute(sql).rowcount > 0


def test_what_this_door_gave_counts_and_a_change_of_keys_costs_nobody_anything(door, unit):
    assert held(door) == (PINS, CARDS)
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)
    (unit / NEW_CREDENTIAL).replace(unit / CREDENTIAL)
    assert held(door) == (PINS, CARDS)


PIN_EDITS = [
    "UPDATE pins SET resident_id = 'mei' WHERE is_duress",
    "UPDATE pins SET digest = x'00' WHERE is_duress",
    "UPDATE pins SET number = '13' WHERE is_duress",
    "UPDATE pins SET bound = NULL WHERE is_duress",
    "UPDATE pins SET bound = 'text' WHERE is_duress",
    "UPDATE pins SET bound = (SELECT bound FROM pins WHERE NOT is_duress) WHERE is_duress",
    "UPDATE pins SET bound = (SELECT bound FROM sealed_cards LIMIT 1) WHERE is_duress",
    "UPDATE pins SET is_duress = 2 WHERE is_duress",
]


@pytest.mark.parametrize("sql", PIN_EDITS)
def test_an_edited_pin_opens_for_nobody(door, sql):
    edit(door, sql)
    assert held(door) == (PINS[:1], CARDS)
    assert finish_renewal(door) is False
    assert held(door) == (PINS[:1], CARDS), "a new start blesses nothing"


CARD_EDITS = [
    "UPDATE sealed_cards SET resident_id = 'mei' WHERE resident_id = 'otto'",
    "UPDATE sealed_cards SET bound = NULL WHERE resident_id = 'otto'",
    "UPDATE sealed_cards SET sealed = x'00' WHERE resident_id = 'otto'",
    "UPDATE sealed_cards SET mark = x'00' WHERE resident_id = 'otto'",
]


@pytest.mark.parametrize("sql", CARD_EDITS)
def test_an_edited_card_is_nobodys(door, sql):
    edit(door, sql)
    assert held(door) == (PINS, {"w26:1:1": "anna"})


def test_without_the_key_nobody_gives_a_card_and_nothing_counts(door, unit, monkeypatch):
    """Who has the card has `pin.key`, and no more."""
    with monkeypatch.context() as outside:
        outside.delenv("CREDENTIALS_DIRECTORY")
        with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
            with pytest.raises(KeyUnavailable):
                store.put_card("w26:9:9", "mei")
            with pytest.raises(KeyUnavailable):
                store.cards()
            assert store.remove_card("w26:1:2") == "otto", "taking away needs no key"
    assert held(door) == (PINS, {"w26:1:1": "anna"})
    for path in door.glob("keys.db*"):
        path.unlink()
    assert held(door) == ([], {}), "nor do new keys bless what is there"


def test_an_edit_is_told_once_and_what_was_proven_is_seen_when_it_changes(door):
    told: list[dict[str, Any]] = []
    kept = Credentials(door, (), told.append)
    assert kept.register().is_known
    edit(door, "UPDATE sealed_cards SET resident_id = 'mei' WHERE resident_id = 'otto'")
    for _ in range(2):
        assert kept.register().cards == {"w26:1:1": "anna"}
    assert told == [{"state": "edited", "edited": "mei"}]
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
        store.put_card("w26:1:2", "otto")
    assert kept.register().cards == CARDS
    assert told[1:] == [{"state": "ok"}]
    kept.close()


def test_a_restore_keeps_what_both_have_and_binds_it_with_the_keys_of_the_backup(door, tmp_path, unit):
    wish = BackupWish("1", cost=Cost(8, 1))
    back_up(door, tmp_path / "b.fgb", "correct horse battery", NOW, wish)
    (unit / NEW_CREDENTIAL).write_bytes(os.urandom(32))
    change_key(door)  # the folder's own keys are others than the backup's now
    with closing(CredentialStore(door / CREDENTIALS_FILE)) as store:
        store.put_pin(PinRow("12", "anna", False, b"c" * 32))
        store.remove_card("w26:1:2")
    edit(door, "UPDATE pins SET digest = x'00' WHERE is_duress")
    done = restore(tmp_path / "b.fgb", door, "correct horse battery", NOW, RestoreWish(replace=True))
    assert held(door) == ([PinRow("12", "anna", False, b"c" * 32)], {"w26:1:1": "anna"})
    assert any("given anew, of: anna" in one for one in done.revoked)


def test_a_lost_key_on_the_card_itself_locks_nobody_out(tmp_path):
    with closing(CredentialStore(tmp_path / CREDENTIALS_FILE)) as store:
        for row in PINS:
            store.put_pin(row)
        store.put_card("w26:1:1", "anna")
    for _ in range(2):
        finish_renewal(tmp_path)
        for path in tmp_path.glob("keys.db*"):
            path.unlink()
        assert held(tmp_path) == (PINS, {"w26:1:1": "anna"})


@dataclass
class Server:
    """A site's server as a door sees it: `key` is what it hands out, `is_there` whether it answers."""

    key: bytes
    is_there: bool = True
    is_remote = True
    protection = KeyFile.protection

    def keys(self):
        if not self.is_there:
            raise KeyUnavailable("no route to host")
        return [self.key]

    def at_hand(self):
        return [self.key] if self.is_there else []


def test_with_a_key_server_the_keys_on_the_card_are_not_enough(tmp_path):
    """The records' key lies on the card; who makes a first half with it lacks the second."""
    server = Server(os.urandom(32))
    rows = [("12", "anna", 0, b"a" * 32), ("12", "otto", 0, b"b" * 32)]

    def ring():
        return Keyring(tmp_path / KEYS_FILE, server, KeyFile(tmp_path / "residents.key"))

    with closing(ring()) as keys:
        assert keys.seal(b"Anna", b"facegate record\0\0name\0anna")
        keys.begin_renewal()
        keys.settle_renewal()  # all rows are bound from here on
    with closing(BoundWays(ring)) as ways:
        anna, otto = (ways.bound("pins", row) for row in rows)
        assert ways.ours("pins", [anna, otto]) == [anna, otto]
    server.is_there = False
    mine = ("12", "otto", 0, b"c" * 32)
    with closing(BoundWays(ring)) as thief:
        with pytest.raises(KeyUnavailable):
            thief.bound("pins", mine)
        half = thief.keyring.bind(b'["pins","12","otto",0,"' + (b"c" * 32).hex().encode() + b'"]')
    forged = (*mine, half + otto[-1][32:])
    with closing(BoundWays(ring)) as ways:
        assert ways.ours("pins", [anna, forged, (*mine, None)]) == [anna, forged], "until the server answers"
        server.is_there = True
        assert ways.ours("pins", [anna, forged]) == [anna]
        assert ways.edited == ("otto",)
