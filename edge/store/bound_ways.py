"""Which PINs, cards and accounts of the page count: those whose rows this door wrote."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from edge.errors import StoreError
from edge.store.keyring import BOUND_WAYS
from edge.store.way_rows import bind_way, bound_way, is_way_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.store.keyring import Keyring

    Row = tuple[Any, ...]

LOG = logging.getLogger(__name__)

MOST_PROVEN = 20_000
"""Rows that are not looked at again: a visitor must not wait for thousands of them."""


class BoundWays:
    """Tells the PINs, cards or accounts that this door wrote from others. Any thread.

    `open_keyring` is called when the first row is looked at or bound: a door without PINs and cards has no
    keys to wait for. `since` as in `Keyring.is_ours`. `edited` is whose rows were last found to be somebody
    else's; `report` hears of it when that changes.
    """

    def __init__(
        self,
        open_keyring: Callable[[], Keyring],
        since: bytes = BOUND_WAYS,
        report: Callable[[tuple[str, ...]], object] = lambda _edited: None,
    ) -> None:
        self._open_keyring = open_keyring
        self._since, self._report = since, report
        self._opened: Keyring | None = None
        self._opening = threading.Lock()
        self._proven: set[Row] = set()
        self._edited: dict[str, tuple[str, ...]] = {}

    @property
    def keyring(self) -> Keyring:
        """The keys, opened when they are first asked for."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open_keyring()
            return self._opened

    @property
    def edited(self) -> tuple[str, ...]:
        """Whose rows were last found to be written by somebody else."""
        return tuple(sorted({who for people in self._edited.values() for who in people}))

    def bound(self, table: str, columns: Row) -> Row:
        """Return a row with its mark. Call it within the transaction that stores it: keys may change."""
        return (*columns, bind_way(self.keyring, bound_way(table, columns)))

    def ours(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that count: whose it is stands second in each, the mark last."""
        fresh = [(table, *row) for row in rows if (table, *row) not in self._proven]
        # Asked before the rows are: what counts for want of a key is not proven by one that comes meanwhile.
        can_prove = bool(fresh) and self._can_prove()
        good = {row for row in fresh if self._is_ours(row)}
        refused = {row[1:] for row in fresh if row not in good}
        if can_prove:
            self._proven = self._proven | good if len(self._proven) < MOST_PROVEN else good
        self._note(table, tuple(sorted({str(row[1]) for row in refused})))
        return [row for row in rows if row not in refused]

    def _is_ours(self, row: Row) -> bool:
        return is_way_ours(self.keyring, bound_way(*_split(row)), row[-1], self._since)

    def _can_prove(self) -> bool:
        """Return whether what counts now was written by us for sure, and need not be looked at again."""
        keyring = self.keyring
        try:
            return keyring.binds(self._since) and (not keyring.is_remote or keyring.has_site_key)
        except StoreError:
            return False

    def _note(self, table: str, people: tuple[str, ...]) -> None:
        if people and people != self._edited.get(table):
            LOG.critical(
                "%s of %s were edited on the card, not by this door, and count for nothing; give them anew",
                table,
                ", ".join(people),
            )
        if people != self._edited.get(table, ()):
            self._report(people)
        self._edited[table] = people

    def close(self) -> None:
        """Let go of the keys. Safe to call twice."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()


def _split(row: Row) -> tuple[str, Row]:
    """Return a row's table and its columns but the mark."""
    return row[0], row[1:-1]
