"""What the folder that is replaced knows better than the backup: a restore revives nothing.

Whoever was removed, every card, PIN and account that was taken back, each consent that was
withdrawn, each pass and command that was used up since the backup stays so: what both folders
have is restored, with the value it has now. What the old folder cannot tell any more is named, and
nothing is restored until a person says that it may come back.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from edge.errors import KeyUnavailable, StoreDamaged, StoreError
from edge.store.account_rows import ACCOUNT_WAYS, ACCOUNTS, ACCOUNTS_FILE
from edge.store.consent_rows import CONSENTS
from edge.store.consents import CONSENTS_FILE, ConsentLedger, erase_face
from edge.store.credentials import CredentialStore
from edge.store.database import open_database, open_read_only, transaction
from edge.store.key_source import keyring_of
from edge.store.keyring import BOUND_ALL, BOUND_HOUSE, BOUND_WAYS, KEYS_FILE
from edge.store.ledger import LEDGER, LEDGER_FILE
from edge.store.mode_rows import MODE_FILE, carry_mode, is_mode_ours, mode_of
from edge.store.owed_ways import OWED_ROWS, OwedWays, owe
from edge.store.resident_rows import RESIDENTS
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.way_rows import (
    CREDENTIALS,
    CREDENTIALS_FILE,
    PASSES,
    PIN_KEY_FILE,
    WAYS,
    bind_way,
    bound_way,
    is_way_ours,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from edge.store.database import Schema
    from edge.store.keyring import Keyring


LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Revocable:
    """A table whose rows can be taken back: the columns that name a row come first in `columns`."""

    table: str
    columns: tuple[str, ...]
    names: int

    @property
    def select(self) -> str:
        """Return the query for its rows."""
        return f"SELECT {', '.join(self.columns)} FROM {self.table}"  # noqa: S608 - our own names

    def select_from(self, *, is_bound: bool) -> str:
        """Return that query to a file in which rows have marks, or to an older version's without."""
        return self.select if is_bound else self.select.replace(", bound ", ", NULL ")

    def name_of(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what names a row of `select`."""
        return row[: self.names]


ACCOUNT_ROWS = Revocable("accounts", ("name", "role", "salt", "digest", "bound"), 1)
CARDS = Revocable("sealed_cards", ("mark", "resident_id", "sealed", "bound"), 2)
PINS = Revocable("pins", ("resident_id", "is_duress", "number", "digest", "bound"), 2)


def are_bound(table: str) -> str:
    """Return the query that answers whether the rows of a table have marks."""
    return f"SELECT 1 FROM pragma_table_info('{table}') WHERE name = 'bound'"  # noqa: S608 - our own names


def read_plain(path: Path) -> bytes:
    """Return the content of a file that is no link. Raises `OSError`."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        return file.read()


@dataclass(slots=True)
class Replaced:
    """The folder that is replaced, as far as it can be read.

    `revoked` tells, in words for people, what the backup held and the restored folder does not;
    `unreadable` names the files that could not say what was revoked.
    """

    folder: Path
    revoked: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def read(self, name: str, schema: Schema, *queries: str) -> list[list[tuple[Any, ...]]] | None:
        """Return the rows of each query to an old database; None, and the file noted, when it cannot tell."""
        try:
            with closing(open_read_only(self.folder / name, schema, older=True)) as connection:
                # A page may have lost its rows without any read failing: what was revoked would come back.
                (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
                if found != "ok":
                    raise StoreDamaged(f"damaged: {found}")
                return [connection.execute(sql).fetchall() for sql in queries]
        except (StoreError, sqlite3.Error, OSError) as error:
            self.unreadable.append(f"{name} ({error})")
            return None


def carry_revocations(old: Replaced, new: Path) -> None:
    """Take out of folder `new` what was taken back in `old` since.

    Consents are carried by `carry_withdrawals`. A file that the backup has and the old folder has
    not counts as unreadable: it may have been lost.
    """
    _residents(old, new)
    if (new / CREDENTIALS_FILE).exists():
        _credentials(old, new)
    if (new / LEDGER_FILE).exists() or (old.folder / LEDGER_FILE).exists():
        _commands(old, new)
    if (new / ACCOUNTS_FILE).exists():
        _accounts(old, new)


def carry_standing_mode(old: Path, new: Path) -> None:
    """Let the mode that was commanded in folder `old` stand in `new`: a lock-down stays.

    One that nobody shows to be written by its door goes along only if it shuts. Follows no link.
    """
    try:
        kept = mode_of(read_plain(old / MODE_FILE))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        LOG.warning("%s is not carried over: %s", old / MODE_FILE, error)
        return
    with ExitStack() as stack:
        keyring: Keyring | None = None
        with suppress(StoreError):
            was_ours = _OldKeys(old, stack).show(lambda keys: is_mode_ours(kept, keys))
            if was_ours and (new / KEYS_FILE).exists():
                keyring = stack.enter_context(closing(keyring_of(new)))
        carry_mode(kept, new / MODE_FILE, keyring)


def carry_withdrawals(old: Replaced, new: Path) -> tuple[str, ...]:
    """Withdraw in folder `new` every consent withdrawn in `old`; return whose faces were erased."""
    if not (new / CONSENTS_FILE).exists():
        return ()
    sql = "SELECT withdrawn_at, receipt, id FROM consents WHERE withdrawn_at NOT NULL"
    found = old.read(CONSENTS_FILE, CONSENTS, sql)
    _carry_ended(old, new)
    mark = (
        "UPDATE consents SET withdrawn_at = ?, receipt = ?, mark = NULL WHERE id = ? AND withdrawn_at IS NULL"
    )
    return _withdraw(new, mark, found[0] if found else [])


def _carry_ended(old: Replaced, new: Path) -> None:
    """Let no consent count in folder `new` that ended anywhere on the site, as far as `old` was told.

    Faces that came from elsewhere are asked for again: what the backup holds of them may have ended since.
    """
    tables = old.read(CONSENTS_FILE, CONSENTS, "SELECT 1 FROM sqlite_master WHERE name = 'ended'")
    told = tables and tables[0] and old.read(CONSENTS_FILE, CONSENTS, "SELECT id, at FROM ended")
    by_time: dict[str, list[str]] = {}
    for identity, at in told[0] if told else []:
        by_time.setdefault(at, []).append(identity)
    with closing(ConsentLedger(new / CONSENTS_FILE)) as ledger:
        for at, ids in by_time.items():
            ledger.end_for_good(ids, datetime.fromisoformat(at))


def apply_withdrawals(new: Path, withdrawn: Mapping[str, str]) -> tuple[str, ...]:
    """Withdraw what was given before these times (resident id -> ISO 8601, UTC); return whose faces went."""
    rows = [(at, who, at) for who, at in withdrawn.items()]
    mark = (
        "UPDATE consents SET withdrawn_at = ?, mark = NULL"
        " WHERE resident_id = ? AND withdrawn_at IS NULL AND julianday(given_at) <= julianday(?)"
    )
    return _withdraw(new, mark, rows)


def _residents(old: Replaced, new: Path) -> None:
    if not (new / RESIDENTS_FILE).exists():
        return
    found = old.read(RESIDENTS_FILE, RESIDENTS, "SELECT id FROM residents")
    if found is None:
        return
    there = {row[0] for row in found[0]}
    with closing(ResidentStore(new / RESIDENTS_FILE)) as store:
        gone = [resident.id for resident in store.list() if resident.id not in there]
        for resident_id in gone:
            store.remove(resident_id)
        with store.writing() as (connection, _version):
            owe(connection, _owed(old))
    _tell(old, "residents removed since", gone)


def _owed(old: Replaced) -> list[OwedWays]:
    is_told = old.read(RESIDENTS_FILE, RESIDENTS, "SELECT 1 FROM sqlite_master WHERE name = 'owed_ways'")
    if not is_told or not is_told[0]:
        return []  # an earlier version's
    found = old.read(RESIDENTS_FILE, RESIDENTS, OWED_ROWS)
    return [OwedWays(who, bool(former), order) for who, former, order in (found or [[]])[0]]


def _credentials(old: Replaced, new: Path) -> None:
    """Keep the cards and PINs that both folders have, and count every use of a pass of either."""
    if not _same_secret(old.folder / PIN_KEY_FILE, new / PIN_KEY_FILE):
        old.unreadable.append(f"{PIN_KEY_FILE} (not the one of the backup: its cards cannot be compared)")
        return
    uses_query = "SELECT id, uses, until FROM pass_uses"
    told = old.read(CREDENTIALS_FILE, CREDENTIALS, are_bound("pins"), uses_query)
    if told is None:
        return
    is_bound, uses = told
    ways = [one.select_from(is_bound=bool(is_bound)) for one in (CARDS, PINS)]
    found = old.read(CREDENTIALS_FILE, CREDENTIALS, *ways)
    if found is None:
        return
    cards, pins = found
    CredentialStore(new / CREDENTIALS_FILE).close()  # upgrades what an older facegate wrote
    with closing(open_database(new / CREDENTIALS_FILE, CREDENTIALS)) as file:
        gone_cards = _keep_common(file, CARDS, cards)
        gone_pins = _keep_common(file, PINS, pins)
        _count_uses(old, new, file, uses)
        strangers = _bind_anew(old, new, file, WAYS, BOUND_WAYS)
    _tell(old, "PINs and cards that nobody shows to be this door's, to be given anew, of", strangers)
    _tell(old, "cards taken back since, of", [str(row[1]) for row in gone_cards])
    _tell(old, "PINs taken back since, of", [str(row[0]) for row in gone_pins])


def _count_uses(old: Replaced, new: Path, file: sqlite3.Connection, uses: list[tuple[Any, ...]]) -> None:
    """Count the uses of both folders; unless both were written by their doors, older passes are over."""
    count = (
        "INSERT INTO pass_uses VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET uses = max(uses, excluded.uses)"
    )
    with ExitStack() as stack, transaction(file):
        fresh: Keyring | None = None
        with suppress(StoreError):
            if (new / KEYS_FILE).exists() and _OldKeys(old.folder, stack).show(
                partial(_are_passes, old.folder)
            ):
                keyring = stack.enter_context(closing(keyring_of(new)))
                fresh = keyring if PASSES.is_ours(file, keyring) else None
        file.executemany(count, uses)
        if fresh is not None:
            PASSES.seal(file, fresh)
        else:
            now = datetime.now(UTC).isoformat()
            file.execute("INSERT OR REPLACE INTO whole VALUES (1, ?, x'')", (now,))


def _are_passes(folder: Path, keyring: Keyring) -> bool:
    """Return whether the door of this folder wrote what it counted of passes; an older version's, True."""
    with closing(open_read_only(folder / CREDENTIALS_FILE, CREDENTIALS, older=True)) as connection:
        is_marked = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'whole'").fetchone()
        return PASSES.is_ours(connection, keyring) if is_marked else not keyring.binds(BOUND_ALL)


def _accounts(old: Replaced, new: Path) -> None:
    """Keep the accounts of the page that both folders have, with the role and password they have now."""
    told = old.read(ACCOUNTS_FILE, ACCOUNTS, are_bound("accounts"))
    if told is None:
        return
    found = old.read(ACCOUNTS_FILE, ACCOUNTS, ACCOUNT_ROWS.select_from(is_bound=bool(told[0])))
    if found is None:
        return
    with closing(open_database(new / ACCOUNTS_FILE, ACCOUNTS)) as file:
        gone = _keep_common(file, ACCOUNT_ROWS, found[0])
        strangers = _bind_anew(old, new, file, ACCOUNT_WAYS, BOUND_HOUSE)
    _tell(old, "accounts that nobody shows to be this door's, to be made anew, of", strangers)
    _tell(old, "accounts taken back since", [str(row[0]) for row in gone])


def _bind_anew(
    old: Replaced,
    new: Path,
    file: sqlite3.Connection,
    ways: Sequence[tuple[str, str, str]],
    since: bytes,
) -> list[str]:
    """Bind what came out of the old folder with the keys of the new one; return whose rows had to go.

    Where no key can be had now the door itself looks at its start.
    """
    gone: list[str] = []
    if not (new / KEYS_FILE).exists():
        return gone
    with suppress(KeyUnavailable), ExitStack() as stack, transaction(file):
        fresh = stack.enter_context(closing(keyring_of(new)))
        keys = _OldKeys(old.folder, stack)
        for name, table, columns in ways:
            for *row, mark, number in file.execute(f"SELECT {columns}, rowid FROM {table}").fetchall():  # noqa: S608
                bound = bound_way(name, tuple(row))
                if is_way_ours(fresh, bound, mark, since):
                    continue
                if keys.show(partial(is_way_ours, row=bound, mark=mark, since=since)):
                    again = bind_way(fresh, bound)
                    file.execute(f"UPDATE {table} SET bound = ? WHERE rowid = ?", (again, number))  # noqa: S608
                else:
                    file.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))  # noqa: S608
                    gone.append(str(row[1]))
    return gone


class _OldKeys:
    """The replaced folder's own keys: opened for the first row that is asked about, closed with `stack`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._opened: Keyring | None = None

    def show(self, proof: Callable[[Keyring], bool]) -> bool:
        """Return whether they show that the folder's door wrote something. Raises `KeyUnavailable`."""
        if not (self._folder / KEYS_FILE).exists():
            return False
        try:
            if self._opened is None:
                self._opened = self._stack.enter_context(closing(keyring_of(self._folder)))
            return proof(self._opened)
        except KeyUnavailable:
            raise
        except StoreError:
            return False


def _same_secret(old: Path, new: Path) -> bool:
    try:
        return old.read_bytes() == new.read_bytes()
    except OSError:
        return False


def _commands(old: Replaced, new: Path) -> None:
    """Take every command id that either folder has taken; a backup may be older than the first of them."""
    found = old.read(LEDGER_FILE, LEDGER, "SELECT id, at FROM taken") or [[]]
    with closing(open_database(new / LEDGER_FILE, LEDGER)) as file, transaction(file):
        file.executemany("INSERT OR IGNORE INTO taken (id, at) VALUES (?, ?)", found[0])


def _keep_common(
    file: sqlite3.Connection, revocable: Revocable, now: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Leave the rows that are named in `now`, as they are there; return the names of the others."""
    kept = {revocable.name_of(row): row for row in now}
    restored = [revocable.name_of(row) for row in file.execute(revocable.select).fetchall()]
    marks = ", ".join("?" * len(revocable.columns))
    insert = f"INSERT INTO {revocable.table} ({', '.join(revocable.columns)}) VALUES ({marks})"  # noqa: S608
    with transaction(file):
        file.execute(f"DELETE FROM {revocable.table}")  # noqa: S608 - our own names
        file.executemany(insert, [kept[name] for name in restored if name in kept])
    return [name for name in restored if name not in kept]


def _tell(old: Replaced, what: str, whose: list[str]) -> None:
    if whose:
        old.revoked.append(f"{what}: {', '.join(sorted(set(whose)))}")


def _withdraw(new: Path, mark: str, rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    """Mark consents in folder `new`, then erase the faces of who has none in force."""
    if not rows or not (new / CONSENTS_FILE).exists():
        return ()
    with closing(ConsentLedger(new / CONSENTS_FILE)) as ledger:  # upgrades what an older facegate wrote
        with closing(open_database(new / CONSENTS_FILE, CONSENTS)) as file, transaction(file):
            file.executemany(mark, rows)
        ended = sorted(ledger.withdrawn())
    with closing(ResidentStore(new / RESIDENTS_FILE)) as store:
        return tuple(who for who in ended if erase_face(store, who).templates)
