"""The accounts of the door's page as they lie on the card; `edge.web.accounts` says what they may."""

from __future__ import annotations

from typing import Final

from edge.store.database import Schema
from edge.store.untold import DATED, TABLE

ACCOUNTS_FILE: Final = "panel.db"
"""Its name inside the data folder."""

ACCOUNTS: Final = Schema(
    name="panel accounts",
    application_id=0x46475031,  # "FGP1"
    migrations=(
        (
            """CREATE TABLE accounts (
                name TEXT PRIMARY KEY,
                role TEXT NOT NULL,
                salt BLOB NOT NULL,
                digest BLOB NOT NULL)""",
        ),
        # see edge.panel.gate_words
        ("CREATE TABLE notices (language TEXT PRIMARY KEY, text TEXT NOT NULL)",),
        # Who wrote the row: None until it is bound (edge.store.resealing).
        ("ALTER TABLE accounts ADD COLUMN bound BLOB",),
        ("ALTER TABLE notices ADD COLUMN bound BLOB",),
        # Accounts that were removed and of which no journal is known to tell.
        (TABLE, DATED),
    ),
)

ACCOUNT_COLUMNS: Final = "role, name, salt, digest, bound"
"""Whose it is stands second, the mark last, as in the rows of PINs and cards (`edge.store.way_rows`)."""

ACCOUNT_WAYS: Final = (("accounts", "accounts", ACCOUNT_COLUMNS),)
"""What is bound of them, as in `edge.store.way_rows.WAYS`."""

NOTICE_COLUMNS: Final = "text, language, bound"
NOTICE_WAYS: Final = (("notices", "notices", NOTICE_COLUMNS),)
"""The same of what the display at the gate says."""
