"""What a door goes on with when its files break."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.aside import Machine, simulated
from edge.domain import EventDraft, Reason, Resident
from edge.enrol.ways_in import PassWish, WaysIn
from edge.errors import StoreError
from edge.events import Kind
from edge.policy.access import AccessRules
from edge.policy.methods import Method
from edge.policy.modes import Mode, ModeState
from edge.policy.passes import PassKind, read_pass
from edge.policy.pin import PinBook
from edge.policy.rulebook import RuleBook
from edge.service.entry.kept import AGAIN_SECONDS, Credentials, KnownResidents, ModeFile
from edge.store.credentials import CredentialStore, PinRow
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from edge.store.sealer import file_key
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def filled(tmp_path):
    book = PinBook(file_key(tmp_path / PIN_KEY_FILE)).with_pin("101", "anna", "493857")
    with closing(CredentialStore(tmp_path / CREDENTIALS_FILE)) as store:
        for entry in book.entries:
            store.put_pin(PinRow(entry.number, entry.resident_id, entry.is_duress, entry.digest))
        store.put_card("hid:4711", "anna")
    return tmp_path


def damage(folder, name):
    file = folder / name
    file.write_bytes(b"\x00\xff" * 50 + file.read_bytes()[100:])


@pytest.mark.parametrize("name", [CREDENTIALS_FILE, PIN_KEY_FILE])
def test_credentials_that_were_never_read_are_not_known_and_it_is_told_once(filled, name):
    damage(filled, name)
    told: list[dict[str, Any]] = []
    with closing(Credentials(filled, (), told.append)) as credentials:
        for _ in range(3):
            assert not credentials.register().is_known
    assert [data["state"] for data in told] == ["unreadable"]
    assert "from a backup" in told[0]["way_out"]


def lose(folder, name):
    (folder / name).unlink()


def empty(folder, name):
    (folder / name).write_bytes(b"")
    later = (folder / PIN_KEY_FILE).stat().st_mtime + 3600.0
    os.utime(folder / name, (later, later))


def replace_key(folder, name):
    (folder / name).write_bytes(bytes(range(32)))


@pytest.mark.parametrize(
    ("change", "name"), [(lose, PIN_KEY_FILE), (replace_key, PIN_KEY_FILE), (empty, CREDENTIALS_FILE)]
)
def test_credentials_of_which_a_part_is_lost_make_no_pin_wrong_and_are_told(filled, change, name):
    change(filled, name)
    kept = (filled / name).read_bytes() if (filled / name).exists() else None
    told: list[dict[str, Any]] = []
    with closing(Credentials(filled, (), told.append)) as credentials:
        for _ in range(2):
            assert not credentials.register().is_known
    assert [data["state"] for data in told] == ["unreadable"]
    assert ((filled / name).read_bytes() if (filled / name).exists() else None) == kept


def test_a_key_that_goes_while_the_door_runs_is_not_made_anew(filled):
    told: list[dict[str, Any]] = []
    with closing(Credentials(filled, (), told.append)) as credentials:
        credentials.register()
        lose(filled, PIN_KEY_FILE)
        register = credentials.register()
    assert register.is_known
    assert register.pins.owners_of("101") == ("anna",)
    assert not (filled / PIN_KEY_FILE).exists()
    assert [data["state"] for data in told] == ["unreadable"]


def test_a_first_start_that_was_cut_short_begins_again(tmp_path):
    file_key(tmp_path / PIN_KEY_FILE)
    (tmp_path / CREDENTIALS_FILE).touch()
    with closing(Credentials(tmp_path, ())) as credentials:
        assert credentials.register().is_known


def test_credentials_that_break_answer_as_last_read(filled):
    told: list[dict[str, Any]] = []
    with closing(Credentials(filled, (), told.append)) as credentials:
        assert credentials.register().is_known
        key = (filled / PIN_KEY_FILE).read_bytes()
        (filled / PIN_KEY_FILE).write_bytes(b"short")
        register = credentials.register()
        assert register.is_known
        assert register.cards == {"hid:4711": "anna"}
        assert register.pins.owners_of("101") == ("anna",)
        (filled / PIN_KEY_FILE).write_bytes(key)
        credentials.register()
    assert [data["state"] for data in told] == ["unreadable", "ok"]


def test_a_door_without_credentials_knows_that_there_are_none(tmp_path):
    told: list[dict[str, Any]] = []
    with closing(Credentials(tmp_path, (), told.append)) as credentials:
        assert credentials.register().is_known
    assert told == []


class Dying(ResidentStore):
    """A store that stops answering."""

    def __init__(self, *people: Resident) -> None:
        self.people = {one.id: one for one in people}
        self.is_dead = False

    def version(self) -> int:
        self.get("")
        return 1

    def owed_ways(self) -> frozenset[str]:
        return frozenset()

    def list(self) -> tuple[Resident, ...]:
        self.get("")
        return tuple(self.people.values())

    def get(self, resident_id: str) -> Resident | None:
        if self.is_dead:
            raise StoreError("disk I/O error")
        return self.people.get(resident_id)


def test_whom_nobody_asked_for_yet_is_known_when_the_card_dies():
    store = Dying(Resident("anna", "Anna"), Resident("otto", "Otto"))
    roster = KnownResidents(store)
    store.is_dead = True
    assert roster.find("otto") == Resident("otto", "Otto")
    assert roster.find("nobody") is None


def test_who_was_removed_is_not_let_in_by_a_card_that_fails_later(filled):
    """Nobody came to the door in between: what it would answer from memory was read before."""
    with closing(ResidentStore(filled / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [])
        people = KnownResidents(store)
        with closing(Credentials(filled, ())) as credentials:
            assert credentials.register().cards == {"hid:4711": "anna"}
            with WaysIn.of(filled) as ways:
                ways.take_all("anna")
            store.remove("anna")
            people.follow()
            credentials.follow()
            store.close()
            (filled / PIN_KEY_FILE).unlink()
            assert people.find("anna") is None
            register = credentials.register()
    assert register.cards == {}
    assert register.pins.owners_of("101") == ()


def test_while_nobody_could_be_read_yet_nobody_is_called_a_stranger():
    store = Dying(Resident("anna", "Anna"))
    store.is_dead = True
    roster = KnownResidents(store)
    rules = AccessRules(RuleBook(), "north", roster.find, is_readable=lambda: roster.is_read)
    answer = rules.authorise("anna", AT, Method.PIN)
    assert (answer.allowed, answer.reason) == (False, Reason.AUTHENTICATION_UNAVAILABLE)
    store.is_dead = False
    assert rules.authorise("anna", AT, Method.PIN).allowed
    assert rules.authorise("otto", AT, Method.PIN).reason is Reason.NO_ACCESS_RIGHTS


def test_a_real_store_is_read_at_once(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [])
        roster = KnownResidents(store)
    assert roster.find("anna") == Resident("anna", "Anna")


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "\x00" * 60, '{"mode": "ajar", "until": null, "by": "x"}']
)
def test_a_lock_down_outlives_the_file_it_was_kept_in(tmp_path, content):
    with closing(
        SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as one:
        for mode in ("normal", "locked_down"):
            data = {"mode": mode, "by": "ines", "until": None}
            one.append(EventDraft(Kind.DOOR_MODE, AT, 0.0, data=data))
    (tmp_path / "mode.json").write_text(content)
    assert ModeFile(tmp_path / "mode.json").load() == ModeState(Mode.LOCKED_DOWN, None, "ines")


def test_what_was_saved_is_loaded(tmp_path):
    file = ModeFile(tmp_path / "mode.json")
    assert file.load() is None
    file.save(ModeState(Mode.UNLOCKED, AT, "ines"))
    assert file.load() == ModeState(Mode.UNLOCKED, AT, "ines")


def test_a_mode_that_could_not_be_kept_is_kept_once_the_card_is_well(tmp_path):
    path = tmp_path / "away" / "mode.json"
    path.parent.write_text("no folder")
    file = ModeFile(path)
    file.save(ModeState(Mode.LOCKED_DOWN, None, "ines"))
    path.parent.unlink()
    path.parent.mkdir()

    class Later(Machine):
        def monotonic(self):
            return super().monotonic() + AGAIN_SECONDS

    with simulated(Later()):
        file.retry()
    assert ModeFile(path).load() == ModeState(Mode.LOCKED_DOWN, None, "ines")


def test_residents_that_are_read_late_are_known_as_soon_as_they_are(tmp_path):
    class Slow(Machine):
        """A card that answers one question too late, and no other one at all."""

        def queue(self, name):
            self.asked: list[Any] = []
            return self.asked.append

        def wait(self, done, seconds):
            return done.is_set()

    with closing(ResidentStore(tmp_path / "residents.db")) as store, simulated(slow := Slow()):
        store.put(Resident("anna", "Anna"), [])
        known = KnownResidents(store)
        assert known.find("anna") is None
        slow.asked[0].run()
        assert known.find("anna") == Resident("anna", "Anna")


def test_a_pass_of_the_doors_own_page_counts_here_at_once_and_until_it_is_ended(tmp_path):
    credentials = Credentials(tmp_path, ())
    credentials.register()
    looked = credentials.reads_passes
    assert not looked, "without any key no picture is looked at for codes"
    now = datetime.now(UTC).replace(microsecond=0)
    with closing(WaysIn(tmp_path, credentials.register)) as ways:
        drawn = ways.issue_pass("gate", "anna", PassWish(now, now + timedelta(hours=8), 0, PassKind.VISITOR))
        assert credentials.reads_passes
        shown = read_pass(drawn.text, credentials.register().pass_keys)
        assert shown is not None
        assert shown.opens("gate")
        assert credentials.take(shown.id, shown.max_uses, now, shown.valid_until, now) == 1
        assert not credentials.is_ended(shown.id, now)
        ways.end_pass(shown.id.hex(), "staff")
        assert credentials.is_ended(shown.id, now)
        assert credentials.take(shown.id, shown.max_uses, now, shown.valid_until, now) is None
        credentials.give_back(shown.id)
        assert credentials.take(shown.id, shown.max_uses, now, shown.valid_until, now) is None
    credentials.close()
    after = Credentials(tmp_path, ())
    assert read_pass(drawn.text, after.register().pass_keys) is not None, "and after a new start"
    after.close()
