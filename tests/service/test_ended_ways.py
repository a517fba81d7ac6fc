"""A lost card is taken back wherever the property's word arrives, and what is given afterwards stays."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.broker.settings import BrokerSettings
from edge.domain import RosterChange, RosterState
from edge.enrol.ways_in import WaysIn
from edge.errors import RosterDrift
from edge.service.entry.kept import Credentials, KnownResidents
from edge.service.property.ended_ways import EndingRoster
from edge.service.untold import UntoldWays
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.sync.follower import RosterFollower
from edge.wire.records import parse_record
from tests.sync.hubside import KEYS, ManualClock, MemoryJournal


class Door:
    """A door's people and ways in, following a roster."""

    def __init__(self, folder):
        self.folder = folder
        self.store = ResidentStore(folder / RESIDENTS_FILE)
        self.journal = MemoryJournal()
        untold = UntoldWays(folder, self.journal.append, ManualClock())
        self.roster = EndingRoster(SqliteRoster(self.store), folder, untold)
        self.follower = RosterFollower(
            BrokerSettings("127.0.0.1", "door-1"), KEYS, self.roster, self.journal.append, ManualClock()
        )
        self.records = {}

    def hear(self, identity, rev, **fields):
        resident, text = parse_record({"id": identity, "name": identity, **fields})
        self.records[identity] = (identity, rev, text)
        target = RosterState(1, rev, roster_digest(self.records.values()), len(self.records))
        self.roster.apply([RosterChange(rev, identity, resident, text)], target)

    def start_again(self):
        """Be a process that has no memory of what an earlier one could not do."""
        untold = UntoldWays(self.folder, self.journal.append, ManualClock())
        self.roster = EndingRoster(SqliteRoster(self.store), self.folder, untold)
        self.roster.look_again()

    def change(self, *changes):
        """Hear several changes at once, of (id, revision, is there)."""
        told = []
        for identity, rev, is_there in changes:
            self.records.pop(identity, None)
            if is_there:
                resident, text = parse_record({"id": identity, "name": f"{identity} {rev}"})
                self.records[identity] = (identity, rev, text)
                told.append(RosterChange(rev, identity, resident, text))
            else:
                told.append(RosterChange(rev, identity))
        target = RosterState(1, changes[-1][1], roster_digest(self.records.values()), len(self.records))
        self.roster.apply(told, target)

    def give(self, identity, card):
        with WaysIn.of(self.folder) as ways:
            ways.give_card(card, identity)
            ways.set_pin(identity, "1203" if identity == "anna" else "1204")

    def held(self):
        with WaysIn.of(self.folder) as ways:
            return sorted(ways.cards().values()) + sorted(row.resident_id for row in ways.pin_rows())

    def told(self):
        return [
            (draft.resident_id, draft.data["count"])
            for draft in self.journal.drafts
            if draft.kind == "credential.removed"
        ]


def lose_key(folder):
    """Make the file of cards unusable; return where what it needs is."""
    away = folder / "away.db"
    (folder / "pin.key").rename(away)
    return away


@pytest.fixture
def door(tmp_path):
    door = Door(tmp_path)
    with closing(door.store):
        yield door


def test_what_somebody_has_is_taken_back_and_what_they_get_afterwards_stays(door):
    """Nobody else's; and however often the same word comes."""
    door.hear("anna", 1)
    door.hear("otto", 2)
    door.give("anna", "w26:17:1")
    door.give("otto", "w26:17:2")
    door.hear("anna", 3, ways_ended=1_800_000_000)
    assert door.held() == ["otto", "otto"]
    assert door.told() == [("anna", 2)]
    door.give("anna", "w26:17:3")
    door.hear("anna", 4, ways_ended=1_800_000_000, access_levels=["pool"])
    assert door.held() == ["anna", "otto", "anna", "otto"]
    door.hear("anna", 5, ways_ended=1_800_000_001)
    assert door.held() == ["otto", "otto"]


def test_who_is_removed_leaves_nothing_to_whom_their_number_is_given(door):
    """Flats outlive tenants: the next one must not find the former one's PIN open the door."""
    door.hear("anna", 1)
    door.hear("otto", 2)
    door.give("anna", "w26:17:1")
    door.give("otto", "w26:17:2")
    door.change(("anna", 3, False), ("anna", 4, True))
    assert door.held() == ["otto", "otto"]
    assert door.told() == [("anna", 2)]
    door.records.pop("otto")
    resident, text = parse_record({"id": "anna", "name": "anna 4"})
    target = RosterState(1, 6, roster_digest(door.records.values()), 1)
    door.roster.replace([RosterChange(4, "anna", resident, text)], target)
    assert door.held() == []


@pytest.mark.parametrize(("begun", "held"), [(6, []), (1, ["anna", "anna"])])
def test_who_was_given_the_number_in_revisions_that_were_missed_gets_nothing_of_the_former_ones(
    door, begun, held
):
    """All records come at once then, and no removal."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    resident, text = parse_record({"id": "anna", "name": "anna again", "begun": begun})
    target = RosterState(1, 6, roster_digest([("anna", 6, text)]), 1)
    door.roster.replace([RosterChange(6, "anna", resident, text)], target)
    assert door.held() == held


def test_the_end_of_cards_counts_for_whoever_has_the_number_now_whatever_the_clock_said(door):
    """The property's clock may have been years ahead when it ended the former tenant's."""
    door.hear("anna", 1, ways_ended=4_000_000_000)
    door.change(("anna", 2, False), ("anna", 3, True))
    door.give("anna", "w26:17:1")
    door.hear("anna", 4, ways_ended=1_800_000_000)
    assert door.held() == []


def test_a_removal_waits_for_no_file_of_cards(door, tmp_path):
    """Faces and rights go at once; what they open beside goes as soon as it can."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    away = tmp_path / "away.db"
    (tmp_path / "pin.key").rename(away)
    door.change(("anna", 2, False))
    assert door.store.get("anna") is None
    away.rename(tmp_path / "pin.key")
    assert door.held() == ["anna", "anna"]
    door.follower.idle()
    assert door.held() == []


def test_who_gets_the_number_once_the_file_works_again_keeps_what_they_are_given(door, tmp_path):
    """The property may confirm the roster only hours later."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    away = tmp_path / "away.db"
    (tmp_path / "pin.key").rename(away)
    door.change(("anna", 2, False), ("anna", 3, True))
    door.follower.idle()
    away.rename(tmp_path / "pin.key")
    door.follower.idle()
    assert door.held() == []
    door.give("anna", "w26:17:2")
    door.roster.confirm(ManualClock().now())
    assert door.held() == ["anna", "anna"]


def test_a_removal_that_waited_for_the_file_of_cards_is_carried_out_after_a_restart(door, tmp_path):
    """Else the next tenant's number opens by the former one's card."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    away = tmp_path / "away.db"
    (tmp_path / "pin.key").rename(away)
    door.change(("anna", 2, False))
    away.rename(tmp_path / "pin.key")
    again = EndingRoster(
        SqliteRoster(door.store), tmp_path, UntoldWays(tmp_path, door.journal.append, ManualClock())
    )
    again.look_again()
    assert door.held() == []
    assert door.told() == [("anna", 2)]


def test_nobody_inherits_what_could_not_be_taken_back_across_a_restart(door, tmp_path):
    """The next tenant has the number already when the file of cards works again."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    lost = lose_key(tmp_path)
    door.change(("anna", 2, False), ("anna", 3, True))
    lost.rename(tmp_path / "pin.key")
    door.start_again()
    assert door.held() == []
    assert door.told() == [("anna", 2)]
    door.give("anna", "w26:17:2")
    door.start_again()
    door.follower.idle()
    assert door.held() == ["anna", "anna"]


def test_what_is_owed_counts_for_nothing_and_goes_before_anything_is_given(door, tmp_path):
    """A running door answers by what it read last, and somebody at the page may be faster than the chore."""
    door.hear("anna", 1)
    door.hear("otto", 2)
    door.give("anna", "w26:17:1")
    door.give("otto", "w26:17:2")
    people = KnownResidents(door.store)
    with closing(Credentials(tmp_path, (), owed=people.owed)) as credentials:
        assert len(credentials.register().cards) == 2
        lost = lose_key(tmp_path)
        door.change(("anna", 3, False), ("anna", 4, True))
        register = credentials.register()
        assert register.cards == {"w26:17:2": "otto"}
        assert (register.pins.owners_of("1203"), register.pins.owners_of("1204")) == ((), ("otto",))
        assert register.owed == {"anna"}
        lost.rename(tmp_path / "pin.key")
        door.give("anna", "w26:17:3")
        assert credentials.register().cards == {"w26:17:2": "otto", "w26:17:3": "anna"}
        door.follower.idle()
        assert credentials.register().cards == {"w26:17:2": "otto", "w26:17:3": "anna"}


def test_a_damaged_file_of_cards_holds_up_no_change_and_the_end_of_a_card_counts_at_once(door, tmp_path):
    """Else whoever is removed in the same change, or after it, goes on getting in by their face."""
    door.hear("anna", 1)
    door.hear("otto", 2)
    door.give("anna", "w26:17:1")
    people = KnownResidents(door.store)
    with closing(Credentials(tmp_path, (), owed=people.owed)) as credentials:
        credentials.register()
        lost = lose_key(tmp_path)
        door.hear("anna", 3, ways_ended=9)
        door.change(("otto", 4, False))
        assert door.store.get("otto") is None
        assert credentials.register().cards == {}
        lost.rename(tmp_path / "pin.key")
        door.follower.idle()
        assert door.held() == []
        assert door.told() == [("anna", 2)]
        door.give("anna", "w26:17:3")
        door.start_again()
        assert door.held() == ["anna", "anna"], "one order ends what was there once"


def test_an_order_that_was_heard_long_ago_takes_nothing_while_the_file_cannot_be_used(door, tmp_path):
    door.hear("anna", 1, ways_ended=9)
    door.give("anna", "w26:17:1")
    people = KnownResidents(door.store)
    with closing(Credentials(tmp_path, (), owed=people.owed)) as credentials:
        credentials.register()
        lost = lose_key(tmp_path)
        door.hear("anna", 2, ways_ended=9, access_levels=["pool"])
        assert credentials.register().cards == {"w26:17:1": "anna"}
        lost.rename(tmp_path / "pin.key")
        door.follower.idle()
        assert door.held() == ["anna", "anna"]


def test_the_end_of_the_next_ones_cards_is_not_forgotten_with_the_former_ones(door):
    """It came with the number; what is given after it stays at the next start."""
    door.hear("anna", 1)
    door.records.pop("anna")
    resident, text = parse_record({"id": "anna", "name": "anna 3", "ways_ended": 9})
    target = RosterState(1, 3, roster_digest([("anna", 3, text)]), 1)
    door.roster.apply([RosterChange(2, "anna"), RosterChange(3, "anna", resident, text)], target)
    door.give("anna", "w26:17:1")
    door.start_again()
    assert door.held() == ["anna", "anna"]


def test_a_change_that_does_not_arrive_is_carried_out_all_the_same(door):
    """A card that is taken back too early is given again; one that is kept too long lets somebody in."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    resident, text = parse_record({"id": "anna", "name": "anna", "ways_ended": 7})
    with pytest.raises(RosterDrift):
        door.roster.apply([RosterChange(2, "anna", resident, text)], RosterState(1, 2, "0" * 64, 1))
    assert door.held() == []


def test_a_restored_copy_of_the_cards_is_looked_at_again(door, tmp_path):
    """The lost card of a backup opens nothing once the door has started."""
    door.hear("anna", 1)
    door.give("anna", "w26:17:1")
    backup = (tmp_path / "credentials.db").read_bytes()
    door.hear("anna", 2, ways_ended=9)
    (tmp_path / "credentials.db").write_bytes(backup)
    assert door.held() == ["anna", "anna"]
    door.roster.look_again()
    assert door.held() == []


def test_a_door_that_had_no_cards_when_it_heard_keeps_the_first_one_that_is_given(door):
    """The order is remembered, also where there was nothing to take back."""
    door.hear("anna", 1, ways_ended=9)
    door.give("anna", "w26:17:1")
    door.hear("anna", 2, ways_ended=9, access_levels=["pool"])
    door.roster.look_again()
    assert door.held() == ["anna", "anna"]


ACTS = st.lists(st.sampled_from(["give", "order", "hear", "restart", "levels", "other"]), max_size=25)


@given(ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_what_was_given_before_an_order_was_heard_ever_goes(tmp_path_factory, acts):
    """In whatever order cards are given, orders are made and heard, and the door is started anew."""
    door, rev, ordered = Door(tmp_path_factory.mktemp("door")), 2, 0
    with closing(door.store):
        door.hear("anna", 1)
        door.hear("otto", 2)
        door.give("otto", "w26:17:2")
        heard, has = 0, False
        for number, act in enumerate(acts, 1):
            if act == "give":
                door.give("anna", f"w26:18:{number}")
                has = True
            elif act == "order":
                ordered = number
            elif act in {"hear", "levels"}:
                rev += 1
                fields = {"ways_ended": ordered} if ordered else {}
                door.hear("anna", rev, **fields, access_levels=[f"level-{number}"])
                has, heard = has and ordered <= heard, max(heard, ordered)
            elif act == "restart":
                door.roster.look_again()
            else:
                rev += 1
                door.hear("otto", rev, access_levels=[f"level-{number}"])
            held = set(door.held())
            assert ("anna" in held) is has, (acts, number)
            assert "otto" in held
