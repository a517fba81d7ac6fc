"""How long a page of a large history takes, on SQLite or PostgreSQL.

As a command: python -m tests.hub.pages [--events 10000000] [--database sqlite|postgresql] [--pages 30]
                                        [--explain]

The rows are made by the database itself, in the order in which a site of 300 doors and 5,000 people would
have sent them; a few doors and people have far more of them than the rest, and some kinds and reasons are
rare.
"""

import argparse
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from facegate_hub.batches import parse_batch
from facegate_hub.database import reading
from facegate_hub.events import EventSink
from facegate_hub.postgres import take_time
from facegate_hub.reading import EventFilter, latest, page
from facegate_hub.tables import EVENTS, open_tables
from tests.hub.entries import chain, pack
from tests.hub.load import database

ROWS = 50
DAYS = 180
PART = 500_000
DOORS, PEOPLE = 300, 5000
BEGAN = datetime(2026, 6, 1, tzinfo=UTC)
BODY = (
    '{"at":"2026-06-01T08:00:00.000000Z","data":{"camera":"front","consent":"7d0c2c1e-4f4d-4a55-9d0e-0c1f",'
    '"credential":"face","liveness":0.98,"similarity":0.71,"threshold":0.46,"visit":12345},"kind":"access.granted",'
    '"reason":"granted","resident":"flat-0001","seq":1,"trusted":true,"version":1}'
)
SQLITE = """
WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last),
drawn AS MATERIALIZED (
  SELECT i, {uniform} AS kind, {uniform} AS door, {uniform} AS person, {uniform} AS reason FROM n)
"""
POSTGRESQL = """
WITH drawn AS MATERIALIZED (
  SELECT i, {uniform} AS kind, {uniform} AS door, {uniform} AS person, {uniform} AS reason
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i)
"""
ROW = """
INSERT INTO events (device, stream, seq, at, kind, resident, reason, prev, hash, body, stored_at, proven)
SELECT 'door-' || {door}, 'stream-of-door-' || {door}, i, {at},
  CASE WHEN kind < 0.40 THEN 'access.granted' WHEN kind < 0.44 THEN 'access.denied'
       WHEN kind < 0.70 THEN 'door.opened' WHEN kind < 0.96 THEN 'door.closed'
       WHEN kind < 0.99 THEN 'door.rex' WHEN kind < 0.9990 THEN 'health.camera'
       WHEN kind < 0.99999 THEN 'door.bell' ELSE 'door.forced' END,
  CASE WHEN kind < 0.42 THEN 'flat-' || {person} END,
  CASE WHEN kind < 0.40 THEN 'granted'
       WHEN kind < 0.44 THEN CASE
         WHEN reason < 0.6 THEN 'unknown_credential' WHEN reason < 0.9 THEN 'low_quality'
         WHEN reason < 0.9999 THEN 'out_of_time_range' ELSE 'credential_expired' END END,
  {hash}, {hash}, CAST(:body AS text), :stored, 1
FROM drawn
"""
"""Of a draw u between 0 and 1, u to the power of 1.5 makes the first of 5,000 people come 17 times as often
as the average."""


def _fill_sqlite(connection, first, last, values):
    parts = {
        "uniform": "((random() & 9007199254740991) / 9007199254740992.0)",
        "door": "CAST(door * sqrt(door) * 300 AS INTEGER)",
        "person": "CAST(person * sqrt(person) * 5000 AS INTEGER)",
        "hash": "lower(hex(randomblob(32)))",
        "at": "strftime('%Y-%m-%dT%H:%M:%f000Z', :began + i * :step, 'unixepoch')",
    }
    head, tail = ROW.format(**parts).split("SELECT", 1)
    statement = sa.text(f"{head}{SQLITE.format(**parts)}SELECT{tail}")
    connection.execute(statement, {"first": first, "last": last, **values})


def _fill_postgresql(connection, first, last, values):
    parts = {
        "uniform": "random()",
        "door": "CAST(floor(door * sqrt(door) * 300) AS integer)",
        "person": "CAST(floor(person * sqrt(person) * 5000) AS integer)",
        "hash": "md5(random()::text) || md5(random()::text)",
        "at": "to_char(to_timestamp(CAST(:began AS float8) + i * CAST(:step AS float8)) AT TIME ZONE 'UTC',"
        """ 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
    }
    statement = sa.text(POSTGRESQL.format(**parts) + ROW.format(**parts))
    connection.execute(statement, {"first": first, "last": last, **values})


def fill(url, events):
    """Fill a fresh database and return its engine; indices are made at the end, as for a restored one."""
    bare = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    plain = sa.MetaData()
    EVENTS.to_metadata(plain).indexes.clear()
    plain.create_all(bare)
    step = DAYS * 86_400 / events
    values = {"began": BEGAN.timestamp(), "step": step, "stored": time.time(), "body": BODY}
    with bare.connect() as connection:
        is_sqlite = bare.dialect.name == "sqlite"
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA synchronous = OFF")
            connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        for first in range(1, events + 1, PART):
            fill_part = _fill_sqlite if is_sqlite else _fill_postgresql
            fill_part(connection, first, min(first + PART - 1, events), values)
            print(f"{min(first + PART - 1, events):,} rows", flush=True)  # noqa: T201
    bare.dispose()
    began = time.monotonic()
    engine = open_tables(url)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            take_time(connection, None)
            connection.exec_driver_sql("SET statement_timeout = 0")
            connection.exec_driver_sql("VACUUM ANALYZE events")
    print(f"indices made in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
    return engine


def wishes():
    """Return what is asked for, by its name: of the busy and the quiet, what is common and what is rare."""
    day = BEGAN + timedelta(days=DAYS // 2)
    since, until = (f"{one:%Y-%m-%dT%H:%M:%S.%f}Z" for one in (day, day + timedelta(days=1)))
    busy, usual, quiet = "flat-0", "flat-1200", "flat-4999"
    several = tuple(f"door-{number}" for number in (3, 40, 250))
    return {
        "all": EventFilter(),
        "a day": EventFilter(since=since, until=until),
        "door": EventFilter(device="door-40"),
        "quiet door": EventFilter(device="door-299"),
        "door, a day": EventFilter(device="door-40", since=since, until=until),
        "person": EventFilter(resident=usual),
        "busiest person": EventFilter(resident=busy),
        "quietest person": EventFilter(resident=quiet),
        "person, a day": EventFilter(resident=usual, since=since, until=until),
        "person and door": EventFilter(resident=usual, device="door-40"),
        "person and kind": EventFilter(resident=usual, kind="access.denied"),
        "busiest person and kind": EventFilter(resident=busy, kind="access.denied"),
        "person and reason": EventFilter(resident=usual, reason="granted"),
        "busiest person, rare reason": EventFilter(resident=busy, reason="credential_expired"),
        "kind": EventFilter(kind="access.denied"),
        "rare kind": EventFilter(kind="door.forced"),
        "door and kind": EventFilter(device="door-40", kind="door.bell"),
        "reason": EventFilter(reason="low_quality"),
        "rare reason": EventFilter(reason="credential_expired"),
        "door and reason": EventFilter(device="door-40", reason="low_quality"),
        "kind and reason": EventFilter(kind="access.denied", reason="out_of_time_range"),
        "door, kind and reason": EventFilter(device="door-40", kind="access.denied", reason="low_quality"),
        "person, door, reason, a day": EventFilter(
            resident=usual, device="door-40", reason="granted", since=since, until=until
        ),
        "three doors": EventFilter(devices=several),
        "three doors, rare kind": EventFilter(devices=several, kind="door.forced"),
        "three doors, person": EventFilter(devices=several, resident=usual),
        "a hundred doors": EventFilter(devices=tuple(f"door-{number}" for number in range(0, 300, 3))),
        "a hundred doors, person": EventFilter(
            devices=tuple(f"door-{number}" for number in range(0, 300, 3)), resident=usual
        ),
        "nobody": EventFilter(resident="flat-9999"),
    }


def places(engine, wanted, pages):
    """Return where pages begin: the first, some that are reached by paging, some far back in time."""
    rng = random.Random(1)
    found: list[tuple[str, str, str, int] | None] = [None]
    far = [BEGAN + timedelta(seconds=rng.random() * DAYS * 86_400) for _ in range(pages)]
    found += [(f"{one:%Y-%m-%dT%H:%M:%S.%f}Z", "door-999", "", 0) for one in sorted(far)]
    found.append((f"{BEGAN + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S.%f}Z", "door-999", "", 0))
    return [*found, page(engine, wanted, ROWS).then]


def timed(call):
    """Return how many milliseconds a call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def tell(name, milliseconds, rows=""):
    """Print one line of the table."""
    ordered = sorted(milliseconds)
    median, last = ordered[len(ordered) // 2], ordered[-1]
    mark = "  <-- more than 50 ms" if median > 50 else ""
    print(f"{name:32} {median:9.1f} {last:9.1f}  {rows}{mark}", flush=True)  # noqa: T201


def read(engine, pages):
    """Ask for pages of everything, and for what the console counts."""
    print(f"{'ms for a page of ' + str(ROWS):32} {'median':>9} {'longest':>9}", flush=True)  # noqa: T201
    for name, wanted in wishes().items():
        starts = places(engine, wanted, pages)
        times = [timed(lambda then=then: page(engine, wanted, ROWS, then)) for then in starts]  # noqa: B023
        tell(name, times, len(page(engine, wanted, ROWS).events))
    tell("the last 100", [timed(lambda: latest(engine, 100)) for _ in range(5)])


def write(engine, commits=10, doors=100, events=10):
    """Store what doors send, a thousand events in a commit, beside all that is there."""
    sink, times = EventSink(engine), []
    for number in range(commits):
        batches = [
            parse_batch(f"door-{door}", pack(chain(f"door-{door}", events, stream=f"new-{number}")), 0, "")
            for door in range(doors)
        ]
        times.append(timed(lambda batches=batches: sink.commit(batches)))
    tell(f"a commit of {doors * events} events", times)


def explain(engine):
    """Print how the database finds what it is asked for."""
    seen = []

    def keep(_connection, _cursor, statement, parameters, _context, _many):
        seen.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", keep)
    how = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, BUFFERS) "
    for name, wanted in wishes().items():
        seen.clear()
        page(engine, wanted, ROWS)
        statement, parameters = seen[-1]
        print(f"== {name}")  # noqa: T201
        with reading(engine) as connection:
            for row in connection.exec_driver_sql(how + statement, parameters):
                print("   ", row[-1])  # noqa: T201


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--folder", help="where the database is kept and found again (SQLite)")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(wish.database, wish.folder or folder) as url:
        kept = Path(wish.folder or folder) / "hub.db"
        engine = open_tables(url) if kept.exists() else fill(url, wish.events)
        read(engine, wish.pages)
        write(engine)
        if wish.explain:
            explain(engine)
        engine.dispose()


if __name__ == "__main__":
    main()
