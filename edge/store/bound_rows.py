"""Rows bound to whom they are about: with the key elsewhere, who has the card gives nobody a right.

What must be readable without any key (rights, validity, whose consent) is not sealed. So that it cannot be
edited either, each row carries an HMAC-SHA256 over its table and its columns, by a key derived from that of
the records. A file of an older version is bound once (`edge.store.resealing`); from then on the key itself
says that every row must be.
"""

from __future__ import annotations

import hmac
import json
from typing import Final

LABEL: Final = b"facegate row"
MARK_BYTES: Final = 32
"""How long a mark is."""


def row_bytes(table: str, *columns: object) -> bytes:
    """Return what is bound: the table's name and the columns, none of which runs into the next."""
    plain = [column.hex() if isinstance(column, bytes) else column for column in columns]
    return json.dumps([table, *plain], ensure_ascii=True, separators=(",", ":")).encode()


def row_mac(key: bytes, row: bytes) -> bytes:
    """Return the mark of a row under the key that `row_key` gives."""
    return hmac.digest(key, row, "sha256")


def row_key(key: bytes) -> bytes:
    """Return what marks rows, derived from a key that seals."""
    return hmac.digest(key, LABEL, "sha256")
