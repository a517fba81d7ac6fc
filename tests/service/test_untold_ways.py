"""PINs, cards and passes that the property gives and ends: power that goes before the entry loses none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from edge.domain import RosterChange, RosterState
from edge.enrol.ways_in import PassWish, WaysIn
from edge.errors import JournalUnavailable
from edge.event_log.log import EventLog
from edge.event_log.spool import SPOOL_FILE, Spool
from edge.policy.passes import PassKind
from edge.service.chores.past import in_journal
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.property.ended_ways import EndingRoster
from edge.service.property.given_ways import HeldWays
from edge.service.untold import JOURNAL_FILE, UntoldAccounts, UntoldWays
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.credentials import CredentialStore
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.store.way_rows import CREDENTIALS_FILE
from edge.web.accounts import Accounts, Role
from edge.wire.ended_passes import EndedPass, PassEnds
from edge.wire.given_ways import WayOrder
from edge.wire.records import parse_record
from tests.fakes.accounts import account
from tests.store.drafts import open_journal
from tests.sync.hubside import ManualClock, MemoryJournal

PIN, CARD = {"number": "1203", "pin": "274918"}, {"card": "w26:17:1"}


class PowerCutError(BaseException):
    """The process is gone: nothing of it runs any more."""


class Door:
    """A door's people and ways in, which loses power at the next entry of its journal if it is told to."""

    def __init__(self, folder):
        self.folder, self.clock, self.journal = folder, ManualClock(), MemoryJournal()
        self.store = ResidentStore(folder / RESIDENTS_FILE)
        self.start()

    def start(self):
        self.is_to_die = False
        untold = UntoldWays(self.folder, self.record, self.clock)
        self.page = WaysIn(self.folder, tell=untold.tell)
        self.accounts = Accounts(self.folder / ACCOUNTS_FILE)
        self.untold_accounts = UntoldAccounts(self.folder, self.record, self.clock)
        for one in (untold, self.untold_accounts):
            one.tell_again()
        self.people = EndingRoster(SqliteRoster(self.store), self.folder, untold)
        self.ways = HeldWays(SqliteRoster(self.store), self.folder, untold)
        self.passes = HeldPassEnds(self.folder, untold)
        self.people.look_again()

    def record(self, draft):
        if self.is_to_die:
            raise PowerCutError
        return self.journal.append(draft)

    def dies_in(self, act):
        """Do something, and lose power before its entry; then start again."""
        self.is_to_die = True
        with pytest.raises(PowerCutError):
            act()
        self.start()

    def hear(self, rev, **fields):
        resident, text = parse_record({"id": "anna", "name": "Anna", **fields})
        target = RosterState(1, rev, roster_digest([("anna", rev, text)]), 1)
        self.people.apply([RosterChange(rev, "anna", resident, text)], target)

    def leave(self, rev):
        self.people.apply([RosterChange(rev, "anna")], RosterState(1, rev, roster_digest([]), 0))

    def told(self, kind):
        return [(one.resident_id, one.data) for one in self.journal.drafts if one.kind == kind]


@pytest.fixture
def door(tmp_path):
    door = Door(tmp_path)
    with closing(door.store):
        door.hear(1)
        yield door


@pytest.mark.parametrize(("way", "secret"), [("pin", PIN), ("card", CARD)])
def test_a_pin_or_card_that_was_given_is_told_at_the_next_start_once(door, way, secret):
    order = WayOrder(5, "anna", way, 0, "mei")
    door.dies_in(lambda: door.ways.take(order, secret))
    told = [("anna", {"by": "mei", "method": way, "from": "property"})]
    assert door.told("credential.given") == told
    assert door.ways.take(order, secret) is None  # the order comes again, for nobody said that it was taken
    assert door.ways.upto() == 5
    door.start()
    assert door.told("credential.given") == told


def test_ways_that_the_property_ended_are_told_of(door):
    with WaysIn.of(door.folder) as ways:
        ways.give_card(CARD["card"], "anna")
    door.dies_in(lambda: door.hear(2, ways_ended=7))
    door.hear(2, ways_ended=7)
    assert door.told("credential.removed") == [("anna", {"state": "property", "count": 1})]


def test_ways_of_who_left_are_told_of(door):
    with WaysIn.of(door.folder) as ways:
        ways.give_card(CARD["card"], "anna")
    door.dies_in(lambda: door.leave(2))
    door.leave(2)
    assert door.told("credential.removed") == [("anna", {"state": "property", "count": 1})]


def test_passes_that_the_property_ended_are_told_of(door):
    ended = PassEnds("door-1", 3, (EndedPass("00" * 8, door.clock.now() + timedelta(hours=1)),))
    door.dies_in(lambda: door.passes.take(ended))
    door.passes.take(ended)
    assert door.told("passes.ended") == [(None, {"rev": 3, "count": 1})]


TAKEN = [
    ("pin", lambda page, _: page.clear_pin("anna", "sam"), {}),
    ("card", lambda page, _: page.take_card(CARD["card"], "sam"), {}),
    ("pass", lambda page, one: page.end_pass(one, "sam"), {"kind": "courier", "max_uses": 1}),
]


@pytest.mark.parametrize(("way", "take", "more"), TAKEN, ids=[one[0] for one in TAKEN])
def test_what_is_taken_back_here_is_told_of_with_whoever_did_it(door, way, take, more):
    """It was gone, and nobody was told when the power came in between."""
    page, now = door.page, door.clock.now()
    page.set_pin("anna", **PIN)
    page.give_card(CARD["card"], "anna")
    page.issue_pass("door-1", "anna", PassWish(now, now + timedelta(hours=1), 1, PassKind.COURIER))
    (issued,) = page.passes_of("anna")
    more = {**more, "pass_id": issued.id.hex()} if more else {}
    door.dies_in(lambda: take(page, issued.id.hex()))
    assert door.told("credential.removed") == [("anna", {"by": "sam", "method": way, **more})]
    door.start()
    assert len(door.told("credential.removed")) == 1


def test_all_that_is_taken_back_at_once_is_told_of_one_by_one(door):
    page = door.page
    page.set_pin("anna", **PIN)
    page.give_card(CARD["card"], "anna")
    door.dies_in(lambda: page.take_all("anna", by="command line"))
    assert [data for _, data in door.told("credential.removed")] == [
        {"by": "command line", "method": "pin"},
        {"by": "command line", "method": "card"},
    ]


def test_an_account_that_was_removed_is_told_of(door):
    for name in ("ines", "otto"):
        door.accounts.put_back(account(name, Role.INSTALLER, "correct horse 9"))

    def remove():
        door.accounts.remove("otto", "ines")
        door.untold_accounts.tell()

    door.dies_in(remove)
    assert list(door.accounts.all()) == ["ines"]
    assert door.told("panel.account_removed") == [(None, {"by": "ines", "account": "otto"})]
    door.start()
    assert len(door.told("panel.account_removed")) == 1


class Card:
    """A journal's file on a card that takes nothing while it is `bad`; `is_last`: power goes after a row."""

    def __init__(self, path):
        self.journal, self.is_bad, self.is_last = open_journal(path), False, False

    def append(self, draft):
        if self.is_bad:
            raise JournalUnavailable("disk I/O error")
        event = self.journal.append(draft)
        if self.is_last:
            raise PowerCutError
        return event

    def close(self):
        self.journal.close()


class Process:
    """One run of a door's service: its journal, what it has in memory, and what it hears of passes."""

    def __init__(self, folder, *, is_bad=False):
        self.clock = ManualClock()
        self.folder, self.card = folder, Card(folder / JOURNAL_FILE)
        self.card.is_bad = is_bad
        self.spool = Spool((folder / SPOOL_FILE,))
        self.events = EventLog(self.card, self.clock, spool=self.spool)
        self.events.restore(in_journal(folder / JOURNAL_FILE))
        self.untold = UntoldWays(folder, self.events.record, self.clock, self.events.was_restored)
        self.passes = HeldPassEnds(folder, self.untold)
        self.untold.tell()

    def end_a_pass(self):
        until = self.clock.now() + timedelta(hours=1)
        self.passes.take(PassEnds("door-1", 3, (EndedPass("00" * 8, until),)))

    def second(self, count=1):
        """Let the thread that stores what waits in memory have its turns."""
        for _ in range(count):
            self.clock.advance(1)
            self.events.retry()
            if not self.events.unsaved:
                self.untold.tell_again()

    def kill(self, *, power=False):
        """End without a word; when the power goes, the copies of what is in memory go as well."""
        self.spool.flush()
        if power:
            (self.folder / SPOOL_FILE).unlink(missing_ok=True)
        self.card.close()

    def told(self):
        kinds = [event.kind for event in self.card.journal.read(0, 100)]
        return kinds.count("passes.ended")

    def kept(self):
        with closing(CredentialStore(self.folder / CREDENTIALS_FILE)) as store:
            return len(store.untold())


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("is_bad", [False, True], ids=["card back at once", "card back later"])
def test_what_a_failing_card_did_not_take_is_told_once_after_the_next_start(tmp_path, power, is_bad):
    first = Process(tmp_path)
    first.card.is_bad = True
    first.end_a_pass()
    first.second(3)
    assert (first.told(), first.kept()) == (0, 1)
    first.kill(power=power)
    second = Process(tmp_path, is_bad=is_bad)
    second.second()
    second.card.is_bad = False
    second.second(70)
    assert (second.told(), second.kept()) == (1, 0)
    second.kill()
    third = Process(tmp_path)
    third.second(70)
    assert third.told() == 1
    third.kill()


def test_what_a_failing_card_did_not_take_is_kept_until_it_did(tmp_path):
    door = Process(tmp_path)
    door.card.is_bad = True
    door.end_a_pass()
    door.second(130)
    assert (door.told(), door.kept(), door.events.unsaved) == (0, 1, 1)
    door.card.is_bad = False
    door.second(70)
    assert (door.told(), door.kept()) == (1, 0)
    door.kill()


def test_what_a_command_could_not_tell_is_told_by_the_door_that_runs(tmp_path):
    """Its journal failed for a moment: the command has ended by then."""
    door = Process(tmp_path)
    door.second()
    with WaysIn.of(tmp_path) as ways:
        ways.give_card(CARD["card"], "anna")
        ways.take_card(CARD["card"], "command line")
    assert door.kept() == 1
    door.second(61)
    assert door.kept() == 0
    assert [one.data for one in door.card.journal.read(0, 9)] == [{"by": "command line", "method": "card"}]
    door.kill()


@pytest.mark.parametrize(
    ("kind", "data", "at"),
    [
        ("credential.melted", "{}", None),
        ("credential.removed", "{", None),
        ("credential.removed", "7", None),
        ("credential.removed", "{}", "yesterday"),
        ("credential.removed", "{}", "2026-01-01T00:00:00"),
    ],
)
def test_an_event_that_nobody_can_read_ends_no_thread_and_keeps_no_other_one_back(tmp_path, kind, data, at):
    """A later version's, or a damaged row."""
    door = Process(tmp_path)
    with WaysIn.of(tmp_path) as ways, closing(sqlite3.connect(tmp_path / CREDENTIALS_FILE)) as file, file:
        ways.give_card(CARD["card"], "anna")
        row = (kind, data, at)
        file.execute("INSERT INTO untold (kind, data, at) VALUES (?, ?, ?)", row)
        file.commit()
        ways.take_card(CARD["card"], "command line")
    door.second(130)
    assert [one.data for one in door.card.journal.read(0, 9)] == [{"by": "command line", "method": "card"}]
    door.kill()


def test_a_card_that_says_nothing_of_the_file_ends_no_thread(tmp_path):
    clock = ManualClock()
    folder = tmp_path / ("x" * 300)  # no question about it is answered: its name is too long
    untold = UntoldWays(folder, MemoryJournal().append, clock)
    for _ in range(3):
        untold.tell_again()
        untold.tell_or_later()


def test_power_that_goes_right_after_the_entry_does_not_have_it_told_twice(tmp_path):
    first = Process(tmp_path)
    first.card.is_last = True
    with pytest.raises(PowerCutError):
        first.end_a_pass()
    assert (first.told(), first.kept()) == (1, 1)
    first.kill(power=True)
    second = Process(tmp_path)
    assert (second.told(), second.kept()) == (1, 0)
    second.kill()
