"""PINs and cards bound to their rows: who has the card and an editor of databases gives nobody a way in.

The secrets behind them lie on the card (`pin.key`), so that they work whatever else fails. What says who
holds what is therefore bound twice: by the key of the records, like every row (`edge.store.bound_rows`),
and by a key of the device that the site's key wraps. Where that key comes over the network the records'
key lies on the card, and only the second one cannot be had from it.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.errors import KeyUnavailable, StoreDamaged, StoreError
from edge.store.bound_rows import MARK_BYTES, row_bytes
from edge.store.bound_tables import WHOLE, BoundTables
from edge.store.contexts import WAYS_KEY, device_context, record_context
from edge.store.database import COMPACT, Schema, open_read_only
from edge.store.keyring import BOUND_WAYS
from edge.store.sealer import AesGcmSealer, file_key, kept_key
from edge.store.untold import DATED, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.store.keyring import Keyring

    Row = tuple[Any, ...]

CREDENTIALS_FILE = "credentials.db"
"""Its name inside the data folder."""

PIN_KEY_FILE = "pin.key"
"""Beside it: the site's secret behind every PIN and card. Keep it on another medium where you can."""

CREDENTIALS = Schema(
    name="credential store",
    application_id=0x46474344,  # "FGCD"
    migrations=(
        (
            """CREATE TABLE pins (
                number TEXT NOT NULL,
                resident_id TEXT NOT NULL,
                is_duress INTEGER NOT NULL,
                digest BLOB NOT NULL,
                PRIMARY KEY (resident_id, is_duress))""",
            "CREATE TABLE cards (id TEXT PRIMARY KEY, resident_id TEXT NOT NULL)",
            "CREATE TABLE pass_uses (id BLOB PRIMARY KEY, uses INTEGER NOT NULL, until TEXT NOT NULL)",
        ),
        (
            """CREATE TABLE sealed_cards (
                mark BLOB PRIMARY KEY, resident_id TEXT NOT NULL, sealed BLOB NOT NULL)""",
            "INSERT INTO sealed_cards SELECT card_mark(id), resident_id, sealed_card(id) FROM cards",
            "DROP TABLE cards",
        ),
        COMPACT,
        # Passes that were issued at this door: what a page can list and end. The pass itself is not kept.
        (
            """CREATE TABLE issued_passes (
                id BLOB PRIMARY KEY,
                resident_id TEXT NOT NULL,
                kind TEXT NOT NULL,
                valid_from TEXT NOT NULL,
                until TEXT NOT NULL,
                max_uses INTEGER NOT NULL)""",
        ),
        # Who wrote the row: None until it is bound (edge.store.resealing).
        (
            "ALTER TABLE pins ADD COLUMN bound BLOB",
            "ALTER TABLE sealed_cards ADD COLUMN bound BLOB",
        ),
        # Whose PINs and cards the property has ended, and which of its orders was the last carried out here.
        ("CREATE TABLE ended_ways (resident_id TEXT PRIMARY KEY, number INTEGER NOT NULL)",),
        # How far the property's list of ended passes was taken here; the passes stand in pass_uses.
        ("CREATE TABLE pass_ends (rev INTEGER PRIMARY KEY)",),
        WHOLE,
        # The last PIN and the last card that the property gave somebody: an order is carried out once.
        (
            """CREATE TABLE given_ways (
                resident_id TEXT NOT NULL,
                way TEXT NOT NULL,
                number INTEGER NOT NULL,
                PRIMARY KEY (resident_id, way))""",
        ),
        (TABLE,),
        (DATED,),
    ),
)

EMPTIED_SECONDS = 60.0
"""File and key are made together. An empty file this much younger than its key has lost its content."""

_ANY_PIN, _ANY_CARD = "SELECT 1 FROM pins", "SELECT 1 FROM sealed_cards"

PASSES = BoundTables(
    "passes",
    (
        "SELECT id, uses, until FROM pass_uses ORDER BY id",
        "SELECT id, resident_id, kind, valid_from, until, max_uses FROM issued_passes ORDER BY id",
        "SELECT rev FROM pass_ends ORDER BY rev",
    ),
)
"""What of it is bound as a whole: a use that is gone would let a pass open again."""

PIN_COLUMNS = "number, resident_id, is_duress, digest, bound"
CARD_COLUMNS = "mark, resident_id, sealed, bound"
WAYS = (("pins", "pins", PIN_COLUMNS), ("cards", "sealed_cards", CARD_COLUMNS))
"""What is bound: the name it is bound under, its table, and its columns, of which the last is the mark."""


def secret_of(path: Path) -> bytes:
    """Return the secret behind the credentials in `path`, made where there are none yet.

    Raises `StoreError` when one of the two files is lost: a new key, or an empty file beside an old one,
    would make every PIN a wrong one and every card a stranger's.
    """
    key = path.with_name(PIN_KEY_FILE)
    if not key.exists():
        if _holds_credentials(path):
            raise StoreError(f"{key}: the key of {CREDENTIALS_FILE} is gone")
        return file_key(key)
    if path.exists() and _was_emptied(path, key):
        raise StoreDamaged(f"{path}: the file is empty, and was not before")
    return kept_key(key)


def _holds_credentials(path: Path) -> bool:
    """Return whether the file holds something that needs its key.

    Files that do not seal their cards yet (0.1.0) may have no key; all others were made with one.
    """
    if not path.exists() or not path.stat().st_size:
        return False
    with closing(open_read_only(path, CREDENTIALS, older=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sealed_cards'").fetchone():
            return False
        return any(connection.execute(f"{rows} LIMIT 1").fetchone() for rows in (_ANY_PIN, _ANY_CARD))


def _was_emptied(path: Path, key: Path) -> bool:
    file = path.stat()
    return not file.st_size and file.st_mtime - key.stat().st_mtime > EMPTIED_SECONDS


def migrating(folder: Path) -> Mapping[str, Callable[..., bytes]]:
    """Return what the migrations of `CREDENTIALS` call, for the file in this data folder."""

    def cards() -> CardSeal:
        return CardSeal(file_key(folder / PIN_KEY_FILE))

    return {"card_mark": lambda card: cards().mark(card), "sealed_card": lambda card: cards().seal(card)}


class CardSeal:
    """Turns card numbers into what the file holds; `secret` is the site's, kept beside the file.

    The PINs use the same secret: both must work while no other key can be obtained.
    """

    def __init__(self, secret: bytes) -> None:
        self._mark_key = hmac.digest(secret, b"facegate card mark", "sha256")
        self._sealer = AesGcmSealer(hmac.digest(secret, b"facegate card seal", "sha256"))

    def mark(self, card_id: str) -> bytes:
        """Return what finds a card again without telling its number."""
        return hmac.digest(self._mark_key, card_id.encode(), "sha256")

    def seal(self, card_id: str) -> bytes:
        """Return the number, sealed."""
        return self._sealer.seal(card_id.encode(), record_context("card", ""))

    def open(self, sealed: bytes) -> str:
        """Return the number. Raises `StoreError` when it was sealed with another secret."""
        return self._sealer.open(sealed, record_context("card", "")).decode()


def bound_way(table: str, columns: Row) -> bytes:
    """Return what binds a row: its table and its columns but the mark."""
    return row_bytes(table, *(int(one) if isinstance(one, bool) else one for one in columns))


def bind_way(keyring: Keyring, row: bytes) -> bytes:
    """Return the mark of a row. Raises `KeyUnavailable` while the site's key cannot be obtained."""
    return keyring.bind(row) + keyring.seal(_digest(row), device_context(WAYS_KEY))


def is_way_ours(keyring: Keyring, row: bytes, mark: bytes | None, since: bytes = BOUND_WAYS) -> bool:
    """Return whether we wrote this row, as far as can be told now; of an older version's rows, True.

    `since` as in `Keyring.is_ours`.

    Never waits for a key server: while it has not answered the first half of a mark has to do, so that a
    power cut without network locks nobody out. Raises `StoreError` as `Keyring.is_ours` does.
    """
    given = mark if isinstance(mark, bytes) else b""
    if not keyring.is_ours(row, given[:MARK_BYTES], since=since):
        return False
    try:
        if not keyring.is_remote or not keyring.binds(since) or not keyring.has_site_key:
            return True
        return _seals(keyring, given[MARK_BYTES:], row)
    except KeyUnavailable:
        return True


def renewed_way(keyring: Keyring, row: bytes, mark: bytes | None, since: bytes = BOUND_WAYS) -> bytes | None:
    """Return the newest keys' mark of a row that is ours; None when it has it, or is somebody else's."""
    given = mark if isinstance(mark, bytes) else b""
    half, context = given[MARK_BYTES:], device_context(WAYS_KEY)
    if given[:MARK_BYTES] == keyring.bind(row) and _seals(keyring, half, row):
        again = keyring.renewed(half, context)
        return None if again is None else given[:MARK_BYTES] + again
    return bind_way(keyring, row) if is_way_ours(keyring, row, mark, since) else None


def _seals(keyring: Keyring, half: bytes, row: bytes) -> bool:
    try:
        return keyring.open(half, device_context(WAYS_KEY)) == _digest(row)
    except KeyUnavailable:
        raise
    except StoreError:
        return False


def _digest(row: bytes) -> bytes:
    return hashlib.sha256(row).digest()
