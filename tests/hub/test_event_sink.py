"""The event sink: stored once, acknowledged up to the first gap, doubts noted; on both databases."""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from edge.domain import EventDraft
from edge.errors import StoreError, SyncError
from edge.events import Kind
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from facegate_hub.batches import parse_batch
from facegate_hub.events import EventSink
from facegate_hub.tables import DOUBTS, EVENTS, STREAMS, open_tables
from facegate_hub.vouching import allow_unproven
from tests.waiting import PATIENCE, wait_until


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    url = (
        f"sqlite:///{tmp_path}/hub.db" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    )
    engine = open_tables(url)
    with engine.begin() as connection:
        allow_unproven(connection, "front", "this page is about numbers")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    """Thirty entries of a real journal, as they travel."""
    path = tmp_path_factory.mktemp("door") / "journal.db"
    journal = SqliteJournal(path, "front", boot="b", clock_trust=lambda: "synced")
    for number in range(30):
        data = {"n": number, "name": "安娜", "similarity": 0.1 + number / 7}
        journal.append(
            EventDraft(Kind.ACCESS_GRANTED, datetime.now(UTC), 1.5 * number, "anna", "granted", data)
        )
    outbox = SqliteOutbox(path)
    found = [text for _, text in outbox.pending(0, 100)]
    outbox.close()
    journal.close()
    return found


def pack(entries, *numbers):
    return f"[{','.join(entries[number - 1] for number in numbers)}]".encode()


def stored_streams(engine):
    with engine.connect() as connection:
        return list(connection.execute(sa.select(STREAMS.c.stream)).scalars())


def stored(engine):
    with engine.connect() as connection:
        return list(connection.execute(sa.select(EVENTS.c.seq).order_by(EVENTS.c.seq)).scalars())


def doubts(engine):
    with engine.connect() as connection:
        return [
            tuple(row)
            for row in connection.execute(sa.select(DOUBTS.c.seq, DOUBTS.c.what).order_by(DOUBTS.c.id))
        ]


def test_events_are_acknowledged_up_to_the_first_gap(engine, entries):
    """In any order, in any batches; a duplicate changes nothing."""
    sink = EventSink(engine)
    assert sink.store("front", pack(entries, 1, 2))["upto"] == 2
    assert sink.store("front", pack(entries, 5, 6))["upto"] == 2
    assert sink.store("front", pack(entries, 2, 3))["upto"] == 3
    assert sink.store("front", entries[3].encode())["upto"] == 6
    assert stored(engine) == [1, 2, 3, 4, 5, 6]
    assert doubts(engine) == []


def test_doors_and_streams_are_counted_apart(engine, entries):
    """The same numbers from another door are other events."""
    sink = EventSink(engine)
    assert sink.store("front", pack(entries, 1, 2))["upto"] == 2
    assert sink.store("back", pack(entries, 1))["upto"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_order_all_arrive_once(engine, entries, seed):
    """Random batches, repeated and shuffled, by two workers at once."""
    rng, sink = random.Random(seed), EventSink(engine)
    batches = [sorted(rng.sample(range(1, 31), rng.randrange(1, 9))) for _ in range(30)] + [
        list(range(1, 31))
    ]
    rng.shuffle(batches)
    halves = [batches[::2], batches[1::2]]
    workers = [
        threading.Thread(target=lambda part=part: [sink.store("front", pack(entries, *one)) for one in part])
        for part in halves
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert sink.store("front", pack(entries, 30))["upto"] == 30
    assert stored(engine) == list(range(1, 31))
    assert doubts(engine) == []


def test_two_hubs_that_meet_a_new_journal_at_once_do_not_doubt_each_other(postgresql, entries):
    """The journal that another hub began a moment ago is not one that ended without a word."""
    engine = open_tables(postgresql)
    with engine.begin() as connection:
        allow_unproven(connection, "front", "an older version")
    first = json.loads(entries[0])
    row = {"device": "front", "stream": first["stream"], "upto": 1, "hash": first["hash"], "top": 1}

    def begin_it_first(_connection, _cursor, statement, *_):
        if "count(" in statement and not stored_streams(other):
            with other.begin() as connection:
                connection.execute(sa.insert(STREAMS), {**row, "began_at": 1.0, "moved_at": 1.0})

    other = sa.create_engine(postgresql)
    sa.event.listen(engine, "before_cursor_execute", begin_it_first)
    try:
        assert EventSink(engine).store("front", pack(entries, 2))["upto"] == 2
        assert stored_streams(other) == [first["stream"]]
        assert doubts(engine) == []
    finally:
        engine.dispose()
        other.dispose()


def test_a_hub_that_waits_for_a_journal_holds_none_that_comes_after_it(postgresql, entries):
    """Also one that is new to it: two hubs would wait for each other, and the database throws one back."""
    engine = open_tables(postgresql)
    ours, others = EventSink(engine), EventSink(engine)
    try:
        for sink, door in ((ours, "a-gate"), (others, "b-gate")):
            sink.store(door, pack(entries, 1))
        both = [parse_batch(door, pack(entries, 2)) for door in ("a-gate", "b-gate")]
        with ThreadPoolExecutor(1) as hub, engine.connect() as holder, engine.connect() as looking:
            holder.execute(sa.select(STREAMS).where(STREAMS.c.device == "a-gate").with_for_update())
            commit = hub.submit(ours.commit, both)
            try:
                wait_until(lambda: is_somebody_waiting(looking), "the hub waits for the first journal")
                later = sa.select(STREAMS.c.upto).where(STREAMS.c.device == "b-gate")
                assert looking.execute(later.with_for_update(nowait=True)).scalar() == 1
            finally:
                looking.rollback()
                holder.rollback()
            assert [ack["upto"] for _, ack in commit.result(PATIENCE).acks] == [2, 2]
    finally:
        engine.dispose()


def is_somebody_waiting(connection):
    """Say whether a statement on this database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    found = connection.exec_driver_sql(query).scalar()
    connection.rollback()
    return found > 0


def test_only_what_tells_a_door_something_is_acknowledged(engine, entries):
    """What waits behind a gap is not; what came again is: its door did not hear it the first time."""
    sink = EventSink(engine)

    def idle(*numbers):
        return bool(sink.commit([parse_batch("front", pack(entries, *numbers))]).idle)

    assert [idle(1, 2), idle(4, 5), idle(5), idle(2), idle(3), idle(5)] == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_rewritten_entry_is_kept_and_doubted(engine, entries):
    """A wrong hash; another entry under a number that is taken; a broken link."""
    sink = EventSink(engine)
    sink.store("front", pack(entries, 1, 2))
    forged = json.loads(entries[2]) | {"resident": "otto"}
    sink.store("front", json.dumps(forged).encode())
    other = json.loads(entries[1]) | {"hash": "f" * 64}
    sink.store("front", json.dumps(other).encode())
    broken = json.loads(entries[3]) | {"prev": "e" * 64}
    assert sink.store("front", json.dumps(broken).encode())["upto"] == 4
    found = doubts(engine)
    assert (3, "its hash does not fit") in found
    assert (2, f"came again as {'f' * 64}") in found
    assert (4, "does not follow 3") in found


def test_a_new_hub_takes_over_where_the_last_one_was_told_everything(engine, entries):
    """The door says what has arrived before; what this hub never saw is noted, not waited for."""
    sink = EventSink(engine)
    assert sink.store("front", pack(entries, 21, 22))["upto"] == 0
    assert sink.store("front", pack(entries, 21, 22), floor=20)["upto"] == 22
    assert doubts(engine) == [(20, "1 to 20 went to another hub")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"7",
        b'[{"v":1}]',
        b'{"v":2,"seq":1}',
        b"[" * 100_000,
        b'{"v":1,"seq":true}',
    ],
)
def test_rubbish_is_refused_and_stores_nothing(engine, payload):
    """One clear error, whatever it is."""
    with pytest.raises(SyncError):
        EventSink(engine).store("front", payload)
    assert stored(engine) == []


def test_a_batch_of_two_streams_or_one_bad_entry_is_refused_whole(engine, entries):
    """No half batch is stored."""
    sink = EventSink(engine)
    foreign = json.dumps(json.loads(entries[1]) | {"stream": "other"})
    for bad in (foreign, '{"v":1}'):
        with pytest.raises(SyncError):
            sink.store("front", f"[{entries[0]},{bad}]".encode())
    assert stored(engine) == []


def test_a_database_that_cannot_be_opened_is_named(tmp_path):
    """Not a traceback out of a driver."""
    for url in (f"sqlite:///{tmp_path}/no/such/folder/hub.db", "nonsense://x", "oracle://x"):
        with pytest.raises(StoreError, match="hub database"):
            open_tables(url)
