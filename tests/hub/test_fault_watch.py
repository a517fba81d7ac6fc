"""A dead camera opens its own ticket and closes it; nothing of a resident's and no alarm ever does."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa

from edge.events import KINDS, EventGroup, Kind
from facegate_hub.community.faults import Faults
from facegate_hub.community.machine import TicketAct, TicketState
from facegate_hub.community.schema import TICKETS
from facegate_hub.community.verify import verify
from facegate_hub.database import put_all
from facegate_hub.fault_watch import LASTS_SECONDS, WATCHED, FaultWatch
from facegate_hub.tables import DEVICES, EVENTS, STREAMS, open_tables
from tests.community.compound import new_compound

A, S = TicketAct, TicketState


class Site:
    def __init__(self, folder):
        self.compound = new_compound(folder)
        self.engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
        self.faults = Faults(self.compound.book, self.compound.terms)
        self.number = 0
        self.start()

    def start(self):
        clock = self.compound.clock
        self.watch = FaultWatch(self.engine, self.faults, lambda: clock.now().timestamp())

    def hear(self, state, door="gate", kind="health.camera", ago=0, **more):
        """Store the next event of a door's journal, or that of the number `seq`."""
        stream = more.pop("stream", "s")
        seq = more.pop("seq", None) or self.number + 1
        self.number = max(self.number, seq)
        now = self.compound.clock.now()
        at = (now - timedelta(seconds=ago)).isoformat()
        row = {
            "device": door,
            "stream": stream,
            "seq": seq,
            "at": at,
            "kind": kind,
            "prev": "",
            "hash": "",
            "stored_at": now.timestamp(),
        }
        with self.engine.begin() as connection:
            body = json.dumps({"data": {"state": state}, **more})
            connection.execute(sa.insert(EVENTS).values(**row, body=body))
            ours = (EVENTS.c.device == door, EVENTS.c.stream == stream)
            numbers = set(connection.execute(sa.select(EVENTS.c.seq).where(*ours)).scalars())
            # How far there is no gap. Journals begin with 1; here a door begins where the site is.
            upto = next((one - 1 for one in count(min(numbers)) if one not in numbers), 0)
            place = {"device": door, "stream": stream, "upto": upto, "top": max(numbers)}
            put_all(connection, STREAMS, [{**place, "moved_at": now.timestamp()}])

    def look(self, after=LASTS_SECONDS + 1):
        self.watch.look()
        self.compound.clock.advance(after)
        self.watch.look()

    def states(self):
        with self.compound.book.looking() as connection:
            query = sa.select(TICKETS.c.state).order_by(TICKETS.c.number)
            return list(connection.execute(query).scalars())


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_a_dead_camera_opens_one_ticket_and_ends_it_when_nobody_had_begun(site):
    site.hear("lost")
    site.look()
    site.hear("lost")
    site.look()
    site.start()
    site.look()
    assert site.states() == ["new"]
    site.hear("back")
    site.look()
    assert site.states() == ["withdrawn"]
    site.hear("lost")
    site.look()
    assert site.states() == ["withdrawn", "new"]


@pytest.mark.parametrize("kind", ["health.camera", "health.reader", "health.clock"])
def test_what_was_mended_while_the_door_was_off_ends_with_its_start(site, kind):
    """A door tells only what is wrong since it was started; its ticket stayed for good."""
    site.hear("lost", kind=kind)
    site.look()
    assert site.states() == ["new"]
    site.hear(None, kind="service.started")
    site.look()
    assert site.states() == ["withdrawn"]
    site.hear("lost", kind=kind)
    site.look()
    assert site.states() == ["withdrawn", "new"]


def test_a_start_says_nothing_of_locked_credentials(site):
    """They are looked at before the door says that it starts."""
    site.hear("unbound", kind="health.credentials")
    site.hear(None, kind="service.started")
    site.look()
    assert site.states() == ["new"]


def test_what_is_over_in_a_moment_is_no_work_for_anybody(site):
    site.hear("lost")
    site.look(after=30)
    site.hear("back")
    site.look()
    assert site.states() == []


def test_what_was_worked_on_is_confirmed_by_the_door_when_it_is_resolved(site):
    site.hear("lost")
    site.look()
    act = site.compound.act
    act("dora", 1, A.ASSIGN, assignee="technician-1")
    act("technician-1", 1, A.START)
    site.hear("back")
    site.look()
    assert site.states() == ["working"]
    act("technician-1", 1, A.RESOLVE, text="new cable", cause="wear")
    site.look()
    assert site.states() == ["confirmed"]
    sheet = site.compound.tickets.sheet(site.compound.asker("zhao"), 1)
    assert [step.act for step in sheet.steps][-3:] == ["cleared", "resolve", "confirm"]
    with site.compound.book.looking() as connection:
        assert verify(connection, site.compound.book.sealer).problems == []


def test_a_resolved_fault_that_is_still_there_is_not_confirmed(site):
    site.hear("lost")
    site.look()
    site.compound.act("dora", 1, A.ASSIGN, assignee="technician-1")
    site.compound.act("technician-1", 1, A.START)
    site.compound.act("technician-1", 1, A.RESOLVE, text="looked at it", cause="unknown")
    site.look()
    assert site.states() == ["resolved"]


def test_each_door_and_kind_has_a_ticket_of_its_own_and_no_limit_of_a_day_is_met(site):
    for number in range(12):
        site.hear("lost", door=f"door-{number}")
    site.hear("lost", kind="health.reader")
    site.look()
    assert site.states() == ["new"] * 13


@pytest.mark.parametrize("behind", [90, 10 * 365 * 86_400])
def test_what_a_door_says_after_its_clock_was_set_back_counts(site, behind):
    """It was taken for older than what the door had said before, and one years behind was never read."""
    site.hear("back")
    site.hear("lost", ago=behind)
    site.look()
    assert site.states() == ["new"]
    site.hear("back", ago=2 * behind)
    site.look()
    assert site.states() == ["withdrawn"]


def test_a_door_whose_clock_is_years_behind_has_a_ticket_also_after_a_start_of_the_hub(site):
    site.hear("behind", kind="health.clock", ago=2 * 365 * 86_400)
    site.start()
    site.look()
    assert site.states() == ["new"]


def test_what_fills_a_gap_comes_before_what_waited_behind_it(site):
    site.hear("back", seq=1)
    site.hear("back", seq=3)
    site.watch.look()
    site.hear("lost", seq=2)
    site.look()
    assert site.states() == []
    site.hear("lost", seq=5)
    site.watch.look()
    site.hear("back", seq=4)
    site.look()
    assert site.states() == ["new"]


def test_a_new_journal_speaks_after_the_one_before(site):
    site.hear("lost", stream="zz")
    site.compound.clock.advance(1)
    site.hear("back", stream="a")
    site.start()
    site.look()
    assert site.states() == []


def test_nonsense_changes_nothing(site):
    site.hear(["lost"])
    site.hear(7)
    site.hear("lost", door="../x")
    site.look()
    assert site.states() == []


def test_no_alarm_and_nothing_of_a_residents_is_ever_read(site):
    for kind in WATCHED:
        assert KINDS[kind].group is EventGroup.HEALTH
        assert not KINDS[kind].is_silent
        assert KINDS[kind].well_states
        assert not kind.startswith(("alarm.", "access.", "resident."))
    for kind in Kind:
        if kind not in WATCHED:
            site.hear("lost", kind=str(kind), resident="anna-17")
    site.look()
    assert site.states() == []


def test_a_door_that_was_heard_in_the_future_and_is_gone_has_a_ticket(site):
    """The hub's clock was ahead and was set right: nobody was told until it was there again."""
    heard = site.compound.clock.now().timestamp() + 86_400
    with site.engine.begin() as connection:
        connection.execute(sa.insert(DEVICES).values(id="gate", avail="offline", heard_at=heard))
        connection.execute(sa.insert(DEVICES).values(id="hall", avail="online", heard_at=heard))
    site.look()
    assert len(site.states()) == 1


@pytest.mark.parametrize("which", range(6))
def test_a_hub_that_dies_at_any_commit_has_one_ticket_afterwards(site, which):
    """The ticket was one commit, and that it is the door's another one: in between it was nobody's."""
    site.hear("lost")
    site.watch.look()
    site.compound.clock.advance(LASTS_SECONDS + 1)
    left = [which]

    @sa.event.listens_for(site.compound.book.engine, "commit")
    def cut(_):
        left[0] -= 1
        if left[0] == -1:
            raise OSError("the power is gone")

    with suppress(OSError):
        site.watch.look()
    left[0] = 1000
    site.start()
    site.look()
    assert site.states() == ["new"]
    site.hear("back")
    site.look()
    assert site.states() == ["withdrawn"]
