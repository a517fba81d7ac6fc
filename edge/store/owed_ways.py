"""Whose PINs, cards and passes are still to be taken back: noted with the people, so nobody inherits them.

Whoever is removed goes at once; what they open the door with lies in a file of its own, which may not be
usable at that moment. Until it is, those ids stand here: neither a restart nor the next person with the same
id makes them forgotten, and their PINs and cards count for nothing (`edge.service.entry.kept`). The same
holds for whoever stays and whose PINs and cards the property ends.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from edge.errors import StoreUnavailable
from edge.store.database import open_database, open_read_only, transaction
from edge.store.resident_rows import FILE_OF_RESIDENTS, RESIDENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

OWED: Final = "SELECT resident_id FROM owed_ways"
OWED_ROWS: Final = "SELECT resident_id, is_former, number FROM owed_ways"


class OwedWays(NamedTuple):
    """Of whom something is to be taken back.

    `is_former`: everything of somebody who was removed, whoever has the id by now; else PINs and cards.
    `order` is the number of the property's order that ends them for whoever has the id now, 0 for none.
    """

    resident_id: str
    is_former: bool
    order: int


def owe(connection: sqlite3.Connection, owed: Iterable[OwedWays]) -> None:
    """Note it within a change of the residents' file."""
    connection.executemany(
        "INSERT INTO owed_ways VALUES (?, ?, ?) ON CONFLICT (resident_id) DO UPDATE SET"
        # The orders for somebody who was removed since concern nobody any more.
        " number = CASE WHEN excluded.is_former THEN excluded.number ELSE max(number, excluded.number) END,"
        " is_former = max(is_former, excluded.is_former)",
        owed,
    )


def owed_in(folder: Path) -> frozenset[str]:
    """Return who stands there in a data folder. Raises `StoreError`."""
    path = folder / FILE_OF_RESIDENTS
    if not path.exists():
        return frozenset()
    with _told(path), closing(open_read_only(path, RESIDENTS, older=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'owed_ways'").fetchone():
            return frozenset()  # an earlier version's
        return frozenset(row[0] for row in connection.execute(OWED))


@contextmanager
def settling(folder: Path, people: Iterable[str]) -> Iterator[list[OwedWays]]:
    """Give the block what is owed of these people, and cross it off when it has gone well.

    Call it for people of `owed_in`. Nobody else settles the same ones meanwhile: what they are given
    afterwards stays. Raises `StoreError`.
    """
    path = folder / FILE_OF_RESIDENTS
    with _told(path), closing(open_database(path, RESIDENTS)) as connection, transaction(connection):
        wanted = frozenset(people)
        rows = connection.execute(OWED_ROWS).fetchall()
        found = [OwedWays(who, bool(former), number) for who, former, number in rows if who in wanted]
        yield found
        connection.executemany(
            "DELETE FROM owed_ways WHERE resident_id = ?", [(one.resident_id,) for one in found]
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: cannot use the resident store: {error}") from error
