"""PINs, cards and passes that the property gives and ends: power that goes before the entry loses none."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from edge.domain import RosterChange, RosterState
from edge.enrol.ways_in import WaysIn
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.property.ended_ways import EndingRoster
from edge.service.property.given_ways import HeldWays
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.wire.ended_passes import EndedPass, PassEnds
from edge.wire.given_ways import WayOrder
from edge.wire.records import parse_record
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
        self.people = EndingRoster(SqliteRoster(self.store), self.folder, self.record, self.clock)
        self.ways = HeldWays(SqliteRoster(self.store), self.folder, self.record, self.clock)
        self.passes = HeldPassEnds(self.folder, self.record, self.clock)
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
