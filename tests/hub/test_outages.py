"""What the hub stands on goes away: database, disk, broker. Nothing is acknowledged that is not stored."""

import json
import signal
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from edge.errors import StoreError
from edge.wire.messages import Message
from facegate_hub.clerk import DATABASE_FAILS, said
from facegate_hub.database import reading
from facegate_hub.ingest import Ingest
from facegate_hub.tables import EVENTS, open_tables
from tests.fakes.bad_link import BadLink
from tests.hub import postgres
from tests.hub.entries import chain, pack
from tests.sync.broker import Broker
from tests.sync.doors import Door, Eager
from tests.waiting import wait_until


class Told:
    """Stands for the connection: keeps what doors were told."""

    def __init__(self, ingest):
        self.ingest = ingest
        self.acks = {}

    def publish(self, topic, payload, retain):
        assert not retain
        self.acks[topic.split("/")[2]] = json.loads(payload)["upto"]

    def take(self, *messages):
        """Let the hub take these (device, entries) and return what each door was told."""
        self.acks = {}
        self.ingest.handle_all(
            [Message(f"facegate/v1/{door}/evt", pack(entries), False) for door, entries in messages]
        )
        self.ingest.step(self, 0.0)
        return self.acks


def stored(engine):
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar()


@contextmanager
def serving(engine, port):
    """Run the hub's event part on a broker."""
    ingest = Ingest(engine, sleep=lambda _seconds: None)
    client = SyncClient(BrokerSettings("127.0.0.1", "hub", port), [ingest], rng=Eager())
    ingest.start()
    client.start()
    yield ingest
    client.stop()
    ingest.stop()


def test_a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room(tmp_path):
    """SQLite's own limit gives the same error as a full disk."""
    engine, pages = open_tables(f"sqlite:///{tmp_path}/hub.db"), 40
    sa.event.listen(
        engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    )
    slept: list[float]
    slept, entries = [], chain("front", 500)
    ingest = Ingest(engine, sleep=slept.append)
    told = Told(ingest)
    upto = 0
    while acks := told.take(("front", entries[upto : upto + 20])):
        assert acks == {"front": upto + 20}
        upto += 20
        assert upto < 500, "the disk was never full"
    assert stored(engine) == upto
    assert "full" in str(ingest.status().problem)
    assert (ingest.status().failures, len(slept)) == (1, 1)
    pages = 4000
    assert told.take(("front", entries[upto:])) == {"front": 500}
    assert ingest.status().problem is None
    assert stored(engine) == 500
    engine.dispose()


@pytest.mark.broker
def test_postgresql_is_stopped_and_crashes_in_the_middle(tmp_path):
    """Cut connections, then a crash with recovery: each event is stored once, each door is told."""
    with postgres.server() as database, Broker(tmp_path / "broker") as broker:
        engine = open_tables(database.url)
        with serving(engine, broker.port) as ingest, Door(tmp_path, broker.port) as door:
            for number in (signal.SIGINT, signal.SIGQUIT):
                door.happen(20)
                wait_until(lambda: door.outbox.done_upto() == door.outbox.newest())
                known = door.outbox.done_upto()
                database.stop(number)
                door.happen(20)
                wait_until(lambda: ingest.status().problem, "the failure is said")
                assert door.outbox.done_upto() == known
                database.start()
                wait_until(lambda: door.outbox.done_upto() == door.outbox.newest())
            assert stored(engine) == 80
        engine.dispose()


@pytest.mark.broker
def test_a_hub_that_starts_before_its_broker_waits_for_it(tmp_path):
    """And survives the broker's death, from default persistence."""
    broker = Broker(tmp_path / "broker")
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    with serving(engine, broker.port), Door(tmp_path, broker.port) as door:
        door.happen(10)
        broker.start()
        wait_until(lambda: door.outbox.done_upto() == 10)
        broker.kill()
        door.happen(10)
        broker.start()
        wait_until(lambda: door.outbox.done_upto() == 20)
        broker.kill()
    assert stored(engine) == 20
    engine.dispose()


def test_one_door_that_no_database_takes_does_not_hold_up_the_others(postgresql):
    """PostgreSQL refuses a name that is too long; the whole commit fails, then all but that one work."""
    engine = open_tables(postgresql)
    told = Told(Ingest(engine))
    mad = "d" * 100
    assert told.take(("front", chain("front", 3)), (mad, chain(mad, 1)), ("back", chain("back", 2))) == {
        "front": 3,
        "back": 2,
    }
    assert stored(engine) == 5
    assert told.ingest.status().refused == 1
    engine.dispose()


def test_a_hub_on_a_database_that_is_gone_says_so_in_one_line_a_minute(tmp_path, caplog):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    engine.dispose()
    (tmp_path / "hub.db").rename(tmp_path / "gone")
    (tmp_path / "hub.db").mkdir()
    told = Told(Ingest(engine, sleep=lambda _seconds: None))
    for _ in range(5):
        assert told.take(("front", chain("front", 1))) == {}
    assert told.ingest.status().failures == 5
    assert len([record for record in caplog.records if "database fails" in record.getMessage()]) == 1


def test_a_server_that_vanishes_without_a_word_is_given_up_and_found_again():
    """The question ends in an error of the database; the next one goes over a new connection."""
    with postgres.server() as server:
        way = BadLink(server.port)
        engine = open_tables(server.url.replace(str(server.port), str(way.port)))
        with engine.connect() as connection:
            assert connection.connection.driver_connection is not None
            connection.connection.driver_connection.answer_seconds = 0.5
            way.vanish()
            with pytest.raises(DATABASE_FAILS):
                connection.execute(sa.select(1))
        way.heal()
        with engine.connect() as connection:
            assert connection.execute(sa.select(1)).scalar() == 1
        engine.dispose()
        way.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused_in_words(encoding):
    with postgres.server() as server:
        engine = sa.create_engine(server.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            options = f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            connection.exec_driver_sql(f"CREATE DATABASE narrow {options}")
        engine.dispose()
        with pytest.raises(StoreError, match=f"encoding is {encoding}"):
            open_tables(server.url.replace("/postgres", "/narrow"))


@pytest.mark.parametrize(
    ("words", "told"), [("disk I/O error\nat 3", "disk I/O error"), ("", "OperationalError")]
)
def test_a_database_that_fails_without_a_word_is_told_all_the_same(words, told):
    """Its name in place of words: whoever tries again must not break on the line that says so."""
    assert said(sa.exc.OperationalError("", None, Exception(words))) == told
