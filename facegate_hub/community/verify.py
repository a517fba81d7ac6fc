"""Does the book hold: the chain is replayed, and every cell of every projection compared with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import StoreError
from facegate_hub.community.book import GENESIS, entry_hash, mark_of
from facegate_hub.community.schema import CONTENTS, LEDGER, PROJECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Row

    from edge.store.sealer import Sealer

MOST_PROBLEMS = 50


@dataclass(slots=True)
class BookCheck:
    """What verifying found: entries read, the last hash, and every problem (none: the book is whole)."""

    count: int = 0
    head: str = GENESIS
    problems: list[str] = field(default_factory=list)
    heads: dict[int, str] = field(default_factory=dict)
    """Hash by number, to compare with one that was noted elsewhere."""

    def add(self, problem: str) -> None:
        """Take note of a problem; beyond fifty they say nothing new."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


@dataclass(slots=True)
class _Replayed:
    tables: dict[str, dict[str, dict[str, Any]]]
    kept: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)


def verify(
    connection: Connection, sealer: Sealer | None, noted: Mapping[int, str] | None = None
) -> BookCheck:
    """Check that no row was changed, added or removed without an entry, and return what was found.

    Without `sealer` the contents are only counted. `noted` are hashes that were recorded elsewhere, by
    number, at least 12 hex digits of each: only they reveal a chain that was rebuilt as a whole.
    """
    check, state = BookCheck(), _Replayed({name: {} for name in PROJECTIONS})
    for row in connection.execute(sa.select(LEDGER).order_by(LEDGER.c.seq)):
        _follow(check, row, state)
    for name, table in PROJECTIONS.items():
        _compare(check, table, connection, state.tables[name])
    _compare_contents(check, connection, sealer, state)
    for seq, digits in (noted or {}).items():
        if not check.heads.get(seq, "").startswith(digits.lower()):
            check.add(f"entry {seq} is not the one that was noted: the chain was rebuilt or cut off")
    return check


def _follow(check: BookCheck, row: Row[Any], state: _Replayed) -> None:
    """Check one entry against the one before it, and let it change the replayed tables."""
    fields = [row.seq, row.at, row.actor, row.kind, row.subject, row.body, row.prev]
    if row.seq != check.count + 1:
        check.add(f"entry {check.count + 1} is missing")
    # After a broken entry continue from the hash that it states, so that each break is reported once and not
    # again with every later entry.
    if row.prev != check.head or entry_hash(fields) != row.hash:
        check.add(f"entry {row.seq} was changed or does not follow the one before")
    check.count, check.head = row.seq, row.hash
    check.heads[row.seq] = row.hash
    try:
        body = json.loads(row.body)
        for table, identity, values in body["rows"]:
            if values is None:  # the row was taken out
                state.tables[table].pop(identity, None)
            else:
                state.tables[table].setdefault(identity, {}).update(values)
        state.kept.update(body["kept"])
        state.gone.update(body["gone"])
    except (ValueError, KeyError, TypeError) as error:
        check.add(f"entry {row.seq} cannot be read ({error})")


def _compare(
    check: BookCheck, table: sa.Table, connection: Connection, wanted: dict[str, dict[str, Any]]
) -> None:
    names = [column.name for column in table.columns if column.name != "id"]
    left = dict(wanted)
    for row in connection.execute(sa.select(table)):
        values = left.pop(row.id, None)
        if values is None:
            check.add(f"{table.name} {row.id}: no entry made it")
            continue
        for name in names:
            if getattr(row, name) != values.get(name):
                check.add(f"{table.name} {row.id}: {name} is not what its entries say")
    for identity in left:
        check.add(f"{table.name} {identity}: it was taken out")


def _compare_contents(
    check: BookCheck, connection: Connection, sealer: Sealer | None, state: _Replayed
) -> None:
    left = state.kept - state.gone
    for row in connection.execute(sa.select(CONTENTS)):
        if row.mark not in left:
            check.add(f"content {row.mark[:12]}: no entry keeps it")
            continue
        left.remove(row.mark)
        if sealer is None:
            continue
        try:
            plain = sealer.open(row.sealed, row.mark.encode())
        except StoreError:
            check.add(f"content {row.mark[:12]} cannot be opened: changed, or sealed with another key")
            continue
        if mark_of(row.salt, row.owner, plain) != row.mark:
            check.add(f"content {row.mark[:12]} was changed")
    for mark in sorted(left):
        check.add(f"content {mark[:12]} was deleted without an entry")
