"""What the hub remembers: SQLite by default, PostgreSQL for big sites, through one set of tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import StoreError
from facegate_hub.database import open_engine
from facegate_hub.index_making import make_indices, make_statistics
from facegate_hub.postgres import ANSWER_SECONDS, take_time

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

METADATA = sa.MetaData()
MAKING_TABLES = 0x66616365
"""Key of PostgreSQL's advisory lock; any number that no other program on this database uses."""

SORTED = {
    "time": ("at", "device"),
    "device": ("device", "at"),
    "kind": ("kind", "at", "device"),
    "device_and_kind": ("device", "kind", "at"),
    "device_and_reason": ("device", "reason", "at"),
}
"""Indices of events: each in the order in which a page of them is read."""
SORTED_WHERE_GIVEN = {
    "reason": ("reason", "at", "device"),
    "resident_and_device": ("resident", "device", "at"),
    "person": ("resident", "at", "device"),
}
"""The same, without events that have no reason or name nobody: most of a door itself do not."""
LOOKED_AT = {"person": ("kind", "reason")}
"""What stands in an index behind that, so that whoever looks for it reads no event that is not wanted: a
person's events lie all over the table, and each costs a look at the disk."""
UNUSED = ("ix_events_at", "ix_events_kind", "events_by_resident", "ix_streams_moved_at")
"""Indices that older versions made."""


def _index_where_given(name: str, columns: tuple[str, ...]) -> sa.Index:
    given = sa.text(f"{columns[0]} IS NOT NULL")
    whole = (*columns, "stream", "seq", *LOOKED_AT.get(name, ()))
    return sa.Index(f"events_by_{name}", *whole, sqlite_where=given, postgresql_where=given)


EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.String(40)),
    sa.Column("kind", sa.String(64)),
    sa.Column("resident", sa.String(128)),
    sa.Column("reason", sa.String(64)),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("stored_at", sa.Float),
    sa.Column("proven", sa.Integer),
    *(sa.Index(f"events_by_{name}", *columns, "stream", "seq") for name, columns in SORTED.items()),
    *(_index_where_given(name, columns) for name, columns in SORTED_WHERE_GIVEN.items()),
)
"""`stored_at` is the hub's clock, seconds since 1970; what an older version stored counts as new.
`proven` is 1 of what its door has proven to be its own, None of the rest."""

STREAMS = sa.Table(
    "streams",
    METADATA,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("stream", sa.String(64), primary_key=True),
    sa.Column("upto", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64)),
    sa.Column("top", sa.BigInteger),
    sa.Column("pruned", sa.BigInteger),
    sa.Column("began_at", sa.Float),
    sa.Column("moved_at", sa.Float),
    sa.Column("proven_from", sa.BigInteger),
    sa.Column("pruned_told", sa.String(40)),
    sa.Index("streams_by_beginning", "device", "began_at"),
)
"""How far each stream is stored without a gap, the hash there (None: not known), the highest
number stored at all (None: not known), up to where it was deleted for its age (None: nothing), when it was
first heard of and when it last grew (seconds since 1970, None: before that was noted), and after which
number its door proves each event (None: it proves none, or was allowed to stop); `pruned_told` is the latest
time of what was deleted for its age (None: nothing, or before that was noted)."""


def _inbox() -> list[sa.Column[Any]]:
    """Return the columns of what somebody has to look at: see `facegate_hub.inbox`."""
    return [
        sa.Column("acknowledged_by", sa.String(64)),
        sa.Column("acknowledged_at", sa.Float),
        sa.Column("state", sa.String(16)),
        sa.Column("holder", sa.String(64)),
        sa.Column("closed_by", sa.String(64)),
        sa.Column("closed_at", sa.Float),
        sa.Column("note", sa.Text),
    ]


ALARMS = sa.Table(
    "alarms",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("stream", sa.String(64), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("resident", sa.String(128)),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("told", sa.Text),
    *_inbox(),
    sa.Index("alarms_by_door", "device", "kind", "state"),
    sa.Index("alarms_by_state", "state", "id"),
)
"""Alarms of doors, each with how often it came until it was closed; `at` and `last_at` are when it was
stored first and last, `told` who was told of it outside (JSON)."""

DOUBTS = sa.Table(
    "doubts",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("stream", sa.String(64), nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16)),
    sa.Column("count", sa.BigInteger),
    sa.Column("at", sa.Float),
    *_inbox(),
    sa.Index("doubts_once", "device", "stream", "seq", "kind", unique=True),
)
"""Signs of tampering or loss, for people to look at: each once, with how often it was seen (`count`)
and when first (`at`, seconds since 1970); older versions left those None."""

DOORS = sa.Table(
    "doors",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("place", sa.String(80), nullable=False),
)
"""What people call each door, and where it is."""

ANNOUNCED = sa.Table("announced", METADATA, sa.Column("topic", sa.String(255), primary_key=True))
"""Discovery messages that lie at the broker: what is no longer wanted is taken away, also after a restart."""

DEVICES = sa.Table(
    "devices",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("avail", sa.String(16)),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("rev", sa.BigInteger),
    sa.Column("problem", sa.Text),
    sa.Column("seen_at", sa.String(40)),
    sa.Column("heard_at", sa.Float),
    sa.Column("problem_at", sa.Float),
    sa.Column("state", sa.Text),
    sa.Column("shut_out", sa.Text),
    sa.Column("reads", sa.Text),
    sa.Column("unproven", sa.Text),
)
"""What is known of each door. `seen_at` and `heard_at` (seconds since 1970) are when the door itself last
said something, `state` is its last word on that topic, `shut_out` why it is not listened to (None: it is),
`reads` which fields of records it reads that older versions do not know (with commas between),
`unproven` why its events are taken though it proves none (None: each of its journals is doubted)."""

HUBS = sa.Table(
    "hubs",
    METADATA,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("heard_at", sa.Float, nullable=False),
    sa.Column("problem", sa.Text),
)
"""When each running hub last said that it lives, and what is wrong with its own connection."""

ROSTER_LOG = sa.Table(
    "roster_log",
    METADATA,
    sa.Column("rev", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("text", sa.Text),
)
"""Every change in order; `text` is None for a removal."""

ROSTER = sa.Table(
    "roster",
    METADATA,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
EPOCHS = sa.Table("roster_epochs", METADATA, sa.Column("epoch", sa.BigInteger, primary_key=True))
"""Each time the log was begun anew; the highest counts, none is epoch 1."""

REQUESTS = sa.Table(
    "requests",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("data", sa.Text),
    sa.Column("given_at", sa.Float),
    sa.Index("requests_by_status", "status", "asked_at"),
)
"""Commands staff asked for, and what became of them; `data` is the answer's, as JSON, `given_at` when
the signed order left (seconds since 1970, None: it never did)."""

LETTERS = sa.Table(
    "letters",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("sender", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("stored_at", sa.Float, nullable=False),
    sa.Index("letters_by_device", "device", "number"),
    sa.Index("letters_by_sender", "sender", "device"),
    sqlite_autoincrement=True,
)
"""Letters from door to door that their `device` has not taken yet, as the sender signed them."""

SHARED_FACES = sa.Table(
    "shared_faces",
    METADATA,
    sa.Column("consent", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(128), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("certificate", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("by", sa.String(64)),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("todo", sa.Integer, nullable=False),
    sa.Index("shared_faces_todo", "todo"),
    sa.Index("shared_faces_by_person", "person"),
    sa.Index("shared_faces_by_device", "device", "status"),
)
"""Certificates of faces: `waiting` for staff, `listed` in the roster, `replaced` by a newer enrolment,
`refused` by staff (`by`), or `ended`, for good. No face is among them. `todo` is 1 while the roster is to
be brought to it, 2 while the person is not in the roster."""

FACE_PLACES = sa.Table(
    "face_places",
    METADATA,
    sa.Column("consent", sa.String(64), primary_key=True),
    sa.Column("door", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""What doors said of faces from elsewhere: `known` or `erased`."""


def _wish_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns of what is wanted of each door, and of what it says: `facegate_hub.door_wishes`."""
    return (
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("rev", sa.BigInteger),
        sa.Column("wanted", sa.Text),
        sa.Column("reported", sa.Text),
        sa.Column("reported_at", sa.String(40)),
    )


CONFIGS = sa.Table("configs", METADATA, *_wish_columns())
"""What is wanted of a door's settings (JSON by `section.key`), and what it said last (`cfg/reported`)."""

NOTICE_SETS = sa.Table(
    "notice_sets",
    METADATA,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""What each door's display was last told, as it was signed."""

PASS_END_SETS = sa.Table(
    "pass_end_sets",
    METADATA,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
"""Which ended passes each door was last told of, as it was signed."""

RULE_SETS = sa.Table(
    "rule_sets", METADATA, *_wish_columns(), sa.Column("asked", sa.Text), sa.Column("asked_by", sa.String(64))
)
"""The access rules wanted of each door, as they are signed, and what it says of those that count; `asked` are
rules that wait for a second person."""

GIVEN_WAYS = sa.Table(
    "given_ways",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(128), nullable=False, index=True),
    sa.Column("way", sa.String(8), nullable=False),
    sa.Column("after", sa.BigInteger, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("sealed", sa.Text),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("why", sa.String(40)),
)
"""PINs and cards that were given, door by door. `sealed` is for that door alone, and goes when settled."""

WAY_ASKED, WAY_WAITING, WAY_ENDED = "asked", "waiting", "ended"
"""How they stand until a second person has agreed, until a door has said something, and once nobody is to get
them any more."""

WAY_DOORS = sa.Table(
    "way_doors",
    METADATA,
    sa.Column("device", sa.String(64), primary_key=True),
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("upto", sa.BigInteger, nullable=False),
    sa.Column("nonce", sa.String(64)),
    sa.Column("asked_at", sa.BigInteger),
)
"""Doors that take PINs and cards: the certificate they proved, the last order they keep, the nonce that
has not been answered, and when they last asked (milliseconds since 1970 by their own clock; None: they do not
say)."""

OF_A_DOOR = (DEVICES.c.id, CONFIGS.c.device, RULE_SETS.c.device, WAY_DOORS.c.device)
"""What is kept of a door for as long as it is there: by these columns it goes when the door is taken away."""

GRANTED_PASSES = sa.Table(
    "granted_passes",
    METADATA,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("doors", sa.String(400), nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("host", sa.String(128)),
    sa.Column("granted_at", sa.Float),
    sa.Column("begins", sa.BigInteger),
    sa.Column("kind", sa.String(16)),
    sa.Column("flat", sa.String(80)),
    sa.Index("granted_passes_by_end", "until"),
    sa.Index("granted_passes_by_host", "host", "granted_at"),
)
"""Visitor passes that this hub has signed, for whom (`host`: the maker's number in the roster; None of an
older version) and when, and for which flat: its limits are counted here, and the guard's list is made of
them. `doors` are names with commas. Only these can be ended
at doors, and what was ended here once stays so, whatever the community's book says later."""

RINGS_HEARD = sa.Table(
    "rings_heard",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("door", sa.String(64), nullable=False),
    sa.Column("flat", sa.String(80)),
    sa.Column("rang_at", sa.Float, nullable=False),
    sa.Column("answer", sa.String(8)),
    sa.Column("request", sa.String(64)),
    sa.Index("rings_heard_by_time", "rang_at"),
)
"""Rings that doors have proven, for which flat (None: the display named none that there is), the one answer
that counts (`open`, `no`) and the request that came of it; `rang_at` by the hub's clock. Who answered stands
in the signer's audit and the door's journal alone."""


NOTICES_SENT = sa.Table(
    "notices_sent",
    METADATA,
    sa.Column("channel", sa.String(16), primary_key=True),
    sa.Column("notice", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Which notices mail and web request have taken, and when (seconds since 1970)."""


def open_tables(url: str, tables: sa.MetaData = METADATA) -> Engine:
    """Return an engine with all tables in place, the hub's by default. Raises `StoreError` otherwise.

    `url` is SQLAlchemy's: `sqlite:////var/lib/facegate/hub.db` or `postgresql+psycopg://...`.
    """
    try:
        engine = open_engine(url)
        with engine.begin() as connection:
            _make_tables(connection, tables)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise StoreError(f"hub database: {str(error).splitlines()[0]}") from error
    return engine


def _make_tables(connection: Connection, tables: sa.MetaData) -> None:
    """Make what is missing; one hub at a time, however many start at once."""
    if connection.dialect.name == "postgresql":
        take_time(connection, None)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING_TABLES)))
    tables.create_all(connection)
    inspector = sa.inspect(connection)
    for table in tables.sorted_tables:
        known = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:  # a table of an older version: new columns are nullable
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f'ALTER TABLE {table.name} ADD COLUMN "{column.name}" {kind}')
                if column is EVENTS.c.stored_at:
                    connection.execute(sa.update(EVENTS).values(stored_at=time.time()))
        make_indices(connection, table)
    if tables is METADATA:
        make_statistics(connection, EVENTS, "events_kinds_of_reasons", "kind, reason")
    for name in UNUSED if tables is METADATA else ():
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
    if connection.dialect.name == "postgresql":
        take_time(connection, ANSWER_SECONDS)
