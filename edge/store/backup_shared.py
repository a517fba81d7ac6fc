"""Faces from other doors are left out of a backup: they may end at any door before it is restored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from edge.store.contexts import DEVICES, WAYS_KEY
from edge.store.database import open_read_only
from edge.store.face_book import FACE_BOOK_FILE, FACES
from edge.store.keyring import KEY_TABLES, KEYS_FILE
from edge.store.residents import RESIDENTS_FILE

if TYPE_CHECKING:
    from pathlib import Path


def leave_out_shared(data: Path, copies: Path) -> None:
    """Take out of the copies what came to the door `data` from elsewhere, and the keys it shares faces with.

    Who has no other face there has no key in them either. A restored door asks for its faces again.
    """
    if not (data / FACE_BOOK_FILE).exists() or not (copies / RESIDENTS_FILE).exists():
        return
    with closing(open_read_only(data / FACE_BOOK_FILE, FACES)) as book:
        shared = book.execute("SELECT consent FROM held WHERE number NOT NULL").fetchall()
    with closing(sqlite3.connect(copies / RESIDENTS_FILE)) as residents:
        people: set[str] = set()
        for consent in shared:
            sql = "DELETE FROM templates WHERE consent_id = ? RETURNING resident_id"
            people.update(row[0] for row in residents.execute(sql, consent).fetchall())
        left = {row[0] for row in residents.execute("SELECT DISTINCT resident_id FROM templates")}
        residents.commit()
        residents.execute("VACUUM")
    if (copies / KEYS_FILE).exists():
        with closing(sqlite3.connect(copies / KEYS_FILE)) as keys:
            for table in KEY_TABLES:
                gone = [(one,) for one in people - left]
                keys.executemany(f"DELETE FROM {table} WHERE resident_id = ?", gone)  # noqa: S608
                sql = f"DELETE FROM {table} WHERE substr(resident_id, 1, 1) = ? AND resident_id <> ?"  # noqa: S608
                keys.execute(sql, (DEVICES, DEVICES + WAYS_KEY))
            keys.commit()
            keys.execute("VACUUM")
