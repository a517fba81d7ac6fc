"""A visitor rings a flat: answered once, within the minute, by who lives there; and a page that lies."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from edge.errors import CommunityRefused, SyncError
from edge.wire.commands import CommandType
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.rings import MOST_SHOWN, RING_SECONDS, Rings, RingState
from facegate_hub.community.schema import RINGS
from facegate_hub.community.verify import verify
from facegate_hub.heard_rings import HeardRings
from facegate_hub.rings import MOST_A_MINUTE, RingBridge
from facegate_hub.roster import RosterLog
from facegate_hub.tables import EVENTS, REQUESTS, RINGS_HEARD
from tests.community.compound import new_compound
from tests.community.web import resident
from tests.hub.test_commands import DOOR, Wire, ask_at
from tests.present import present

OTHER_DOOR = "lobby-5"


class AllRings(Rings):
    """The page's table, also of rings for no flat."""

    def all(self):
        return self._found(sa.true())


class Site:
    """A compound, its hub, a door that answers commands, and its bell; all by one clock."""

    def __init__(self, folder):
        self.compound = new_compound(folder)
        self.terms = replace(self.compound.terms, doors={"3": (DOOR,), "5": (OTHER_DOOR,)})
        self.wire = Wire(folder, self.compound.clock.now().timestamp())
        self.bell = 0
        for name in ("wang", "wang-wife", "li"):
            self.compound.register.change(SYSTEM, self.compound.people[name], resident=f"{name}-here")
        people = [{"id": f"{name}-here", "name": name} for name in ("wang", "wang-wife", "li")]
        RosterLog(self.wire.engine, None).change(people)
        self.wire.signer.change("rule", name="rings", value=f"{DOOR} {OTHER_DOOR}")
        self.bridge = self.new_bridge()

    def new_bridge(self, signer=None):
        parts = (self.compound.book, self.terms)
        return RingBridge(self.wire.engine, parts, signer or self.wire.signer, lambda: self.wire.seconds)

    def advance(self, seconds):
        self.wire.advance(seconds)
        self.compound.clock.advance(seconds)

    def ring(self, typed="1203", door=DOOR, **more):
        """Ring the bell of a door, as its journal tells the hub."""
        self.bell += 1
        at = datetime.fromtimestamp(more.pop("at", self.wire.seconds), UTC)
        data = {"at": "screen", "flat": typed} if typed else {"at": "screen"}
        row = {"device": door, "stream": "s", "seq": self.bell, "kind": "door.bell", "prev": "-", "hash": "-"}
        row |= {"at": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "body": json.dumps({"data": data}), "proven": 1}
        row |= {"stored_at": self.wire.seconds, **more}
        with self.wire.engine.begin() as connection:
            connection.execute(sa.insert(EVENTS).values(**row))

    def rung(self, typed="1203", door=DOOR):
        """Ring, and return the ring as the hub tells of it."""
        self.ring(typed, door)
        self.bridge.look()
        return self.all()[0]

    def all(self):
        return AllRings(self.compound.book).all()

    def heard(self):
        """Return what the guard is shown."""
        return HeardRings(self.wire.engine).lately(self.wire.seconds)

    def of(self, name):
        person = self.compound.register.one(self.compound.people[name])
        return Rings(self.compound.book).of_flats(person.flats)

    def answer(self, name, ring, *, opens=True):
        person = self.compound.register.one(self.compound.people[name])
        Rings(self.compound.book).answer(person.id, person.flats, ring.id, opens=opens)

    def lie(self, ring, **values):
        """Be a page whose code was replaced: write whatever one likes into the table of rings."""
        with self.compound.book.engine.begin() as connection:
            connection.execute(sa.update(RINGS).where(RINGS.c.id == ring).values(**values))

    def wish_of(self, name, ring):
        self.lie(ring.id, state="wished", answered_by=self.compound.people[name], answered_at=self.now())

    def now(self):
        return int(self.wire.seconds)

    def work(self):
        """Let bridge, hub and door do what is due until nobody has anything to say."""
        for _ in range(3):
            self.bridge.look()
            self.wire.talk()
        self.bridge.look()

    def told(self):
        (one,) = self.all()
        return one.state, one.why

    def requests(self):
        with self.wire.engine.connect() as connection:
            return connection.execute(sa.select(REQUESTS)).all()


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.wire.signer.close()
    made.wire.engine.dispose()


def steps_of(engine, look):
    """Return how many steps the database takes for it."""
    count = [0]

    def step():
        count[0] += 1

    def watch(connection, _record, _proxy):
        connection.set_progress_handler(step, 10)

    sa.event.listen(engine, "checkout", watch)
    look()
    sa.event.remove(engine, "checkout", watch)
    return count[0]


def test_rings_that_a_door_dates_ahead_are_not_looked_at_again_and_again(site):
    site.rung()
    few = steps_of(site.wire.engine, site.bridge.look)
    for minutes in range(2, 1000):
        site.ring(at=site.wire.seconds + 60 * minutes, door=OTHER_DOOR)
    assert steps_of(site.wire.engine, site.bridge.look) < few + 200
    assert {one.door for one in site.all()} == {DOOR}


def test_from_the_bell_to_the_open_door_in_the_residents_name(site):
    ring = site.rung()
    assert (ring.door, ring.flat, ring.state) == (DOOR, "3-1203", RingState.RINGING)
    phone = resident(site.compound, "wang")
    phone.get("/")
    assert f"Somebody is ringing at {DOOR}" in phone.page
    phone.get("/rings")
    phone.send("/rings", ring=ring.id, answer="open")
    site.work()
    phone.get("/rings")
    assert ">opened<" in phone.page
    assert 'name="answer"' not in phone.page
    assert [kind for _, kind in site.wire.done] == [CommandType.UNLOCK]
    assert [row.by for row in site.requests()] == ["res.wang-here"]
    audit = [one for one in site.wire.signer.audit(50)[0] if one.what == "command"]
    assert [one.by for one in audit] == ["res.wang-here"]
    drafts = [one for one in site.wire.journal.drafts if one.kind == "command.taken"]
    assert [one.data["by"] for one in drafts] == ["res.wang-here"]


def test_only_who_lives_there_sees_it_and_the_guard(site):
    site.rung()
    assert [len(site.of(name)) for name in ("wang", "wang-wife", "li", "zhao")] == [1, 1, 0, 0]
    li = resident(site.compound, "li")
    li.get("/rings")
    assert DOOR not in li.page
    assert [one.door for one in site.heard()] == [DOOR]


@pytest.mark.parametrize(
    ("typed", "door", "flat"),
    [
        ("1203", DOOR, "3-1203"),
        ("31203", DOOR, "3-1203"),
        ("1203", OTHER_DOOR, None),
        ("101", OTHER_DOOR, "5-101"),
        ("101", DOOR, None),
        ("9999", DOOR, None),
        ("", DOOR, None),
        ("1203' OR 1=1", DOOR, None),
        ("1203", "gate", None),
    ],
)
def test_a_number_means_a_flat_whose_door_it_is(site, typed, door, flat):
    assert site.rung(typed, door).flat == flat


def test_after_a_no_nothing_opens_not_even_for_a_page_that_lies(site):
    ring = site.rung()
    site.answer("wang", ring, opens=False)
    site.work()
    with pytest.raises(CommunityRefused, match="has ended"):
        site.answer("wang-wife", ring)
    site.wish_of("wang-wife", ring)
    site.work()
    assert site.told() == (RingState.NO, None)
    assert (site.requests(), site.wire.done) == ([], [])


def test_the_first_answer_of_a_household_counts(site):
    ring = site.rung()
    site.answer("wang", ring)
    with pytest.raises(CommunityRefused):
        site.answer("wang-wife", ring, opens=False)


def test_a_ring_that_is_over_opens_nothing(site):
    ring = site.rung()
    site.advance(RING_SECONDS)
    assert site.all()[0].state is RingState.OVER
    with pytest.raises(CommunityRefused, match="has ended"):
        site.answer("wang", ring)
    site.wish_of("wang", ring)
    site.work()
    assert site.told() == (RingState.REFUSED, "over")
    assert site.requests() == []


def test_a_ring_from_before_the_clock_went_back_opens_nothing(site):
    """It could be answered until the clock was there again: whoever had rung was long gone."""
    ring = site.rung()
    site.wire.seconds -= 300
    site.compound.clock.step_wall(-300)
    assert [one.state for one in site.all()] == [one.state for one in site.heard()] == [RingState.OVER]
    with pytest.raises(CommunityRefused, match="has ended"):
        site.answer("wang", ring)
    site.wish_of("wang", ring)
    site.work()
    assert site.requests() == []


def test_rings_from_before_the_clock_went_back_silence_no_bell(site):
    """They filled the door's minute and the lists until the clock was there again."""
    for _ in range(MOST_SHOWN):
        site.rung()
        site.advance(RING_SECONDS / MOST_A_MINUTE)
    for _ in range(MOST_A_MINUTE):
        site.rung()
    site.wire.seconds -= 86_400
    site.compound.clock.step_wall(-86_400)
    ring = site.rung()
    assert [one.id for one in site.all()] == [one.id for one in site.heard()] == [ring.id]
    assert ring.state is RingState.RINGING
    site.answer("wang", ring)
    site.work()
    assert len(site.wire.done) == 1


def test_an_answer_is_never_played_back(site):
    ring = site.rung()
    site.answer("wang", ring)
    site.work()
    for _ in range(3):
        site.wish_of("wang", ring)
        site.work()
    assert site.told()[0] is RingState.OPENED
    assert len(site.wire.done) == len(site.requests()) == 1
    with pytest.raises(SyncError, match="answered before"):
        site.wire.signer.answer_ring(ring.id, DOOR, "wang-here")


@pytest.mark.parametrize(
    "lie", [{"id": "f" * 64}, {"door": OTHER_DOOR}, {"rang_at": 2**40}, {"flat": "3-1204"}]
)
def test_what_a_page_says_of_a_ring_counts_for_nothing(site, lie):
    ring = site.rung()
    site.advance(RING_SECONDS - 5)
    site.lie(ring.id, **lie)
    known = lie.get("id", ring.id)
    site.lie(known, state="wished", answered_by=site.compound.people["li"], answered_at=site.now())
    site.work()
    assert site.requests() == []
    assert all(one.state is not RingState.OPENED for one in site.all())


@pytest.mark.parametrize("name", ["li", "zhao"])
def test_who_lives_elsewhere_opens_nothing_by_a_page_that_lies(site, name):
    site.wish_of(name, site.rung())
    site.work()
    assert site.told() == (RingState.REFUSED, "flat")
    assert site.requests() == []


def test_a_stranger_by_name_and_who_moved_out_open_nothing(site):
    site.lie(site.rung().id, state="wished", answered_by="nobody", answered_at=site.now())
    site.work()
    assert site.told() == (RingState.REFUSED, "flat")
    ring = site.rung()
    register, wang = site.compound.register, site.compound.people["wang"]
    site.answer("wang", ring)
    register.end_tie(SYSTEM, register.one(wang).ties[0].id)
    site.work()
    assert site.requests() == []


def test_whom_the_roster_does_not_know_any_more_opens_nothing(site):
    ring = site.rung()
    site.answer("wang", ring)
    RosterLog(site.wire.engine, None).change(removals=["wang-here"])
    site.work()
    assert site.told() == (RingState.REFUSED, "no_resident")
    assert site.requests() == []


def test_no_door_opens_so_unless_the_sites_rules_name_it(site):
    site.wire.signer.change("rule", name="rings", value="")
    site.answer("wang", site.rung())
    site.work()
    assert site.told() == (RingState.REFUSED, "not_allowed")
    assert site.requests() == []


def test_nobody_opens_more_than_three_times_a_minute(site):
    states = []
    for _ in range(4):
        ring = site.rung()
        site.answer("wang", ring)
        site.work()
        states.append(next(one.state for one in site.all() if one.id == ring.id))
        site.advance(1)
    assert states == [*[RingState.OPENED] * 3, RingState.REFUSED]
    assert len(site.wire.done) == 3


@pytest.mark.parametrize(
    "event",
    [{"proven": None}, {"kind": "door.opened"}, {"stored_at": 0.0}, {"at": -3600.0}, {"at": 3600.0}],
    ids=str,
)
def test_what_no_door_has_proven_or_rang_long_ago_rings_nowhere(site, event):
    event = {name: site.wire.seconds + value if name == "at" else value for name, value in event.items()}
    site.ring(**event)
    site.bridge.look()
    assert site.all() == []


def test_a_display_that_somebody_leans_on_wakes_nobody_all_night(site):
    for _ in range(3 * MOST_A_MINUTE):
        site.ring()
    site.bridge.look()
    site.ring()
    site.bridge.look()
    assert len(site.all()) == MOST_A_MINUTE


def test_an_order_that_has_not_left_in_the_rings_minute_never_does(site):
    site.advance(0.1)
    ring = site.rung()
    site.advance(RING_SECONDS - 5)
    site.answer("wang", ring)
    site.bridge.look()
    site.wire.work()
    site.wire.to_door()  # the door's nonce is on its way
    site.advance(5)
    site.bridge.look()
    assert site.told()[0] is RingState.FAILED
    site.work()
    assert site.told()[0] is RingState.FAILED
    assert site.wire.done == []
    with pytest.raises(SyncError):
        site.wire.signer.order(site.requests()[0].id, "nonce")


def test_a_lockdown_meanwhile_wins(site):
    ring = site.rung()
    site.answer("wang", ring)
    site.bridge.look()
    site.wire.seconds += 0.001
    ask_at(site.wire, "lockdown")
    site.work()
    assert [kind for _, kind in site.wire.done] == [CommandType.LOCKDOWN]
    assert site.told()[0] is RingState.FAILED


class Cut(Exception):
    """The hub is killed."""


class CutSigner:
    """A signer during whose answer the hub is killed."""

    def __init__(self, signer, is_granted):
        self.signer, self.is_granted = signer, is_granted

    def answer_ring(self, *words):
        if self.is_granted:
            self.signer.answer_ring(*words)
        raise Cut


@pytest.mark.parametrize("is_granted", [False, True])
def test_a_hub_that_is_killed_before_the_order_was_left_opens_nothing_later(site, is_granted):
    ring = site.rung()
    site.answer("wang", ring)
    with pytest.raises(Cut):
        site.new_bridge(CutSigner(site.wire.signer, is_granted)).look()
    site.bridge = site.new_bridge()
    site.work()
    assert site.told()[0] is RingState.WISHED
    site.advance(RING_SECONDS)
    site.work()
    assert site.told()[0] is RingState.FAILED
    assert (site.requests(), site.wire.done) == ([], [])


def test_a_hub_that_is_killed_after_the_order_was_left_opens_once(site):
    ring = site.rung()
    site.answer("wang", ring)
    killed = site.new_bridge()
    killed._tell = lambda *_: (_ for _ in ()).throw(Cut)
    with pytest.raises(Cut):
        killed.look()
    site.bridge = site.new_bridge()
    site.work()
    assert site.told()[0] is RingState.OPENED
    assert len(site.wire.done) == 1


def test_two_hubs_open_once(site):
    ring = site.rung()
    site.answer("wang", ring)
    one, other = site.new_bridge(), site.new_bridge()
    answered = [bridge._answers() for bridge in (one, other)]
    for bridge, answers in zip((one, other), answered, strict=True):
        for row in answers:
            bridge._decide(row)
    site.work()
    assert site.told()[0] is RingState.OPENED
    assert len(site.wire.done) == len(site.requests()) == 1


def test_rings_are_forgotten_after_a_week_and_were_never_in_the_chain(site):
    site.answer("wang", site.rung())
    site.work()
    with site.compound.book.looking() as connection:
        assert verify(connection, site.compound.book.sealer).problems == []
        assert "ring" not in json.dumps([one.kind for one in site.compound.book.newest(connection, 50)])
    site.advance(8 * 86_400)
    site.bridge.look()
    for engine, table in ((site.wire.engine, RINGS_HEARD), (site.compound.book.engine, RINGS)):
        with engine.connect() as connection:
            assert connection.execute(sa.select(table)).all() == []


def test_a_page_that_lies_hides_no_ring_from_the_guard_and_invents_none(site):
    ring = site.rung()
    with site.compound.book.engine.begin() as connection:
        connection.execute(sa.delete(RINGS))
        row = {"id": "made-up", "door": DOOR, "flat": "3-1203", "rang_at": site.now(), "state": "opened"}
        connection.execute(sa.insert(RINGS).values(**row))
    assert [(one.id, one.flat, one.state) for one in site.heard()] == [(ring.id, "3-1203", RingState.RINGING)]
    site.wire.seconds += RING_SECONDS
    assert [one.state for one in site.heard()] == [RingState.OVER]


def test_the_guard_sees_what_became_of_a_ring(site):
    opened = site.rung()
    site.answer("wang", opened)
    site.work()
    assert {one.id: one.state for one in site.heard()} == {opened.id: site.told()[0]}
    refused = site.rung()
    site.answer("wang", refused, opens=False)
    site.work()
    assert {one.id: one.state for one in site.heard()}[refused.id] is RingState.NO


def test_a_door_that_rings_without_end_keeps_no_other_from_being_heard(site):
    """More rings than a statement takes values would fail at each look; and each would be looked up anew."""
    with site.wire.engine.connect() as connection:
        raw = present(connection.connection.driver_connection)
        raw.setlimit(9, 520)  # SQLITE_LIMIT_VARIABLE_NUMBER, as if each had come sixty times
    at = f"{datetime.fromtimestamp(site.wire.seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    body = json.dumps({"data": {"at": "screen", "flat": "1203"}})
    said = {"device": OTHER_DOOR, "stream": "s", "kind": "door.bell", "prev": "-", "hash": "-", "at": at}
    row = {**said, "body": body, "proven": 1, "stored_at": site.wire.seconds}
    with site.wire.engine.begin() as connection:
        connection.execute(sa.insert(EVENTS), [{**row, "seq": seq} for seq in range(1, 2000)])
    site.ring()
    site.bridge.look()
    heard = [one.door for one in site.heard()]
    assert (heard.count(DOOR), heard.count(OTHER_DOOR)) == (1, MOST_A_MINUTE)
