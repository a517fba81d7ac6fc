"""A door that was broken into, with its certificate: it delays nobody, hides nothing, and is named."""

import json
import threading

import pytest
import sqlalchemy as sa

from edge.broker.fair_queue import FairQueue, Room
from edge.errors import SyncError
from edge.wire.messages import Message
from facegate_hub.batches import parse_batch
from facegate_hub.doubts import MOST_DOUBTS
from facegate_hub.events import MOST_NEW_STREAMS, EventSink
from facegate_hub.ingest import Ingest
from facegate_hub.reading import latest
from facegate_hub.retention import HubRetention
from facegate_hub.rollout import RosterServer
from facegate_hub.roster import RosterLog
from facegate_hub.tables import DEVICES, DOUBTS, EVENTS, STREAMS, open_tables
from tests.hub.entries import chain, pack
from tests.present import present
from tests.sync.hubside import SIGNER
from tests.waiting import PATIENCE


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


def evt(device, payload, done=0):
    return Message(f"facegate/v1/{device}/evt", payload, False, done)


def event(**changes):
    fields = {"v": 1, "stream": "s", "seq": 1, "type": "x.y", "prev": "p", "hash": "h", **changes}
    return json.dumps(fields).encode()


def nested(depth, opening="[", closing="]"):
    deep = opening * depth + closing * depth
    head = event()[:-1].decode()
    return f'{head}, "data": {deep if opening == "[" else deep.replace(":}", ":1}")}}}'.encode()


def told(ingest):
    return {topic.split("/")[2]: json.loads(payload)["upto"] for topic, payload, _ in ingest._answers}


def column(engine, name):
    with engine.connect() as connection:
        return dict(connection.execute(sa.select(DEVICES.c.id, DEVICES.c[name])).all())


def count(engine, table):
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()


def test_no_depth_of_nesting_breaks_the_commit_of_others(engine):
    """Whatever the depth, deep or shallow, lists or tables: one clear error, of that door alone."""
    for depth in (*range(1, 40), *range(80, 1200, 37), *range(940, 1010), 50_000):
        for signs in ("[]", ('{"a":', "}")):
            try:
                parse_batch("evil", nested(depth, *signs))
            except SyncError:
                continue
            assert depth < 40
    ingest = Ingest(engine)
    evil = [evt("evil", nested(depth)) for depth in range(960, 1000)]
    ingest.handle_all([*evil, evt("honest", pack(chain("honest", 2)))])
    assert told(ingest) == {"honest": 2}
    assert column(engine, "problem")["evil"].startswith("evt: ")


class Fragile(EventSink):
    """Breaks on what one door sends, in a way that no check foresaw."""

    def commit(self, batches):
        if any(batch.device == "evil" for batch in batches):
            raise OverflowError("a number that no column takes")
        return super().commit(batches)


def test_what_nobody_foresaw_is_stored_message_by_message(engine):
    """One door's message that breaks the commit keeps no other door's events out."""
    ingest = Ingest(engine)
    ingest._sink = Fragile(engine)
    ingest.handle_all([evt("evil", event()), evt("honest", pack(chain("honest", 2)))])
    assert told(ingest) == {"honest": 2}
    assert "no column takes" in column(engine, "problem")["evil"]


def test_a_door_begins_few_journals_a_day(engine):
    """And what it sends beyond is refused, not stored, and named; tomorrow it may begin others."""
    now = [1_800_000_000.0]
    sink = EventSink(engine, lambda: now[0])
    for number in range(MOST_NEW_STREAMS):
        sink.store("evil", event(stream=f"s{number}"))
    for number in range(100):
        with pytest.raises(SyncError, match="new journals in a day"):
            sink.store("evil", event(stream=f"t{number}"))
    sink.store("evil", event(stream="s3", seq=2))
    assert sink.store("honest", pack(chain("honest", 3)))["upto"] == 3
    assert count(engine, STREAMS) == MOST_NEW_STREAMS + 1
    now[0] -= 365 * 86_400  # our own clock was ahead: what began there is none of today's
    sink.store("evil", event(stream="t0"))
    now[0] += 366 * 86_400 + 1
    sink.store("evil", event(stream="t1"))


def test_doubts_are_each_noted_once_and_bounded_for_each_door(engine):
    """Twenty thousand rewritten entries are not twenty thousand lines."""
    sink = EventSink(engine)
    sink.store("evil", event())
    for number in range(3):
        again = [json.loads(event(hash=f"h{number}-{k}")) for k in range(200)]
        sink.store("evil", json.dumps(again).encode())
    for number in range(2 * MOST_DOUBTS):
        sink.store("evil", event(seq=number + 10, hash="wrong"))
    assert count(engine, DOUBTS) <= MOST_DOUBTS + 1
    broken = json.loads(chain("honest", 1)[0]) | {"resident": "otto"}
    sink.store("honest", json.dumps(broken).encode())
    with engine.connect() as connection:
        rows = connection.execute(sa.select(DOUBTS)).all()
    counts = {(row.device, row.kind): row.count for row in rows if row.kind in {"again", "more"}}
    assert counts["evil", "again"] == 600
    assert counts["evil", "more"] >= MOST_DOUBTS
    assert [row.what for row in rows if row.device == "honest" and row.kind != "unproven"] == [
        "its hash does not fit"
    ]


@pytest.mark.parametrize("done", [10**15 - 1, 2**53 - 1])
def test_a_door_cannot_claim_that_more_has_arrived_than_it_sends(engine, done):
    ingest = Ingest(engine)
    ingest.handle_all([evt("evil", pack(chain("evil", 2)), done)])
    assert told(ingest) == {"evil": 2}


def test_huge_numbers_do_not_keep_retention_busy(engine):
    """It deletes what is stored; it does not count to it."""
    now = [1_800_000_000.0]
    sink = EventSink(engine, lambda: now[0])
    sink.store("evil", event(seq=2**53 - 1), floor=2**53 - 2)
    sink.store("honest", pack(chain("honest", 3)))
    now[0] += 10 * 86_400
    assert HubRetention(engine, 1, lambda: now[0], trusts_clock=True).prune().events == 4
    assert count(engine, EVENTS) == 0


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "zzzz", 7, None, "x\x1b[2K"])
def test_a_made_up_time_does_not_stand_above_everything(engine, at):
    """What is far in the future is sorted by when it was stored; what is no time, by nothing."""
    sink = EventSink(engine)
    sink.store("evil", event(ts=at))
    sink.store("honest", pack(chain("honest", 1)))
    stored = {one.device: one for one in latest(engine, 5)}
    assert stored["evil"].at is None or "2099" > stored["evil"].at > "2026"
    assert json.loads(stored["evil"].body)["ts"] == at


def test_signs_that_steer_terminals_never_get_in(engine):
    """Nor does NUL, which PostgreSQL does not take, keep out the word of another door."""
    server = RosterServer(engine, RosterLog(engine, SIGNER))
    for name, problem in (("evil", "x\r\x1b[2Kforged\x07\0"), ("honest", "behind")):
        question = {"v": 1, "epoch": 1, "have": 1, "digest": "0" * 64, "want": "delta", "problem": problem}
        server.handle_all([Message(f"facegate/v1/{name}/sync/req", json.dumps(question).encode(), False)])
    assert column(engine, "problem") == {"evil": "x??[2Kforged??", "honest": "behind"}


def test_a_door_that_sends_too_much_is_refused_alone_and_named(engine):
    ingest = Ingest(engine)
    refused = 0
    for _ in range(1000):
        try:
            ingest.received(evt("evil", event()), 0.0)
        except SyncError:
            refused += 1
    ingest.received(evt("honest", pack(chain("honest", 2))), 0.0)
    assert refused == 800
    ingest.idle()
    assert "800 messages refused" in column(engine, "problem")["evil"]


def test_a_door_that_was_shut_out_is_not_listened_to(engine):
    ingest = Ingest(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(DEVICES).values(id="evil", shut_out="broken into"))
    ingest.idle()
    with pytest.raises(SyncError, match="shut out"):
        ingest.received(evt("evil", event()), 0.0)
    ingest.received(evt("honest", pack(chain("honest", 2))), 0.0)


class TestFairQueue:
    """Turns by sender."""

    ROOM = Room(1000, 1_000_000, 100, 100_000)

    def queue(self, **waiting):
        queue = FairQueue(self.ROOM, 1000)
        for sender, (number, size) in waiting.items():
            for n in range(number):
                queue.put(sender, Message(f"a/b/{sender}/{n}", b"x" * size, False))
        return queue

    def test_a_flood_is_given_its_turn_and_no_more(self):
        queue = self.queue(evil=(100, 900), honest=(3, 100), other=(20, 100))
        taken = [message.topic.split("/")[2] for message in queue.take(0, 1000)]
        assert (taken.count("evil"), taken.count("honest"), taken.count("other")) == (2, 3, 10)
        assert taken[:6] == ["evil", "honest", "other"] * 2

    def test_everything_comes_out_once_and_in_each_senders_order(self):
        queue = self.queue(a=(50, 900), b=(70, 10), c=(1, 5000))
        found = []
        while taken := queue.take(0, 7):
            found += [message.topic for message in taken]
        assert queue.empty()
        assert sorted(found) == sorted({*found})
        for sender in "abc":
            mine = [int(topic.split("/")[3]) for topic in found if topic.split("/")[2] == sender]
            assert mine == sorted(mine)

    def test_a_full_room_is_the_senders_own(self):
        queue = self.queue(evil=(100, 10))
        with pytest.raises(SyncError):
            queue.put("evil", Message("a", b"", False))
        queue.put("honest", Message("a", b"", False))

    def test_who_waits_is_woken_by_a_message_and_by_the_end(self):
        queue = FairQueue(self.ROOM, 1000)
        found = []
        taker = threading.Thread(target=lambda: found.extend([queue.take(60, 5), queue.take(60, 5)]))
        taker.start()
        queue.put("a", Message("a", b"", False))
        queue.end()
        taker.join(PATIENCE)
        assert [len(present(found[0])), found[1]] == [1, None]
