"""PINs, cards and the uses of visitor passes: what must be known without network or camera."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from edge.errors import StoreError, StoreUnavailable
from edge.events import Kind
from edge.store.bound_tables import since_of
from edge.store.bound_ways import BoundWays
from edge.store.key_source import keyring_of
from edge.store.keyring import KEYS_FILE
from edge.store.shared import SharedDatabase
from edge.store.untold import KeepsUntold, UntoldEvent, keep_untold
from edge.store.way_rows import (
    CARD_COLUMNS,
    CREDENTIALS,
    CREDENTIALS_FILE,
    PASSES,
    PIN_COLUMNS,
    PIN_KEY_FILE,
    CardSeal,
    migrating,
    secret_of,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

LOG = logging.getLogger(__name__)

PASS_KEY_FILE = "pass.key"  # noqa: S105 - a file's name
"""What this door signs its own visitor passes with; no other door knows it."""

KEEP_USES = timedelta(days=7)
"""How long the uses of an expired pass stay: a clock set back by less revives nothing."""

PINS = f"SELECT {PIN_COLUMNS} FROM pins"  # noqa: S608 - constants
CARDS = f"SELECT {CARD_COLUMNS} FROM sealed_cards"  # noqa: S608
PUT_PIN = f"INSERT OR REPLACE INTO pins ({PIN_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
PUT_CARD = f"INSERT OR REPLACE INTO sealed_cards ({CARD_COLUMNS}) VALUES (?, ?, ?, ?)"  # noqa: S608

NOTHING: Mapping[str, object] = MappingProxyType({})

ENDED = 1_000_000
"""Uses of a pass that was taken back: more than any pass allows, and what a restore keeps."""


class IssuedPass(NamedTuple):
    """A visitor pass of this door. `max_uses` 0: any number; `uses` are those counted so far."""

    id: bytes
    resident_id: str
    kind: str
    valid_from: datetime
    until: datetime
    max_uses: int
    uses: int = 0

    @property
    def is_ended(self) -> bool:
        """True when it was taken back."""
        return self.uses >= ENDED


class PinRow(NamedTuple):
    """One stored PIN; `digest` is useless without the site's key, which is kept elsewhere."""

    number: str
    resident_id: str
    is_duress: bool
    digest: bytes


class PropertyOrder(NamedTuple):
    """An order of the property that gives a PIN or card: its number, and who gave it."""

    number: int
    by: str


class CredentialStore(KeepsUntold):
    """The credentials of one door's data folder. Any thread.

    A PIN or card whose row this door did not write counts for nothing (`edge.store.way_rows`). Of a damaged
    file what can be read goes on. Raises `StoreError` when nothing can be read of it, or its key is lost, for
    a backup is worth more then, or it cannot be used now, `KeyUnavailable` when nobody can tell who wrote a
    row; `is_patient` as in `SharedDatabase`.
    """

    def __init__(self, path: Path, *, is_patient: bool = False) -> None:
        is_new = not path.exists() and not path.with_name(PIN_KEY_FILE).exists()
        self._cards = CardSeal(secret_of(path))
        self._ways = BoundWays(lambda: keyring_of(path.parent, is_patient=is_patient))
        self._file = SharedDatabase(
            path,
            CREDENTIALS,
            what="the credentials",
            functions=migrating(path.parent),
            after_mending=(),
            begins_anew=False,  # an empty file would make every PIN a wrong one
            is_patient=is_patient,
        )
        self.are_passes_edited = False
        """Whether the last use was asked of passes that this door did not write as they are."""
        with suppress(StoreUnavailable):
            self._file.check()
        if is_new and path.with_name(KEYS_FILE).exists():
            # A new file is marked at once. Without a mark it could not be told from one that somebody
            # emptied.
            with suppress(StoreError), self._file.writing() as connection:
                PASSES.seal(connection, self._ways.keyring)

    @property
    def problem(self) -> str | None:
        """Why nothing can be changed now, None when it can as far as is known."""
        return self._file.problem

    @property
    def edited(self) -> tuple[str, ...]:
        """Whose PINs and cards were last found to be written by somebody else than this door."""
        return self._ways.edited

    def mark(self) -> tuple[int, int, int]:
        """Return what changes with every change of the file; costs microseconds."""
        return self._file.mark()

    def pins(self) -> list[PinRow]:
        """Return every PIN."""
        with self._file.using() as connection:
            rows = connection.execute(f"{PINS} ORDER BY number, resident_id").fetchall()
        ours = self._ways.ours("pins", rows)
        return [PinRow(number, who, bool(duress), digest) for number, who, duress, digest, _ in ours]

    def put_pin(self, row: PinRow, order: PropertyOrder | None = None) -> bool:
        """Store one PIN in place of the resident's former one of its kind; `order` is the property's.

        False, and nothing is stored, where somebody else has the same PIN under this number by now.
        """
        taken = (
            "SELECT 1 FROM pins WHERE number = ? AND digest = ? AND NOT (resident_id = ? AND is_duress = ?)"
        )
        with self._file.writing() as connection:
            # Within the write: page, command and property may give the same PIN at once.
            if connection.execute(taken, (row.number, row.digest, row.resident_id, row.is_duress)).fetchone():
                return False
            _note_order(connection, row.resident_id, "pin", order)
            connection.execute(PUT_PIN, self._ways.bound("pins", row))
        return True

    def remove_pins(self, resident_id: str, by: str | None = None) -> int:
        """Remove the PINs of a resident, that of duress too; return how many there were.

        That `by` did it is kept to be told (`untold`), None: somebody else tells of it.
        """
        with self._file.writing() as connection:
            count = connection.execute("DELETE FROM pins WHERE resident_id = ?", (resident_id,)).rowcount
            if count:
                _keep_removed(connection, resident_id, by, "pin")
            return count

    def cards(self) -> dict[str, str]:
        """Return the resident of every card. Raises `StoreError` when the key is not the one of this file."""
        with self._file.using() as connection:
            rows = connection.execute(CARDS).fetchall()
        found: dict[str, str] = {}
        ours = self._ways.ours("cards", rows)
        for _mark, resident_id, sealed, _bound in ours:
            try:
                found[self._cards.open(sealed)] = resident_id
            except StoreError as error:  # the others go on opening
                LOG.error("a card of %s is not known any more, give it anew: %s", resident_id, error)  # noqa: TRY400
        if ours and not found:
            raise StoreError(f"{PIN_KEY_FILE} is not the key of this {CREDENTIALS_FILE}: no card can be read")
        return found

    def put_card(
        self,
        card_id: str,
        resident_id: str,
        order: PropertyOrder | None = None,
        *,
        takes_over: bool = True,
    ) -> str | None:
        """Give a card to a resident, taking it from somebody who had it; `order` is the property's.

        Without `takes_over` a card that somebody else has stays theirs: return who that is, else None.
        """
        mark = self._cards.mark(card_id)
        with self._file.writing() as connection:
            # Within the write: page, command and property may give the same card at once.
            if not takes_over and (holder := self._holder(connection, mark)) not in {None, resident_id}:
                return holder
            _note_order(connection, resident_id, "card", order)
            row = (mark, resident_id, self._cards.seal(card_id))
            connection.execute(PUT_CARD, self._ways.bound("cards", row))
        return None

    def _holder(self, connection: sqlite3.Connection, mark: bytes) -> str | None:
        # All rows, not this one alone: `ours` reports whose rows were edited, of those that it is given.
        ours = self._ways.ours("cards", connection.execute(CARDS).fetchall())
        return next((str(row[1]) for row in ours if row[0] == mark), None)

    def remove_card(self, card_id: str, by: str | None = None) -> str | None:
        """Take one card back; return who had it, None when nobody has it. `by` as in `remove_pins`."""
        mark = (self._cards.mark(card_id),)
        with self._file.writing() as connection:
            row = connection.execute("SELECT resident_id FROM sealed_cards WHERE mark = ?", mark).fetchone()
            if row is None:
                return None
            connection.execute("DELETE FROM sealed_cards WHERE mark = ?", mark)
            _keep_removed(connection, str(row[0]), by, "card")
            return str(row[0])

    def remove(self, resident_id: str, *, by_property: bool = False, by: str | None = None) -> int:
        """Remove every PIN and card of a resident; return how many there were.

        What the property's roster has removed is kept to be told (`untold`); `by` as in `remove_pins`.
        """
        with self._file.writing() as connection:
            for way, table in (("pin", "pins"), ("card", "sealed_cards")):
                sql = f"SELECT 1 FROM {table} WHERE resident_id = ?"  # noqa: S608 - constants
                if connection.execute(sql, (resident_id,)).fetchone():
                    _keep_removed(connection, resident_id, by, way)
            count = _removed(connection, resident_id)
            if by_property and count:
                keep_untold(connection, _taken_back(resident_id, count))
            return count

    def renumber(self, was: str, now: str) -> None:
        """Let every PIN and card that counts, and the passes' list, be those of another id, in one step."""
        with self._file.writing() as connection:
            for table, name, every, add in (
                ("pins", "pins", PINS, PUT_PIN),
                ("cards", "sealed_cards", CARDS, PUT_CARD),
            ):
                ours = self._ways.ours(table, connection.execute(every).fetchall())
                moved = [(row[0], now, *row[2:-1]) for row in ours if row[1] == was]
                connection.execute(f"DELETE FROM {name} WHERE resident_id = ?", (was,))  # noqa: S608
                connection.executemany(add, [self._ways.bound(table, row) for row in moved])
            with self._passes_change(connection, needs_key=False):
                change = "UPDATE issued_passes SET resident_id = ? WHERE resident_id = ?"
                connection.execute(change, (now, was))
            connection.execute("DELETE FROM given_ways WHERE resident_id = ?", (now,))
            connection.execute("UPDATE given_ways SET resident_id = ? WHERE resident_id = ?", (now, was))

    def end_ways(self, resident_id: str, number: int) -> int | None:
        """Take every PIN and card of a resident back, as the property's order of this number says.

        Return how many there were, None when this order or a later one was carried out before: what was
        given since stays.
        """
        with self._file.writing() as connection:
            sql = "SELECT 1 FROM ended_ways WHERE resident_id = ? AND number >= ?"
            if connection.execute(sql, (resident_id, number)).fetchone():
                return None
            connection.execute("INSERT OR REPLACE INTO ended_ways VALUES (?, ?)", (resident_id, number))
            count = _removed(connection, resident_id)
            keep_untold(connection, _taken_back(resident_id, count))
            return count

    def forget_ends(self, residents: Iterable[str]) -> None:
        """Forget up to which order the PINs and cards of these people, who are gone, were ended.

        The next person with the same id starts without history, also when the property's clock, from which
        the numbers of its orders come, has gone back since.
        """
        with self._file.writing() as connection:
            sql = "DELETE FROM ended_ways WHERE resident_id = ?"
            connection.executemany(sql, [(one,) for one in residents])

    def last_order(self, resident_id: str | None = None, way: str = "pin") -> int:
        """Return the property's last order of this way for somebody, or for anybody; 0: there was none."""
        sql = (
            "SELECT coalesce(max(number), 0) FROM given_ways"
            " WHERE :who IS NULL OR (resident_id = :who AND way = :way)"
        )
        with self._file.using() as connection:
            return int(connection.execute(sql, {"who": resident_id, "way": way}).fetchone()[0])

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        """Count one use of a pass durably; return its number (1, 2, ...), or None when none is left.

        `max_uses` 0 means any number. Uses are forgotten some days after `until`. Where what was counted is
        not as this door wrote it, nobody knows what is missing: from `at` on, a trusted time, passes that
        began before it are over.
        """
        with self._file.writing() as connection:
            since = self._passes_count_since(connection, at)
            row = connection.execute("SELECT uses FROM pass_uses WHERE id = ?", (pass_id,)).fetchone()
            use = (row[0] if row else 0) + 1
            # A pass that was taken back has `ENDED` uses, so one more is too many also where any number is
            # allowed.
            if use > (max_uses or ENDED) or _utc(begins) < since:
                return None
            values = (pass_id, use, _utc(until))
            connection.execute("INSERT OR REPLACE INTO pass_uses VALUES (?, ?, ?)", values)
            PASSES.seal(connection, self._ways.keyring)
            return int(use)

    def _passes_count_since(self, connection: sqlite3.Connection, at: datetime) -> str:
        """Return from when on a pass must begin to count, "" for always."""
        self.are_passes_edited = not PASSES.is_ours(connection, self._ways.keyring)
        if self.are_passes_edited:
            LOG.critical(
                "the uses of visitor passes were edited or are damaged; passes from before %s are over, issue"
                " them anew",
                at,
            )
            PASSES.seal(connection, self._ways.keyring, _utc(at))
        return since_of(connection)

    def _passes_change(
        self, connection: sqlite3.Connection, *, needs_key: bool = True
    ) -> AbstractContextManager[None]:
        return PASSES.changing(connection, lambda: self._ways.keyring, needs_key=needs_key)

    def give_back(self, pass_id: bytes) -> None:
        """Take one use of a pass back durably; one that was taken back meanwhile stays so."""
        with self._file.writing() as connection, self._passes_change(connection):
            sql = "UPDATE pass_uses SET uses = uses - 1 WHERE id = ? AND uses > 0 AND uses < ?"
            connection.execute(sql, (pass_id, ENDED))

    def note_pass(self, issued: IssuedPass) -> None:
        """Remember a pass that is being issued, so that it can be listed and ended."""
        times = (_utc(issued.valid_from), _utc(issued.until))
        with self._file.writing() as connection, self._passes_change(connection):
            row = (issued.id, issued.resident_id, issued.kind, *times, issued.max_uses)
            connection.execute("INSERT INTO issued_passes VALUES (?, ?, ?, ?, ?, ?)", row)

    def passes(self) -> list[IssuedPass]:
        """Return the passes issued here that have not been forgotten, the newest first."""
        sql = (
            "SELECT id, resident_id, kind, valid_from, issued_passes.until, max_uses, coalesce(uses, 0)"
            " FROM issued_passes LEFT JOIN pass_uses USING (id) ORDER BY valid_from DESC, id"
        )
        with self._file.using() as connection:
            rows = connection.execute(sql).fetchall()
        return [
            IssuedPass(key, who, kind, datetime.fromisoformat(begin), datetime.fromisoformat(end), most, uses)
            for key, who, kind, begin, end, most, uses in rows
        ]

    def end_pass(self, pass_id: bytes, by: str | None = None) -> IssuedPass | None:
        """Take a pass of this door back, from now on; return it, None for one that was not issued here.

        Needs no key; without one every pass that began before is over. `by` as in `remove_pins`.
        """
        found = next((one for one in self.passes() if one.id == pass_id), None)
        if found is not None:
            row = (pass_id, ENDED, _utc(found.until))
            with self._file.writing() as connection, self._passes_change(connection, needs_key=False):
                connection.execute("INSERT OR REPLACE INTO pass_uses VALUES (?, ?, ?)", row)
                what = {"pass_id": found.id.hex(), "kind": found.kind, "max_uses": found.max_uses}
                _keep_removed(connection, found.resident_id, by, "pass", what)
        return found

    def end_passes(self, rev: int, ended: Mapping[bytes, datetime]) -> None:
        """Take these passes back, as the property's list of this revision says, issued here or elsewhere.

        `ended` are their ids and their own ends. Revision, passes and what is to be told of them are one
        commit; nothing is ever taken off, so a list that comes again or late revives no pass.
        """
        rows = [(key, ENDED, _utc(until)) for key, until in ended.items()]
        end = (
            "INSERT INTO pass_uses VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET uses = excluded.uses, until = max(until, excluded.until) WHERE uses < excluded.uses"
        )
        with self._file.writing() as connection, self._passes_change(connection):
            count = connection.executemany(end, rows).rowcount if rows else 0
            if rev > _ends_rev(connection):
                connection.execute("DELETE FROM pass_ends")
                connection.execute("INSERT INTO pass_ends VALUES (?)", (rev,))
            if count:
                told = {"rev": rev, "count": count}
                keep_untold(connection, UntoldEvent(Kind.PASSES_ENDED, None, told))

    def pass_ends_rev(self) -> int:
        """Return the revision of the newest list of ended passes that was taken, 0 before the first."""
        with self._file.using() as connection:
            return _ends_rev(connection)

    def is_ended(self, pass_id: bytes, begins: datetime) -> bool:
        """Return whether a pass was taken back, here or by the property, or is over as `take` says."""
        with self._file.using() as connection:
            sql = "SELECT 1 FROM pass_uses WHERE id = ? AND uses >= ?"
            is_taken_back = connection.execute(sql, (pass_id, ENDED)).fetchone() is not None
            return is_taken_back or _utc(begins) < since_of(connection)

    def forget_uses(self, now: datetime) -> int:
        """Drop the uses of passes that expired long before `now`, a trusted time; return how many."""
        before = _utc(now - KEEP_USES)
        with self._file.writing() as connection, self._passes_change(connection):
            connection.execute("DELETE FROM issued_passes WHERE until < ?", (before,))
            return connection.execute("DELETE FROM pass_uses WHERE until < ?", (before,)).rowcount

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        self._ways.close()
        self._file.close()


def _utc(at: datetime) -> str:
    """Return a time as it is kept: such texts are in the order of their times."""
    return at.astimezone(UTC).isoformat()


def _note_order(
    connection: sqlite3.Connection, resident_id: str, way: str, order: PropertyOrder | None
) -> None:
    """Write down, with the PIN or card itself, which of the property's orders it is, and what to tell."""
    if order is not None:
        row = (resident_id, way, order.number)
        connection.execute("INSERT OR REPLACE INTO given_ways VALUES (?, ?, ?)", row)
        told = {"by": order.by, "method": way, "from": "property"}
        keep_untold(connection, UntoldEvent(Kind.CREDENTIAL_GIVEN, resident_id, told))


def _keep_removed(
    connection: sqlite3.Connection,
    resident_id: str,
    by: str | None,
    way: str,
    what: Mapping[str, object] = NOTHING,
) -> None:
    """Keep what is to be told of something that somebody at the door took back."""
    if by is not None:
        told = {"by": by, "method": way, **what}
        keep_untold(connection, UntoldEvent(Kind.CREDENTIAL_REMOVED, resident_id, told))


def _taken_back(resident_id: str, count: int) -> UntoldEvent:
    return UntoldEvent(Kind.CREDENTIAL_REMOVED, resident_id, {"state": "property", "count": count})


def _ends_rev(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(rev), 0) FROM pass_ends").fetchone()[0])


def _removed(connection: sqlite3.Connection, resident_id: str) -> int:
    pins = connection.execute("DELETE FROM pins WHERE resident_id = ?", (resident_id,))
    cards = connection.execute("DELETE FROM sealed_cards WHERE resident_id = ?", (resident_id,))
    return pins.rowcount + cards.rowcount
