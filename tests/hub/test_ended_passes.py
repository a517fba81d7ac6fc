"""The hub tells doors of the passes that residents ended: those it has signed, for good."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from edge.broker.session import BrokerSession
from edge.errors import CommunityRefused
from edge.policy.passes import Pass, PassKind, door_marks, pass_public_key, read_pass
from edge.wire.ended_passes import MOST_ENDED, PURPOSE, EndedPass, PassEnds
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.pass_desk import EndReason, PassDesk
from facegate_hub.community.schema import PASSES
from facegate_hub.community.terms import read_terms
from facegate_hub.community.verify import verify
from facegate_hub.community.visits import DoorWord, PassState, VisitKind, VisitorPasses, VisitWish
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.database import put
from facegate_hub.ended_passes import PassEnder
from facegate_hub.signed_passes import SignedPasses
from facegate_hub.tables import DEVICES, GRANTED_PASSES, PASS_END_SETS, open_tables
from facegate_hub.visitors import PassGranter
from tests.community.compound import new_compound
from tests.community.web import resident, staff
from tests.present import present
from tests.sync.hubside import KEYS, SIGNER

KEY, HOUR = bytes(range(32)), 3600
DOORS = ("gate", "lobby-3", "lobby-5")
PAIRS = (("wang", "3-1203"), ("li", "3-1204"), ("wang", "3-1203"))


class Session(BrokerSession):
    """A connection to nowhere that keeps what was published."""

    def __init__(self) -> None:
        self.sent: list[PassEnds] = []

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, done: int = 0, proof: str = ""
    ) -> int:
        told = PassEnds.parse(KEYS.open(payload, PURPOSE))
        assert retain
        assert topic == f"facegate/v1/{told.device}/pass/ended"
        self.sent.append(told)
        return len(self.sent)


class Site:
    def __init__(self, folder):
        self.compound = new_compound(folder)
        for name in ("wang", "li"):
            self.compound.register.change(SYSTEM, self.compound.people[name], resident=f"{name}-here")
        self.folder = folder
        (folder / "pass.key").write_bytes(KEY)
        (folder / "site.json").touch()
        (folder / "staff" / "terms.toml").write_text('[doors]\n3 = ["lobby-3"]\n5 = ["lobby-5"]\n')
        self.compound.terms = read_terms(folder / "staff")
        self.book, self.session = self.compound.book, Session()
        self.engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
        self.visits = VisitorPasses(self.book, self.compound.terms)
        self.start()

    def start(self):
        """A hub that remembers nothing but its database."""
        community = (self.book, self.compound.terms)
        self.granter = PassGranter(self.engine, community, self.folder, lambda: DOORS)
        self.ender = PassEnder(self.engine, SIGNER, self.compound.staff, lambda: DOORS, self.book.now)
        self.ender.opened(self.session, 0.0)

    def make(self, name="wang", flat="3-1203"):
        """Return a pass of somebody's, granted."""
        identity = self.visits.wish(self.compound.asker(name), self.wish(flat))
        self.granter.look()
        return next(one for one in self.visits.of_person(self.compound.people[name]) if one.id == identity)

    def wish(self, flat):
        now = self.book.now()
        return VisitWish(flat, VisitKind.VISITOR, now, now + 4 * HOUR)

    def end(self, made, name="wang"):
        self.visits.end(self.compound.asker(name), made.id)

    def look(self):
        self.session.sent.clear()
        self.ender.idle()
        self.ender.step(self.session, 0.0)
        return {told.device: told for told in self.session.sent}

    def say(self, door, avail="online", rev=None):
        state = json.dumps({} if rev is None else {"passes_ended": rev})
        with self.engine.begin() as connection:
            put(connection, DEVICES, {"id": door, "avail": avail, "state": state})

    def told(self, made, name="wang"):
        person = self.compound.people[name]
        return next(one for one in self.visits.of_person(person) if one.id == made.id)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def ids(told):
    return {door: [one.id for one in each.ended] for door, each in told.items()}


def signed(number, begins, ends):
    """Return a pass for the gate with a number of ours."""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (begins, ends))
    return Pass(number.to_bytes(8), "wang-here", first, last, 1, PassKind.VISITOR, door_marks(("gate",)))


def id_of(made):
    return present(read_pass(made.text, [pass_public_key(KEY)])).id.hex()


def test_an_ended_pass_goes_to_its_own_doors_until_it_would_have_ended(site):
    assert site.look() == {}, "a site where nothing was ever ended is told nothing"
    first, other = site.make(), site.make("li", "3-1204")
    identity = id_of(first)
    site.end(first)
    told = site.look()
    assert ids(told) == {"gate": [identity], "lobby-3": [identity]}
    assert told["gate"].ended[0].until.timestamp() == first.ends
    assert site.look() == {}
    site.compound.clock.advance(1)
    site.end(other, "li")
    assert ids(site.look()) == {"gate": [identity, id_of(other)], "lobby-3": [identity, id_of(other)]}
    site.compound.clock.advance(5 * HOUR)
    assert ids(site.look()) == {"gate": [], "lobby-3": []}
    with site.book.looking() as connection:
        assert verify(connection, site.book.sealer).problems == []


def test_it_is_told_again_after_a_new_connection_and_by_a_hub_that_was_killed_before_it_left(site):
    made = site.make()
    site.end(made)
    site.ender.idle()  # written down, and killed before the connection's thread has sent it
    site.start()
    first = site.look()
    assert ids(first) == {"gate": [id_of(made)], "lobby-3": [id_of(made)]}
    site.ender.opened(site.session, 0.0)
    assert site.look() == first, "the same revision"
    site.start()
    assert site.look() == first


def test_two_hubs_tell_the_same(site):
    made = site.make()
    site.end(made)
    first = site.look()
    site.start()
    assert site.look() == first
    with site.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PASS_END_SETS)).scalar() == 2


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    """A hub's database of either kind."""
    is_file = request.param == "sqlite"
    engine = open_tables(
        f"sqlite:///{tmp_path / 'two.db'}" if is_file else request.getfixturevalue("postgresql")
    )
    yield engine
    engine.dispose()


def test_two_hubs_at_once_never_give_one_revision_two_meanings(site, engine):
    now = site.book.now()
    told: dict[int, tuple[EndedPass, ...]] = {}
    with ThreadPoolExecutor(2) as pool:
        hubs = [
            PassEnder(engine, SIGNER, site.compound.staff, lambda: DOORS, site.book.now) for _ in range(2)
        ]
        sessions = [Session(), Session()]
        for hub, session in zip(hubs, sessions, strict=True):
            hub.opened(session, 0.0)
        for number in range(12):
            SignedPasses(engine).note(signed(number, now, now + HOUR), ("gate",), now)
            with engine.begin() as connection:
                mine = GRANTED_PASSES.c.id == f"{number:016x}"
                connection.execute(sa.update(GRANTED_PASSES).where(mine).values(ended_at=now + number))
            list(pool.map(lambda hub: hub.idle(), hubs))
        for hub, session in zip(hubs, sessions, strict=True):
            hub.idle()
            hub.step(session, 0.0)
            for one in session.sent:
                assert told.setdefault(one.rev, one.ended) == one.ended
        assert len(told[max(told)]) == 12
        assert {session.sent[-1].rev for session in sessions} == {max(told)}


def test_revisions_only_grow_and_survive_a_lost_database(site):
    made = site.make()
    site.end(made)
    before = site.look()["gate"].rev
    site.end(site.make())
    after = site.look()["gate"].rev
    assert after > before
    with site.engine.begin() as connection:
        connection.execute(sa.delete(PASS_END_SETS))
    site.ender.opened(site.session, 0.0)
    assert site.look()["gate"].rev >= before


def test_what_was_ended_once_stays_so_when_the_page_says_otherwise(site):
    made = site.make()
    site.end(made)
    first = site.look()
    with site.book.writing() as writing:
        granted = Change(PASSES, made.id, {"state": PassState.GRANTED.value})
        writing.enter(SYSTEM, "pass.granted", f"pass:{made.id}", granted)
    assert site.look() == {}
    site.start()
    assert site.look() == first


def test_a_page_that_lies_ends_nothing_that_this_hub_has_not_signed(site):
    now = site.book.now()
    row: dict[str, str | int | None] = {
        "maker": "x",
        "flat": "3-1203",
        "kind": "visitor",
        "state": "ended",
        "doors": "gate",
    }
    row |= {"begins": now, "ends": now + HOUR, "uses": 1, "wished_at": now}
    with site.book.writing() as writing:
        changes = [Change(PASSES, f"x{n}", {**row, "pass_id": f"{n:016x}"}) for n in range(20)]
        writing.enter(SYSTEM, "pass.ended", "pass:x", *changes)
    assert site.look() == {}


def test_passes_that_an_older_hub_signed_can_be_ended_too(site):
    made = site.make()
    with site.engine.begin() as connection:
        connection.execute(sa.delete(GRANTED_PASSES))
    site.start()
    site.granter.look()
    site.end(made)
    assert ids(site.look()) == {"gate": [id_of(made)], "lobby-3": [id_of(made)]}


def test_of_more_than_a_list_holds_the_first_go_and_the_rest_waits(site, caplog):
    now = site.book.now()
    for number in range(MOST_ENDED + 3):
        SignedPasses(site.engine).note(signed(number, now, now + HOUR + number), ("gate",), now)
    with site.engine.begin() as connection:
        connection.execute(sa.update(GRANTED_PASSES).values(ended_at=now))
    assert len(site.look()["gate"].ended) == MOST_ENDED
    assert "3 ended passes wait" in caplog.text
    site.compound.clock.advance(HOUR + 10)
    assert len(site.look()["gate"].ended) == MOST_ENDED + 3 - 10 - 1


def test_the_page_says_which_doors_have_confirmed_and_where_it_still_opens(site):
    site.say("gate")
    site.say("lobby-3", "offline")
    made = site.make()
    phone = resident(site.compound, "wang")
    phone.get(f"/visitors/{made.id}")
    phone.send(f"/visitors/{made.id}")
    assert "It still opens: lobby-3, gate, until" in phone.page
    told = site.look()
    site.look()
    assert site.told(made).told == {"lobby-3": DoorWord.OFFLINE, "gate": DoorWord.WAITING}
    site.say("gate", rev=told["gate"].rev - 1)
    site.look()
    assert site.told(made).still_opens == ("lobby-3", "gate")
    site.say("gate", rev=told["gate"].rev)
    site.look()
    assert site.told(made).told == {"lobby-3": DoorWord.OFFLINE, "gate": DoorWord.CONFIRMED}
    phone.get(f"/visitors/{made.id}")
    assert "It still opens: lobby-3, until" in phone.page
    phone.get("/visitors")
    assert "still opens some doors" in phone.page
    site.say("gate", "offline")
    site.end(site.make())
    site.look()
    site.look()
    assert site.told(made).told["gate"] is DoorWord.CONFIRMED, "what was confirmed once stays so"
    site.say("lobby-3", rev=_rev(site, "lobby-3"))
    site.look()
    phone.get(f"/visitors/{made.id}")
    assert "Every door of this pass has confirmed" in phone.page
    site.compound.clock.advance(5 * HOUR)
    phone.get(f"/visitors/{made.id}")
    assert "still opens" not in phone.page


def _rev(site, door):
    with site.engine.connect() as connection:
        query = sa.select(PASS_END_SETS.c.rev).where(PASS_END_SETS.c.device == door)
        return connection.execute(query).scalar()


@pytest.mark.parametrize("state", ["", "{}", '{"passes_ended":true}', '{"passes_ended":"9"}'])
def test_a_door_that_says_nothing_of_it_has_confirmed_nothing(site, state):
    made = site.make()
    site.end(made)
    site.look()
    with site.engine.begin() as connection:
        put(connection, DEVICES, {"id": "gate", "avail": "online", "state": state or None})
    site.look()
    assert site.told(made).told["gate"] is DoorWord.WAITING


def account(site, name):
    return present(StaffAccounts(site.compound.staff).one(name))


def test_the_guard_ends_a_pass_and_its_maker_is_told_why(site):
    """From the list of who is expected to the door, and to the phone of who made it."""
    made = site.make()
    phone, desk = resident(site.compound, "wang"), DoorsDesk(site.folder, str(site.engine.url))
    guard = staff(site.compound, "guard-1", doors=desk)
    guard.get("/visitors")
    assert "3-1203" in guard.page
    assert "wang-here" in guard.page
    guard.send(f"/visitors/{id_of(made)}/end")
    assert guard.status == 422, "without a reason nothing ends"
    assert site.look() == {}
    guard.get("/visitors")
    guard.send(f"/visitors/{id_of(made)}/end", why="wrong_person")
    assert "still opens" in guard.get("/visitors").text, "before the hub has looked"
    assert ids(site.look()) == {"gate": [id_of(made)], "lobby-3": [id_of(made)]}
    assert "Until" in guard.get("/visitors").text or "still opens" in guard.page, "and where it still opens"
    assert f"/visitors/{id_of(made)}/end" not in guard.page
    csrf = guard.page.split('name="csrf" value="')[1].split('"')[0]
    for one in (id_of(made), "ff" * 8):
        again = guard.client.post(f"/visitors/{one}/end", data={"csrf": csrf, "why": "passed_on"})
        assert again.status_code == 422
    desk.close()
    told = phone.get(f"/visitors/{made.id}").text
    assert "somebody else came with it" in told
    assert made.text not in told
    with site.book.looking() as connection:
        entry = site.book.entries(connection, f"pass:{made.id}")[-1]
        assert (entry.actor, entry.kind, entry.say) == (
            "account:guard-1",
            "pass.ended",
            {"why": "wrong_person"},
        )
        assert verify(connection, site.book.sealer).problems == []


def test_who_does_not_see_visitors_ends_no_pass_and_each_once(site):
    made, desk = site.make(), PassDesk(site.compound.staff)
    for name in ("technician-1", "root", "chair", "audit"):
        with pytest.raises(CommunityRefused):
            desk.end(account(site, name), id_of(made), EndReason.PASSED_ON)
    desk.end(account(site, "dora"), id_of(made), EndReason.PASSED_ON)
    with pytest.raises(CommunityRefused):
        desk.end(account(site, "dora"), id_of(made), EndReason.PASSED_ON)


def test_what_staff_ended_stays_so_when_the_page_says_at_once_that_it_is_good(site):
    """Before the hub has looked."""
    made = site.make()
    PassDesk(site.compound.staff).end(account(site, "guard-1"), id_of(made), EndReason.WRONG_PERSON)
    with site.book.writing() as writing:
        lie = Change(PASSES, made.id, {"state": PassState.GRANTED.value})
        writing.enter(SYSTEM, "pass.granted", f"pass:{made.id}", lie)
    assert ids(site.look()) == {"gate": [id_of(made)], "lobby-3": [id_of(made)]}


def test_a_page_that_forgets_what_was_granted_gets_no_more_than_its_limits(site):
    """It takes each pass out of the table in which the page counts, as soon as it was granted."""
    for _ in range(9):
        site.visits.wish(site.compound.asker("wang"), site.wish("3-1203"))
        site.granter.look()
        with site.book.engine.begin() as connection:
            connection.execute(sa.delete(PASSES))
        site.compound.clock.advance(61)
    with site.engine.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(GRANTED_PASSES)).scalar()
    assert count == site.compound.terms.passes_a_day


def test_the_guards_list_is_what_was_signed_whatever_the_page_writes(site):
    """It moves one pass to another flat and day, hides one, ends one, and invents one."""
    moved, hidden, ended = (site.make(name, flat) for name, flat in PAIRS)
    lies = {
        moved.id: {"flat": "5-101", "kind": "worker", "ends": site.book.now() + 9 * HOUR, "why": "passed_on"},
        ended.id: {"state": PassState.ENDED.value},
    }
    with site.book.engine.begin() as connection:
        for identity, values in lies.items():
            connection.execute(sa.update(PASSES).where(PASSES.c.id == identity).values(**values))
        connection.execute(sa.delete(PASSES).where(PASSES.c.id == hidden.id))
        invented = {"maker": "x", "flat": "5-101", "kind": "worker", "state": "granted", "begins": 0}
        invented |= {
            "id": "lie",
            "uses": 1,
            "ends": site.book.now() + HOUR,
            "pass_id": "ee" * 8,
            "wished_at": 0,
        }
        connection.execute(sa.insert(PASSES).values(**invented))
    seen = SignedPasses(site.engine).expected(site.book.now(), {})
    assert {(one.id, one.flat, one.host, one.kind) for one in seen} == {
        (id_of(made), flat, f"{name}-here", VisitKind.VISITOR)
        for made, (name, flat) in zip((moved, hidden, ended), PAIRS, strict=True)
    }
    assert {one.state for one in seen} == {PassState.GRANTED}
    PassDesk(site.compound.staff).end(account(site, "guard-1"), id_of(hidden), EndReason.PASSED_ON)
    assert id_of(hidden) in ids(site.look())["gate"], "also one that the page has taken out"


def test_a_pass_of_an_older_version_is_listed_with_what_is_known(site):
    row = {"id": "ab" * 8, "doors": "gate", "until": int(site.book.now() + HOUR)}
    with site.engine.begin() as connection:
        put(connection, GRANTED_PASSES, row)
    (seen,) = SignedPasses(site.engine).expected(site.book.now(), {})
    assert (seen.flat, seen.host, seen.kind, seen.begins) == (None, None, None, None)
    desk = DoorsDesk(site.folder, str(site.engine.url))
    assert f"/visitors/{'ab' * 8}/end" in staff(site.compound, "guard-1", doors=desk).get("/visitors").text
    desk.close()
