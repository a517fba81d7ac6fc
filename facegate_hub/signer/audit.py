"""The signer's audit: a hash chain of who asked for what at the property. Records are only ever added.

A changed or removed record breaks the chain. Records that are missing at the end are noticed only by somebody
who has noted the last hash elsewhere; `facegate hub audit` prints it.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.wire.shapes import printable
from facegate_hub.database import one_at_a_time, reading
from facegate_hub.signer.tables import AUDIT

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Record:
    """One wish: `at` is seconds since 1970, `about` JSON that names doors and counts, never faces."""

    seq: int
    at: float
    by: str
    what: str
    about: str
    prev: str
    hash: str


def note_wish(
    connection: Connection, by: str, what: str, about: dict[str, Any], now: float | None = None
) -> None:
    """Add a record to the chain, in one commit with what it tells of; `now` is seconds since 1970."""
    one_at_a_time(connection, AUDIT)
    query = sa.select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(1)
    last = connection.execute(query).first()
    seq, prev = (last.seq + 1, last.hash) if last is not None else (1, GENESIS)
    at = round(time.time() if now is None else now, 3)
    text = json.dumps(about, sort_keys=True, ensure_ascii=False)
    record = Record(seq, at, printable(by)[:64], what, text, prev, "")
    connection.execute(sa.insert(AUDIT).values(**{**asdict(record), "hash": _digest(record)}))


def read_wishes(engine: Engine, count: int) -> list[Record]:
    """Return the last records, oldest first."""
    query = sa.select(AUDIT).order_by(AUDIT.c.seq.desc()).limit(count)
    with reading(engine) as connection:
        return [Record(*row) for row in connection.execute(query)][::-1]


def first_broken(engine: Engine) -> int | None:
    """Return the number of the first record that does not follow the one before; None: the chain is whole."""
    seq, prev = 0, GENESIS
    with reading(engine) as connection:
        for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.seq)):
            record = Record(*row)
            if (record.seq, record.prev, record.hash) != (seq + 1, prev, _digest(record)):
                return seq + 1
            seq, prev = record.seq, record.hash
    return None


def _digest(record: Record) -> str:
    fields = [record.seq, record.at, record.by, record.what, record.about, record.prev]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()
