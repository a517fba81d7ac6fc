"""The roster's way to hundreds of doors: nobody is left out, and no herd tramples the hub."""

import json
from functools import partial

import pytest
import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.messages import MAX_INCOMING_BYTES, Message
from edge.wire.roster import (
    DELTA,
    HEAD,
    MOST_RECORDS,
    SNAPSHOT,
    Delta,
    Head,
    Question,
    SnapshotManifest,
    parse_part,
)
from facegate_hub.devices import Attendance, known_doors
from facegate_hub.rollout import MOST_BYTES_A_TURN, RosterServer
from facegate_hub.roster import RosterLog
from facegate_hub.tables import DEVICES, open_tables
from tests.hub.away import table_away
from tests.hub.test_devices import Nowhere
from tests.sync.broker import Broker
from tests.sync.drain import FollowingDoor, property_side
from tests.sync.hubside import KEYS, SIGNER
from tests.waiting import wait_until


class Doors:
    """Stands for the broker's connection: what each door was sent, in order."""

    def __init__(self, server):
        self.server = server
        self.sent = {}
        self.turn_bytes = []

    def publish(self, topic, payload, retain):
        _, _, device, rest = topic.split("/", 3)
        self.sent.setdefault(device, []).append((rest, payload, retain))
        self.turn_bytes[-1] += len(payload)

    def turns(self, count=100):
        """Let the hub look and send until it has nothing more to say."""
        self.sent = {}
        for _ in range(count):
            self.turn_bytes.append(0)
            self.server.idle()
            self.server.step(self, 0.0)
            if not self.turn_bytes[-1]:
                return self.sent
        raise AssertionError("it never stops talking")


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


def person(name):
    return {"id": name, "name": "P", "access_levels": ["resident"]}


def meet(engine, count):
    """Let doors say that they are there."""
    names = [f"door-{number:04}" for number in range(count)]
    online = b'{"v":1,"state":"online","boot":"b"}'
    Attendance(engine).handle_all([Message(f"facegate/v1/{name}/avail", online, False) for name in names])
    return names


def opened(payload, purpose, kind):
    return kind.parse(KEYS.open(payload, purpose))


def ask(server, device, question):
    server.handle(Message(f"facegate/v1/{device}/sync/req", question.encode(), False))


@pytest.fixture
def site(engine):
    log = RosterLog(engine, SIGNER)
    log.change(person(f"p{n:03}") for n in range(50))
    return log


def test_a_change_reaches_more_doors_than_one_queue_holds(engine, site):
    """1,500 doors, 3,000 messages: each gets the delta and then the retained head."""
    names = meet(engine, 1500)
    doors = Doors(RosterServer(engine, site))
    first = doors.turns()
    assert sorted(first) == names
    assert {tuple(rest for rest, _, _ in sent) for sent in first.values()} == {("sync/head",)}
    site.change([person("new")], ["p000"])
    second = doors.turns()
    assert sorted(second) == names
    for name in (names[0], names[-1]):
        (delta, body, kept), (head, shown, retained) = second[name]
        assert (delta, kept, head, retained) == ("sync/delta", False, "sync/head", True)
        assert [change.id for change in opened(body, DELTA, Delta).changes] == ["new", "p000"]
        assert opened(shown, HEAD, Head) == Head(name, site.states()[1])


def agree(log, door) -> bool:
    """Return whether the door is where the property is."""
    return door.roster.state() == log.state()


def test_after_a_lost_connection_every_door_is_shown_the_head_again(engine, site):
    """What was under way is gone with the connection, and a removal must not be gone with it."""
    meet(engine, 3)
    server = RosterServer(engine, site)
    doors = Doors(server)
    doors.turns()
    site.change(removals=["p001"])
    server.idle()
    server._answers.clear()  # the connection took them and ended
    server.opened(Nowhere(), 0.0)
    shown = doors.turns()
    assert {opened(sent[-1][1], HEAD, Head).state.rev for sent in shown.values()} == {51}
    assert doors.turns() == {}


def test_a_database_that_fails_meanwhile_keeps_no_removal_from_the_doors(engine, site):
    names = meet(engine, 3)
    server = RosterServer(engine, site)
    doors = Doors(server)
    doors.turns()
    site.change(removals=["p001"])
    with table_away(engine, DEVICES), pytest.raises(sa.exc.OperationalError):
        server.idle()
    assert sorted(doors.turns()) == names


def test_a_herd_is_answered_in_turns_with_parts_that_are_made_once(engine, site):
    """A site after a power cut: each door gets its own manifest and the same parts, within the limit."""
    site.change({"id": f"q{n:05}", "name": "P" * 190} for n in range(2000))
    server = RosterServer(engine, site)
    doors = Doors(server)
    for number in range(60):
        ask(server, f"door-{number:04}", Question(0, 0, "0" * 64, "snapshot"))
        ask(server, f"door-{number:04}", Question(0, 0, "0" * 64, "snapshot"))
    sent = doors.turns()
    sizes = {sum(len(payload) for _, payload, _ in messages) for messages in sent.values()}
    assert len(sent) == 60
    assert max(doors.turn_bytes) <= MOST_BYTES_A_TURN + max(sizes)
    assert sum(1 for size in doors.turn_bytes if size) > 2
    pieces = {name: [one for rest, one, _ in told if "snap" in rest] for name, told in sent.items()}
    assert len({tuple(id(part) for part in found[1:]) for found in pieces.values()}) == 1
    first, *parts = pieces["door-0059"]
    manifest = opened(first, SNAPSHOT, SnapshotManifest)
    assert (manifest.device, manifest.state) == ("door-0059", site.states()[1])
    records = [parse_part(part, digest) for part, digest in zip(parts, manifest.parts, strict=True)]
    assert sum(map(len, records)) == site.state().count


def test_who_is_far_behind_gets_the_head_and_asks(engine, site):
    """An import of thousands is not pushed to each door; the head makes it ask for what it lacks."""
    meet(engine, 2)
    doors = Doors(RosterServer(engine, site))
    doors.turns()
    site.change(person(f"z{n:04}") for n in range(1001))
    assert {rest for sent in doors.turns().values() for rest, _, _ in sent} == {"sync/head"}


def test_a_question_is_answered_with_what_is_lacking(engine, site):
    """Up to date: nothing. Behind: a delta. From another log, or ahead of it: a snapshot."""
    server = RosterServer(engine, site)
    doors = Doors(server)
    doors.turns()
    answers = {}
    for name, question in {
        "same": Question(1, 50, "0" * 64),
        "behind": Question(1, 48, "0" * 64),
        "foreign": Question(2, 48, "0" * 64),
        "ahead": Question(1, 60, "0" * 64),
    }.items():
        ask(server, name, question)
    for device, sent in doors.turns().items():
        answers[device] = sent[0][0]
    assert answers == {"behind": "sync/delta", "foreign": "sync/snap/50/0", "ahead": "sync/snap/50/0"}


@pytest.mark.parametrize("told", [3, 2**53 - 1])
def test_a_restored_log_is_begun_anew_in_an_epoch_of_its_own(engine, told):
    """Above every one that was begun before, by the hub's time; what a door claims does not count."""
    site = RosterLog(engine, SIGNER, now=lambda: 1_800_000_000.5)
    site.change(person(f"p{n:03}") for n in range(50))
    server = RosterServer(engine, site)
    doors = Doors(server)
    doors.turns()
    ask(server, "front", Question(told, 900, "0" * 64))
    doors.turns()
    assert site.begin_anew() == 1_800_000_000
    shown = doors.turns()
    assert opened(shown["front"][-1][1], HEAD, Head).state == site.states()[1]
    assert {rest for rest, _, _ in shown["front"]} == {"sync/head"}
    assert site.begin_anew() == 1_800_000_001


def large(n, name="\u674e"):
    """Return a record of 850 bytes, as a big compound has them."""
    levels = [f"building-{b}-stairwell-{n % 40}" for b in range(25)]
    return {"id": f"r{n}", "name": name * 20, "access_levels": levels, "consent_id": f"paper-{n}"}


@pytest.mark.parametrize("count", [400, 1000])
def test_no_message_is_larger_than_broker_and_door_take(engine, count):
    """A delta of many bytes is a snapshot instead; pushed, and asked for."""
    log = RosterLog(engine, SIGNER)
    meet(engine, 1)
    server = RosterServer(engine, log)
    doors = Doors(server)
    doors.turns()
    log.change(large(n) for n in range(count))
    pushed = doors.turns()["door-0000"]
    ask(server, "door-0000", Question(1, 1, "0" * 64))
    answered = doors.turns()["door-0000"]
    for sent in (pushed, answered):
        assert max(len(payload) for _, payload, _ in sent) < MAX_INCOMING_BYTES - 1024
        kind = "delta" if count == 400 else "snap"
        assert sent[0][0].split("/")[1] == kind


def test_what_doors_would_refuse_is_refused_at_the_import(engine):
    """20,000 people are taken, one more is not, at once or later; then nothing is changed."""
    log = RosterLog(engine, SIGNER)
    assert log.change(person(f"p{n}") for n in range(MOST_RECORDS)) == MOST_RECORDS
    with pytest.raises(SyncError, match="20001 people; a door takes 20000"):
        log.change([person("one more")])
    assert log.rev() == MOST_RECORDS
    assert log.change([person("one more")], ["p0"]) == MOST_RECORDS + 2


def test_a_roster_of_too_many_bytes_is_refused_at_the_import(engine):
    """Every door would ask for it for ever."""
    log = RosterLog(engine, SIGNER)
    levels = [f"{n:🚪>64}" for n in range(32)]
    people = [person(f"p{n}") | {"access_levels": levels} for n in range(4_200)]
    with pytest.raises(SyncError, match="a door takes 32 MiB"):
        log.change(people)
    assert log.rev() == 0
    log.change(people[:4_000])
    server = RosterServer(engine, log)
    meet(engine, 1)
    ask(server, "door-0000", Question(1, 0, "0" * 64, "snapshot"))
    sent = Doors(server).turns()["door-0000"]
    manifest = opened(sent[0][1], SNAPSHOT, SnapshotManifest)
    assert len([rest for rest, _, _ in sent if "snap" in rest]) == len(manifest.parts) + 1


@pytest.mark.broker
def test_a_door_refuses_a_lost_log_until_it_is_begun_anew(tmp_path):
    """The hub's database is gone: to the door the new roster is an old one, until it is said to be meant."""
    with Broker(tmp_path / "broker") as broker:
        for name, count in (("first", 10), ("second", 3)):
            folder = tmp_path / name
            folder.mkdir()
            with (
                property_side(folder, broker.port) as log,
                FollowingDoor(tmp_path / "door", broker.port) as door,
            ):
                log.change(person(f"{name}-{n}") for n in range(count))
                if name == "second":
                    wait_until(lambda: "roster.refused" in kinds(door), "the door says so")
                    assert door.roster.state().count == 10
                    log.begin_anew()
                wait_until(partial(agree, log, door))
                assert door.roster.state().count == count


def kinds(door):
    return [event.kind for event in door.door.journal.read()]


def test_one_import_is_one_step_and_says_how_far(engine):
    """The same file twice makes no revision; who comes and goes in one step is gone."""
    log = RosterLog(engine, SIGNER)
    people = [person(f"p{n:03}") for n in range(30)]
    assert log.change(people) == 30
    assert log.change(people) == 30
    assert log.change([person("p000") | {"name": "Q"}, person("x")], ["x", "x", "p001", "nobody"]) == 34
    assert log.ids() == ["p000", *(f"p{n:03}" for n in range(2, 30))]


def test_a_morning_of_reconnects_is_known_at_once(engine):
    """Thousands of doors come back; workers of the hub are no doors, nor is nonsense."""
    names = meet(engine, 2500)
    Attendance(engine).handle_all(
        [
            Message("facegate/v1/hub/avail", b'{"v":1,"state":"online","boot":"b"}', False),
            Message("facegate/v1/hub.3/avail", b'{"v":1,"state":"online","boot":"b"}', False),
            Message("facegate/v1/-bad-/avail", b'{"v":1,"state":"online","boot":"b"}', False),
            Message("facegate/v1/mad/avail", json.dumps({"state": "?"}).encode(), False),
        ]
    )
    assert known_doors(engine) == [*names, "mad"]
