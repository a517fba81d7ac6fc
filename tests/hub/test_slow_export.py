"""An export whose reader is slow: nothing of the database is held meanwhile, and every event comes once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from facegate_hub.events import EventSink
from facegate_hub.reading import PAGE, EventFilter, history
from facegate_hub.tables import EVENTS, open_tables
from tests.hub.entries import chain, pack

pytestmark = pytest.mark.slow
MORNING = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/hub.db" if is_file else request.getfixturevalue("postgresql")
    engine = open_tables(url)
    sink = EventSink(engine)
    # Two doors in one moment, and more than a page of it: what ends a page is never the time alone.
    for door, count in (("front", PAGE + 700), ("back", PAGE)):
        entries = chain(door, count, at=MORNING)
        for start in range(0, count, 500):
            sink.store(door, pack(entries[start : start + 500]))
    sink.store("side", pack(chain("side", 3, at=MORNING - timedelta(days=1))))
    yield engine
    engine.dispose()


def is_free(engine):
    """Return whether nobody holds a reading open that keeps the database from tidying up."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            raw = connection.connection.driver_connection
            raw.rollback()
            return raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = :state"
        )
        return connection.execute(sa.text(waiting), {"state": "idle in transaction"}).scalar() == 0


def test_a_reader_who_pauses_holds_nothing(engine):
    """SQLite's log grew as long as somebody read on, and PostgreSQL cut an export off after a minute."""
    found = history(engine)
    first = next(found)
    assert is_free(engine)
    EventSink(engine).store("late", pack(chain("late", 1, at=MORNING + timedelta(days=1))))
    rest = list(found)
    assert (first.device, rest[-1].device) == ("side", "late")
    keys = [(one.at, one.device, one.stream, one.seq) for one in (first, *rest)]
    assert len(set(keys)) == len(keys) == 2 * PAGE + 704
    assert keys == sorted(keys)


def test_each_filter_finds_what_one_reading_finds(engine):
    for wanted, count in (
        (EventFilter(device="front"), PAGE + 700),
        (EventFilter(resident="anna"), 2 * PAGE + 703),
        (EventFilter(reason="granted", devices=("front", "back")), 2 * PAGE + 700),
        (EventFilter(kind="access.granted", until="2026-03-01"), 3),
        (EventFilter(since="2026-03-02"), 0),
    ):
        assert len(list(history(engine, wanted))) == count, wanted


def test_what_an_older_version_stored_without_a_time_is_exported_too(engine):
    with engine.begin() as connection:
        connection.execute(sa.update(EVENTS).where(EVENTS.c.device == "back").values(at=None))
    found = list(history(engine))
    assert len(found) == 2 * PAGE + 703
    assert [one.seq for one in found[:PAGE]] == list(range(1, PAGE + 1))
