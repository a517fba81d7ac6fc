"""Pages of a history: the same events from both databases, however they are found, and from old databases."""

import itertools
import logging
import random
from typing import Any

import pytest
import sqlalchemy as sa

from facegate_hub import index_making
from facegate_hub.reading import EventFilter, latest, page
from facegate_hub.tables import EVENTS, open_tables

DOORS, PEOPLE, KINDS = ("a", "b", "c"), ("anna", "bob", None), ("access.granted", "access.denied")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    wanted = f"sqlite:///{tmp_path}/hub.db" if request.param == "sqlite" else ""
    engine = open_tables(wanted or request.getfixturevalue("postgresql"))
    yield engine
    engine.dispose()


def fill(engine, count):
    """Store events of which many happened at the same moment, at several doors."""
    rng = random.Random(1)
    rows = [
        {
            "device": rng.choice(DOORS),
            "stream": rng.choice("xy"),
            "seq": number,
            "at": f"2026-03-01T08:00:{rng.randrange(20):02}.000000Z",
            "kind": rng.choice(KINDS),
            "resident": rng.choice(PEOPLE),
            "reason": rng.choice(("granted", "low_quality", None)),
            "prev": "-",
            "hash": "-",
            "body": "{}",
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(EVENTS), rows)
    return rows


def place(row):
    return row["at"], row["device"], row["stream"], row["seq"]


def expected(rows, wanted):
    names = ("device", "resident", "kind", "reason")
    fits = [
        row
        for row in rows
        if all(getattr(wanted, name) in {None, row[name]} for name in names)
        and (wanted.devices is None or row["device"] in wanted.devices)
        and (wanted.since is None or row["at"] >= wanted.since)
        and (wanted.until is None or row["at"] < wanted.until)
    ]
    return sorted(map(place, fits), reverse=True)


def paged(engine, wanted, count):
    found, then = [], None
    while True:
        one = page(engine, wanted, count, then)
        found += [(event.at, event.device, event.stream, event.seq) for event in one.events]
        if (then := one.then) is None:
            return found


def test_pages_have_every_event_once_and_in_order_whatever_is_asked(engine):
    rows = fill(engine, 400)
    choices: dict[str, tuple[Any, Any]] = {
        "device": (None, "b"),
        "devices": (None, ("a", "c")),
        "resident": (None, "anna"),
        "kind": (None, "access.denied"),
        "reason": (None, "granted"),
        "until": (None, "2026-03-01T08:00:11.000000Z"),
        "since": (None, "2026-03-01T08:00:04.000000Z"),
    }
    for values in itertools.product(*choices.values()):
        wanted = EventFilter(**dict[str, Any](zip(choices, values, strict=True)))
        assert paged(engine, wanted, 23) == expected(rows, wanted), wanted


def test_a_page_that_is_said_to_begin_after_the_range_begins_with_it(engine):
    rows = fill(engine, 100)
    wanted = EventFilter(until="2026-03-01T08:00:05.000000Z")
    found = page(engine, wanted, 10, ("2027-01-01T00:00:00.000000Z", "z", "z", 1)).events
    assert [(one.at, one.device, one.stream, one.seq) for one in found] == expected(rows, wanted)[:10]


def test_a_database_of_an_older_version_gets_the_new_index_with_a_word_and_loses_the_old(engine, caplog):
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX events_by_person")
        connection.exec_driver_sql("CREATE INDEX events_by_resident ON events (resident, at)")
    rows = fill(engine, index_making.MANY_ROWS // 100)
    with engine.begin() as connection:  # as many by their numbers, which is how they are counted
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(f"UPDATE events SET rowid = {index_making.MANY_ROWS} WHERE seq = 0")
        else:
            told = f"UPDATE pg_class SET reltuples = {index_making.MANY_ROWS} WHERE relname = 'events'"
            connection.exec_driver_sql(told)
    url = engine.url.render_as_string(hide_password=False)
    with caplog.at_level(logging.WARNING):
        again = open_tables(url)
    names = {one["name"] for one in sa.inspect(again).get_indexes("events")}
    assert "events_by_person" in names
    assert "events_by_resident" not in names
    assert "making index events_by_person of about 300,000 rows" in caplog.text
    assert "index events_by_person was made in" in caplog.text
    caplog.clear()
    open_tables(url).dispose()
    assert not caplog.text
    assert paged(again, EventFilter(resident="bob"), 500) == expected(rows, EventFilter(resident="bob"))
    again.dispose()


def test_the_last_events_are_the_newest_also_beside_old_ones_without_a_time(engine):
    """PostgreSQL sorts what has no time behind all times: ten such events hid what happened today."""
    rows = fill(engine, 40)
    with engine.begin() as connection:
        connection.execute(sa.update(EVENTS).where(EVENTS.c.seq < 10).values(at=None))
    newest = sorted(rows[10:], key=place)[-5:]
    assert [(one.at, one.seq) for one in latest(engine, 5)] == [(row["at"], row["seq"]) for row in newest]
