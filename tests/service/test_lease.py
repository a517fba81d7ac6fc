"""The roster's lease: off unless wanted; ends rights when the property is silent; never by a leap of time."""

from contextlib import ExitStack, closing
from datetime import timedelta

import pytest

from edge.config.mqtt import Mqtt
from edge.domain import Reason, Resident
from edge.policy.trust import Believe
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import TrustedTime
from edge.service.entry.kept import KnownResidents
from edge.service.entry.lease import RosterLease
from edge.service.entry.rules import DoorRules
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from tests.service.test_door_access import Site
from tests.sync.property import Property

DAY = 86_400.0


class Doubt:
    """A clock that nobody believes."""

    def moments(self, at):
        return ()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    site = Property()
    site.put("anna", "Anna")
    site.put("ward", "Caretaker", access_levels=["resident", "standing"])
    site.put("soon", "Leaves", valid_until=(clock.now() + timedelta(days=2)).isoformat())
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        SqliteRoster(store).replace(list(site.records.values()), site.state())
        SqliteRoster(store).confirm(clock.now())
        store.put(Resident("here", "Enrolled here"), [])
        yield store


def leased(store, clock, trust=None):
    return RosterLease(KnownResidents(store).find, store, clock, trust or Believe(), days=7)


def ends(lease, clock):
    """Return who has expired now."""
    found = {who: lease.find(who).valid_until for who in ("anna", "ward", "soon", "here")}
    return {who for who, until in found.items() if until is not None and until <= clock.now()}


def test_rights_end_with_the_lease_but_not_those_of_standing_or_local_people(store, clock):
    lease = leased(store, clock)
    clock.advance(DAY)
    assert ends(lease, clock) == set()
    clock.advance(6 * DAY)
    assert ends(lease, clock) == {"anna", "soon"}
    assert lease.find("nobody") is None
    assert lease.find("soon").valid_until == clock.now() - timedelta(days=5)


def test_the_property_s_people_whose_face_was_enrolled_here_are_still_the_property_s(store, clock):
    """Else the lease would end the rights of nobody who has a face."""
    lease = leased(store, clock)
    store.put(store.get("anna"), [])
    store.put(store.get("anna"), [], source="import")
    assert store.source_of("anna") == "roster"
    clock.advance(8 * DAY)
    assert "anna" in ends(lease, clock)


def test_the_end_and_the_return_are_told_once(store, clock):
    lease = leased(store, clock)
    assert lease.look() is None
    clock.advance(8 * DAY)
    assert lease.look()["state"] == "lease_over"
    assert lease.look() is None
    SqliteRoster(store).confirm(clock.now())
    assert lease.look()["state"] == "ok"
    assert ends(lease, clock) == {"soon"}


def test_a_clock_that_is_set_right_in_one_leap_keeps_nobody_out(store, clock):
    """Without a battery a board starts in the past, hears the property, and then learns the time."""
    lease = leased(store, clock)
    clock.advance(5)
    SqliteRoster(store).confirm(clock.now())
    lease.look()
    clock.step_wall(30 * DAY)
    assert ends(lease, clock) == {"soon"}
    clock.advance(7 * DAY)
    assert "anna" in ends(lease, clock)


def test_while_the_time_is_not_known_no_lease_ends(store, clock):
    lease = leased(store, clock, Doubt())
    clock.advance(30 * DAY)
    assert lease.ended is None
    assert lease.look() is None


def test_a_card_that_fails_for_long_fills_no_log(store, clock, caplog):
    known = KnownResidents(store)
    lease = RosterLease(known.find, store, clock, Believe(), days=7)
    store.close()
    for _ in range(300):
        clock.advance(1)
        lease.look()
        lease.find("anna")
    assert 1 <= len([line for line in caplog.messages if "lease is as it was" in line]) <= 6
    assert 1 <= len([line for line in caplog.messages if "is taken from memory" in line]) <= 2


def test_a_bad_card_ends_no_lease(store, clock):
    lease = leased(store, clock)
    store.close()
    assert lease.look() is None
    assert lease.ended is None


def test_who_was_enrolled_here_comes_in_on_a_bad_card_when_the_lease_is_over(store, clock):
    lease = leased(store, clock)
    clock.advance(8 * DAY)
    store.close()
    assert ends(lease, clock) == {"anna", "soon"}


def test_a_door_with_a_lease_refuses_by_it_and_writes_it_down(tmp_path):
    """Put together as a running door is: rules, clock, journal."""
    with ExitStack() as stack:
        site = Site(tmp_path, stack)
        people = Property()
        people.put("anna", "Anna")
        SqliteRoster(site.store).replace(list(people.records.values()), people.state())
        SqliteRoster(site.store).confirm(site.clock.now())
        settings = site.settings.model_copy(
            update={"mqtt": Mqtt.model_validate({"host": "localhost", "roster_lease_days": 7})}
        )
        time = TrustedTime(site.clock, tmp_path / "floor", lambda: True)
        access = DoorRules(settings, tmp_path, site.clock, time, site.store, site.events)
        stack.callback(access.close)
        assert access.policy.authorise("anna", site.clock.now(), "card").allowed
        site.clock.advance(7 * DAY)
        access.tick()
        refused = access.policy.authorise("anna", site.clock.now(), "card")
        assert (refused.allowed, refused.reason) == (False, Reason.CREDENTIAL_EXPIRED)
        assert access.policy.authorise("bert", site.clock.now(), "card").allowed  # enrolled here
        assert "journal health.roster None" in site.wire.history
