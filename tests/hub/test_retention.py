"""What is forgotten, what is kept, and what must not come back."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.events import EventSink
from facegate_hub.retention import MOST_AT_ONCE, HubRetention
from facegate_hub.roster import LONGEST_DELTA
from facegate_hub.tables import DOUBTS, EVENTS, REQUESTS, ROSTER_LOG, STREAMS, open_tables
from tests.hub.entries import chain, pack

DAY = 86_400.0
NOW = 1_800_000_000.0


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


def store(engine, device, entries, days_ago):
    """Store entries as if the hub had got them then."""
    EventSink(engine, now=lambda: NOW - days_ago * DAY).store(device, pack(entries))


def kept(engine, device="front"):
    with reading(engine) as connection:
        query = sa.select(EVENTS.c.seq).where(EVENTS.c.device == device).order_by(EVENTS.c.seq)
        return list(connection.execute(query).scalars())


def prune(engine, keep_days=90, now=NOW):
    """Forget what is too old, at a site where a door has said a moment ago what time it is."""
    at = datetime.fromtimestamp(NOW - 1, UTC)
    EventSink(engine, now=lambda: now).store("clock", pack(chain("clock", 1, at=at, stream="s")))
    return HubRetention(engine, keep_days, now=lambda: now).prune()


def test_events_go_by_their_age_at_the_hub_and_each_journal_for_itself(engine):
    """Not by the door's clock, which may say 1970."""
    front, back = chain("front", 5), chain("back", 3)
    store(engine, "front", front[:3], days_ago=100)
    store(engine, "front", front[3:], days_ago=10)
    store(engine, "back", back, days_ago=89)
    assert prune(engine).events == 3
    assert kept(engine) == [4, 5]
    assert kept(engine, "back") == [1, 2, 3]
    assert prune(engine).events == 0


def test_what_is_sent_again_after_it_was_forgotten_does_not_come_back(engine):
    """A door restored from a backup sends its old events; it is told how far the hub is."""
    entries, sink = chain("front", 6), EventSink(engine)
    store(engine, "front", entries[:4], days_ago=100)
    prune(engine)
    assert kept(engine) == []
    assert sink.store("front", pack(entries[:4]))["upto"] == 4
    assert kept(engine) == []
    assert sink.store("front", pack(entries[2:]))["upto"] == 6
    assert kept(engine) == [5, 6]
    with reading(engine) as connection:
        mine = sa.select(DOUBTS.c.kind).where(DOUBTS.c.device == "front")
        assert connection.execute(mine).scalars().all() == ["unproven"]


def test_what_waits_behind_a_gap_is_not_forgotten(engine):
    """It was never acknowledged; the missing ones may still come."""
    entries = chain("front", 5)
    store(engine, "front", entries[:1] + entries[3:], days_ago=100)
    assert prune(engine).events == 1
    assert kept(engine) == [4, 5]
    assert EventSink(engine).store("front", pack(entries[1:3]))["upto"] == 5


def test_many_events_go_in_many_commits(engine):
    """A door that waits for its acknowledgement waits for one of them."""
    entries = chain("front", MOST_AT_ONCE + 10)
    for start in range(0, len(entries), 500):
        store(engine, "front", entries[start : start + 500], days_ago=100)
    assert prune(engine).events == MOST_AT_ONCE + 10


def test_answered_commands_and_unused_changes_go_too(engine):
    row = {"device": "front", "type": "unlock", "args": "{}", "by": "desk", "status": "done"}
    with engine.begin() as connection:
        for name, days in (("old", 100), ("new", 1)):
            connection.execute(sa.insert(REQUESTS).values(id=name, asked_at=NOW - days * DAY, **row))
        changes = [{"rev": rev, "id": "anna", "text": None} for rev in range(1, LONGEST_DELTA + 12)]
        connection.execute(sa.insert(ROSTER_LOG), changes)
    gone = prune(engine)
    assert (gone.requests, gone.changes) == (1, 10)


def test_it_is_done_at_the_start_and_ends_when_told(engine):
    store(engine, "front", chain("front", 2), days_ago=100)
    retention = HubRetention(engine, 90, now=lambda: NOW)
    retention.start()
    retention.stop()
    retention.stop()


def test_a_database_of_an_older_version_gets_what_it_lacks(tmp_path):
    """Columns are added; what is stored stays, counts as new, and goes on where it was."""
    url = f"sqlite:///{tmp_path}/hub.db"
    entries = chain("front", 4)
    engine = open_tables(url)
    EventSink(engine).store("front", pack(entries[:1] + entries[2:3]))
    with engine.begin() as connection:
        for table, column in (("events", "stored_at"), ("streams", "top"), ("streams", "pruned")):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    engine.dispose()
    engine = open_tables(url)
    assert EventSink(engine).store("front", pack(entries[:2]))["upto"] == 3
    assert EventSink(engine).store("front", pack(entries[2:]))["upto"] == 4
    assert HubRetention(engine, 1).prune().events == 0
    assert kept(engine) == [1, 2, 3, 4]
    engine.dispose()


def test_a_machine_that_wakes_up_years_ahead_deletes_nothing(engine):
    """Everything was too old at once, and gone for good: a battery was empty."""
    entries = chain("front", 6, at=datetime.fromtimestamp(NOW, UTC))
    store(engine, "front", entries[:3], days_ago=100)
    store(engine, "front", entries[3:5], days_ago=2)
    ahead = NOW + 10 * 365 * DAY
    # What comes now is stored as of that year, and what has no time gets ours.
    timeless = [json.dumps(json.loads(one) | {"ts": None}) for one in chain("back", 1)]
    EventSink(engine, now=lambda: ahead).store("front", pack(entries[5:]))
    EventSink(engine, now=lambda: ahead).store("back", pack(timeless))
    assert prune(engine, now=ahead).events == 3
    assert kept(engine) == [4, 5, 6]
    assert kept(engine, "back") == [1]


def test_what_was_stored_by_a_clock_that_was_ahead_goes_by_its_doors_time(engine):
    """It was young for ten years, and so was all that came after it."""
    old, recent = (datetime.fromtimestamp(NOW - days * DAY, UTC) for days in (100, 5))
    EventSink(engine, now=lambda: NOW + 3650 * DAY).store("front", pack(chain("front", 2, at=old)))
    EventSink(engine, now=lambda: NOW + 3650 * DAY).store("back", pack(chain("back", 2, at=recent)))
    assert prune(engine).events == 2
    assert kept(engine) == []
    assert kept(engine, "back") == [1, 2]


def test_where_the_doors_are_gone_time_passes_while_the_hub_runs_or_somebody_says_so(engine, caplog):
    at, seconds = datetime.fromtimestamp(NOW - 300 * DAY - 1, UTC), [0.0]
    EventSink(engine, now=lambda: NOW - 300 * DAY).store("front", pack(chain("front", 2, at=at)))
    retention = HubRetention(engine, 90, lambda: NOW, lambda: seconds[0])
    assert retention.prune().events == 0
    assert "--by-this-clock" in caplog.text
    seconds[0] = 91 * DAY
    assert retention.prune().events == 2
    EventSink(engine, now=lambda: NOW - 300 * DAY).store("back", pack(chain("back", 2, at=at)))
    assert HubRetention(engine, 90, lambda: NOW, trusts_clock=True).prune().events == 2


def test_of_two_that_forget_at_once_the_slower_one_takes_nothing_back(engine):
    """What it had forgotten further would have come back with a door that is put back from a copy."""
    store(engine, "front", chain("front", 4), days_ago=100)
    with engine.begin() as connection:
        connection.execute(sa.update(STREAMS).where(STREAMS.c.device == "front").values(pruned=9))
    prune(engine)
    with engine.connect() as connection:
        query = sa.select(STREAMS.c.pruned).where(STREAMS.c.device == "front")
        assert connection.execute(query).scalar() == 9
