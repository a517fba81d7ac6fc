"""Whatever of the replaced folder is damaged: a restore refuses, or what was taken back stays taken back."""

import shutil
import sqlite3
from contextlib import closing
from itertools import combinations
from pathlib import Path

import pytest

from edge.domain import Consent, Resident
from edge.enrol.ways_in import WaysIn
from edge.errors import StoreError
from edge.service.entry.kept import Credentials, KnownResidents
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.backup import BackupWish, back_up
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face
from edge.store.credentials import CredentialStore, PinRow
from edge.store.ledger import LEDGER_FILE, SqliteLedger
from edge.store.owed_ways import OwedWays
from edge.store.residents import ResidentStore
from edge.store.restore import RestoreWish, restore
from edge.store.roster import SqliteRoster
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from edge.web.accounts import Accounts, Role
from tests.fakes.accounts import account
from tests.store.drafts import filled
from tests.store.test_backup import CHEAP, NOW, WORDS
from tests.store.test_residents import template

PAGE = 4096
SOME = ("mei", "carl", "berta")
"""Who stays as they are, so that a file has more than what was taken back."""


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A door's folder and a backup of it; since then each kind of right was taken back of somebody."""
    folder = tmp_path_factory.mktemp("restore")
    data = folder / "door"
    data.mkdir()
    (data / PIN_KEY_FILE).write_bytes(bytes(range(32)))
    filled(data / "journal.db", 20).close()
    people = ("anna", "otto", "gone", *SOME)
    with (
        closing(ResidentStore(data / "residents.db")) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        closing(CredentialStore(data / CREDENTIALS_FILE)) as ways,
        closing(Accounts(data / ACCOUNTS_FILE)) as accounts,
        closing(SqliteLedger(data / LEDGER_FILE)) as commands,
    ):
        for number, who in enumerate(people):
            store.put(Resident(who, who.title()), [template(who, number, consent_id=f"c-{who}")])
            ledger.record(Consent(f"c-{who}", who, NOW, "2026-1", "zh", "door", "installer"))
            ways.put_card(f"card-{who}", who)
        for number, who in enumerate(people):
            ways.put_pin(PinRow(str(number), who, False, b"x" * 32))
        for name in ("boss", "fired"):
            accounts.put_back(account(name, Role.INSTALLER, "still my password"))
        wish = BackupWish("1", cost=CHEAP)
        back_up(data, folder / "backup", WORDS, NOW, wish)
        ledger.withdraw("anna", NOW)
        erase_face(store, "anna")
        store.remove("gone")
        ways.remove_card("card-otto")
        ways.remove_pins("otto")
        accounts.remove("fired", "boss")
        commands.claim("cmd-1", NOW)
    return folder


def revived(data: Path) -> list[str]:
    """Return what is in force that was taken back."""
    found = []
    with (
        closing(ResidentStore(data / "residents.db")) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        closing(CredentialStore(data / CREDENTIALS_FILE)) as ways,
        closing(Accounts(data / ACCOUNTS_FILE)) as accounts,
        closing(SqliteLedger(data / LEDGER_FILE)) as commands,
    ):
        if "anna" in store.last_enrolled() or "c-anna" in ledger.in_force():
            found.append("the face of who withdrew")
        if "gone" in {one.id for one in store.list()}:
            found.append("who was removed")
        if "card-otto" in ways.cards() or "otto" in {row.resident_id for row in ways.pins()}:
            found.append("a card or PIN that was taken back")
        if "fired" in accounts.all():
            found.append("an account that was ended")
        if commands.claim("cmd-1", NOW):
            found.append("a command that was used")
    return found


def restored(door: Path, tmp_path: Path, damage) -> str:
    """Restore over a damaged copy of the folder and look; return "refused" or "restored"."""
    data = tmp_path / "door"
    shutil.copytree(door / "door", data)
    for name, harm in damage:
        harm(data / name)
    wish = RestoreWish(replace=True)
    try:
        restore(door / "backup", data, WORDS, NOW, wish)
    except StoreError:
        return "refused"
    finally:
        for path in tmp_path.glob("door.replaced-*"):
            shutil.rmtree(path)
    assert revived(data) == [], [name for name, _ in damage]
    shutil.rmtree(data)
    return "restored"


def gone(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def worn(path: Path) -> None:
    path.write_bytes(b"worn out" * 1000)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def page_lost(number: int):
    """Return what writes zeros over one page."""

    def harm(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
        path.write_bytes(bytes(content))

    return harm


def page_without_rows(number: int):
    """Return what sets the count of a page's rows to none: no read of the table fails for it."""

    def harm(path: Path) -> None:
        content = bytearray(path.read_bytes())
        at = number * PAGE + (100 if number == 0 else 0) + 3
        content[at : at + 2] = bytes(2)
        path.write_bytes(bytes(content))

    return harm


def files(door: Path) -> list[str]:
    return sorted(path.name for path in (door / "door").iterdir() if path.is_file())


def test_an_undamaged_folder_is_replaced_and_nothing_comes_back(door, tmp_path):
    assert restored(door, tmp_path, []) == "restored"


def test_what_was_still_to_be_taken_back_is_so_after_a_restore(door, tmp_path):
    """The backup is of before: its cards are there in both folders."""
    data = tmp_path / "door"
    shutil.copytree(door / "door", data)
    with closing(ResidentStore(data / "residents.db")) as store:
        SqliteRoster(store).owe([OwedWays("carl", True, 0)])
    restore(door / "backup", data, WORDS, NOW, RestoreWish(replace=True))
    with closing(ResidentStore(data / "residents.db")) as store:
        people = KnownResidents(store)
        with closing(Credentials(data, (), owed=people.owed)) as credentials:
            assert "carl" not in credentials.register().cards.values()
            with WaysIn.of(data) as ways:
                ways.give_card("w26:17:9", "carl")
            cards = credentials.register().cards
            assert [card for card, who in cards.items() if who == "carl"] == ["w26:17:9"]


@pytest.mark.parametrize("harm", [gone, emptied, worn, half])
def test_each_single_damaged_file_revives_nothing(door, tmp_path, harm):
    outcomes = {name: restored(door, tmp_path / name, [(name, harm)]) for name in files(door)}
    for name in ("residents.db", CONSENTS_FILE, CREDENTIALS_FILE, PIN_KEY_FILE, LEDGER_FILE, ACCOUNTS_FILE):
        assert outcomes[name] == "refused", f"{name} could not tell what was taken back"


def test_each_pair_of_damaged_files_revives_nothing(door, tmp_path):
    for number, pair in enumerate(combinations(files(door), 2)):
        restored(door, tmp_path / str(number), list(zip(pair, (gone, half), strict=True)))


@pytest.mark.parametrize("harm", [page_lost, page_without_rows])
@pytest.mark.parametrize(
    "name", ["residents.db", CONSENTS_FILE, CREDENTIALS_FILE, LEDGER_FILE, ACCOUNTS_FILE]
)
def test_each_damaged_page_revives_nothing(door, tmp_path, name, harm):
    with closing(sqlite3.connect(door / "door" / name)) as file:
        (pages,) = file.execute("PRAGMA page_count").fetchone()
    for number in range(pages):
        restored(door, tmp_path / str(number), [(name, harm(number))])


@pytest.mark.parametrize("harm", [None, worn])
def test_commands_used_after_a_backup_that_knew_of_none_stay_used(tmp_path, harm):
    data = tmp_path / "door"
    data.mkdir()
    with closing(ResidentStore(data / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [])
    back_up(data, tmp_path / "b", WORDS, NOW, BackupWish("1", cost=CHEAP))
    with closing(SqliteLedger(data / LEDGER_FILE)) as commands:
        assert commands.claim("cmd-1", NOW)
    wish = RestoreWish(replace=True)
    if harm is not None:
        harm(data / LEDGER_FILE)
        with pytest.raises(StoreError, match=LEDGER_FILE):
            restore(tmp_path / "b", data, WORDS, NOW, wish)
        return
    restore(tmp_path / "b", data, WORDS, NOW, wish)
    with closing(SqliteLedger(data / LEDGER_FILE)) as commands:
        assert not commands.claim("cmd-1", NOW)
