"""Somebody with the database in their hands changes something: does verifying see it?

    python -m tests.community.tamper --trials 1000

Each trial changes, deletes, adds or exchanges something at random, clumsily (as with a database browser)
or by rebuilding the whole chain. Every clumsy change must be found by `verify`, every rebuilt chain by one
hash that was noted elsewhere. Ends with an error code unless all are.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

from edge.store.payload import canonical
from facegate_hub.community.book import GENESIS, Book, entry_hash
from facegate_hub.community.schema import CONTENTS, LEDGER, PROJECTIONS
from facegate_hub.community.verify import verify
from tests.community.world import fill, new_book


def any_row(connection, table, rng):
    rows = connection.execute(sa.select(table)).all()
    return rng.choice(rows) if rows else None


def spoilt(value, rng):
    """Return another value of the same kind."""
    if isinstance(value, int):
        return value + rng.choice([-1, 1, 3600])
    if isinstance(value, bytes):
        place = rng.randrange(len(value))
        return value[:place] + bytes([value[place] ^ 1 << rng.randrange(8)]) + value[place + 1 :]
    if value is None:
        return "x"
    place = rng.randrange(len(value)) if value else 0
    return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :] if value else "x"


def key_of(table):
    return next(iter(table.primary_key))


def change_a_cell(connection, rng):
    table = rng.choice([LEDGER, CONTENTS, *(table for table in PROJECTIONS.values())])
    if (row := any_row(connection, table, rng)) is None:
        return False
    column = rng.choice([column for column in table.columns if column is not key_of(table)])
    new = spoilt(getattr(row, column.name), rng)
    if isinstance(column.type, sa.BigInteger) and not isinstance(new, int):
        new = 1
    here = key_of(table) == getattr(row, key_of(table).name)
    connection.execute(sa.update(table).where(here).values({column.name: new}))
    return True


def delete_a_row(connection, rng):
    table = rng.choice([LEDGER, CONTENTS, *PROJECTIONS.values()])
    if (row := any_row(connection, table, rng)) is None:
        return False
    connection.execute(sa.delete(table).where(key_of(table) == getattr(row, key_of(table).name)))
    return True


def add_a_row(connection, rng):
    table = rng.choice([CONTENTS, *PROJECTIONS.values()])
    if (row := any_row(connection, table, rng)) is None:
        return False
    connection.execute(sa.insert(table).values({**row._mapping, key_of(table).name: f"new{rng.random()}"}))
    return True


def exchange_two_entries(connection, rng):
    one, two = rng.sample(connection.execute(sa.select(LEDGER)).all(), 2)
    for seq, row in ((one.seq, two), (two.seq, one)):
        values = {**row._mapping, "seq": seq}
        connection.execute(sa.update(LEDGER).where(LEDGER.c.seq == seq).values(**values))
    return True


CLUMSY = (change_a_cell, delete_a_row, add_a_row, exchange_two_entries)


def rebuild(connection, rng):
    """Change one entry and write the whole chain after it anew, projections and all: a careful liar."""
    rows = connection.execute(sa.select(LEDGER).order_by(LEDGER.c.seq)).all()
    victim = rng.choice([row for row in rows if json.loads(row.body)["rows"]])
    prev = GENESIS
    for row in rows:
        body = json.loads(row.body)
        if row.seq == victim.seq:
            body["say"]["why"] = f"another {rng.random()}"
        fields = [row.seq, row.at, row.actor, row.kind, row.subject, canonical(body), prev]
        values = {"body": fields[5], "prev": prev, "hash": entry_hash(fields)}
        connection.execute(sa.update(LEDGER).where(LEDGER.c.seq == row.seq).values(**values))
        prev = values["hash"]
    return True


def trial(book: Book, rng: random.Random) -> tuple[str, bool]:
    """Return (what was done, whether it was found); afterwards everything is as before."""
    is_careful = rng.random() < 0.2
    with book.engine.connect() as connection, connection.begin() as commit:
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(f"DROP TRIGGER ledger_{verb}")
        head = book.head(connection)
        noted = {head[0]: head[1][:12]}
        act = rebuild if is_careful else rng.choice(CLUMSY)
        while not act(connection, rng):
            pass
        found = verify(connection, book.sealer, noted if is_careful else None).problems
        commit.rollback()
    return act.__name__, bool(found)


def trials(folder: Path, count: int, seed: int) -> list[str]:
    """Return what was not found, each as a word of what was done."""
    book, _ = new_book(folder)
    fill(book)
    with book.looking() as connection:
        assert not verify(connection, book.sealer).problems
    missed = []
    for number in range(count):
        name, is_found = trial(book, random.Random(f"{seed}:{number}"))
        if not is_found:
            missed.append(f"{name} (seed {seed}:{number})")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        missed = trials(Path(folder), wish.trials, wish.seed)
    sys.stdout.write("\n".join([f"{wish.trials} trials, {len(missed)} not found", *missed[:10], ""]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
