"""What the signer remembers, in a database that nobody else opens: whom it knows, what it granted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.database import make_theirs
from facegate_hub.tables import open_tables

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine

SIGNED = sa.MetaData()
FILE = "signer.db"

PRINCIPALS = sa.Table(
    "principals",
    SIGNED,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("uid", sa.BigInteger),
    sa.Column("token", sa.String(64)),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("password", sa.LargeBinary),
    sa.Column("ended_at", sa.Float),
    sa.Column("failures", sa.Integer),
    sa.Column("failed_at", sa.Float),
    sa.Index("principals_by_uid", "uid"),
    sa.Index("principals_by_token", "token"),
)
"""`kind` is person or program; `uid` their account on this machine, `token` the SHA-256 of a secret of
theirs, `password` scrypt's; `ended_at` since when they may nothing (seconds since 1970)."""

GRANTS = sa.Table(
    "grants",
    SIGNED,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("principal", sa.String(64), nullable=False, index=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("may", sa.Text, nullable=False),
    sa.Column("doors", sa.String(80), nullable=False),
    sa.Column("hours", sa.String(200), nullable=False),
    sa.Column("per_minute", sa.Integer),
    sa.Column("until", sa.Float),
)
"""`may` are rights beside the role's, with commas; `doors` is a door, `@group` or `*`."""

GROUPS = sa.Table(
    "door_groups",
    SIGNED,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("door", sa.String(64), primary_key=True),
)

SESSIONS = sa.Table(
    "sessions",
    SIGNED,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("principal", sa.String(64), nullable=False, index=True),
    sa.Column("until", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)
"""Who logged in: `token` is the SHA-256 of what they show, `until` when it ends whatever happens."""

PERMITS = sa.Table(
    "permits",
    SIGNED,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("door", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("principal", sa.String(64), nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float),
    sa.Index("permits_by_time", "asked_at"),
)
"""Commands that were granted; each is signed once (`used_at`)."""

FIRST_VOICES = sa.Table(
    "first_voices",
    SIGNED,
    sa.Column("door", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("principal", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""Who asked for what needs another person to ask for it, too."""

ASKS = sa.Table(
    "asks",
    SIGNED,
    sa.Column("integration", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("asks_by_time", "at"),
)
"""What other programs asked for in the last day: each id counts once."""

ROSTERS = sa.Table(
    "rosters",
    SIGNED,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("rev", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("batch", sa.BigInteger, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("rosters_by_rev", "epoch", "rev", "digest"),
)
"""States of the roster that somebody who may has asked for: no other one is signed; `batch` counts
approvals."""


def _wishes(name: str) -> sa.Table:
    """Return a table of what was asked for last of each door; `digest` is SHA-256 of what is signed."""
    return sa.Table(
        name,
        SIGNED,
        sa.Column("device", sa.String(64), primary_key=True),
        sa.Column("rev", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )


WISHES = _wishes("wishes")
"""The settings of each door."""

RULE_WISHES = _wishes("rule_wishes")
"""The access rules of each door."""

WAY_ORDERS = sa.Table(
    "way_orders",
    SIGNED,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("device", sa.String(64), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""PINs and cards that somebody who may has given: `digest` is the SHA-256 of the sealed order."""

RULES = sa.Table(
    "rules",
    SIGNED,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""What holds for the whole site, by name: see `facegate_hub.signer.policy`."""

AUDIT = sa.Table(
    "audit",
    SIGNED,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("by", sa.String(64), nullable=False),
    sa.Column("what", sa.String(32), nullable=False),
    sa.Column("about", sa.Text, nullable=False),
    sa.Column("prev", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""Who asked for what, chained; nothing ever deletes from it."""


def open_memory(folder: Path) -> Engine:
    """Return the signer's database in its folder, made (mode 0600) if need be. Raises `StoreError`."""
    # Before SQLite makes it with the rights of the umask; what is wrong with the folder is said below.
    make_theirs(folder / FILE, 0o600)
    with suppress(OSError):
        (folder / FILE).touch(mode=0o600)
    return open_tables(f"sqlite:///{(folder / FILE).absolute()}", SIGNED)
