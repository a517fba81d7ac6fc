"""The notice that the staff put on the display at the gate, kept beside the panel's accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.store.account_rows import ACCOUNTS, NOTICE_COLUMNS
from edge.store.bound_ways import BoundWays
from edge.store.key_source import keyring_of
from edge.store.keyring import BOUND_ALL
from edge.store.shared import SharedDatabase
from edge.wire.notices import MOST_LETTERS
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PUT_NOTICE = f"INSERT INTO notices ({NOTICE_COLUMNS}) VALUES (?, ?, ?)"  # noqa: S608


def check_notice(text: str) -> None:
    """Raise `PanelRefused` unless the display can show `text`: one line, not too long."""
    if len(text) > MOST_LETTERS or not text.replace("\u3000", " ").isprintable():
        raise PanelRefused(message("error.notice_length", letters=len(text), most=MOST_LETTERS))


class GateWords:
    """The display's notice, by language. Any thread. Raises `StoreError` when its file is damaged.

    What this door did not write is not shown; `report` hears of its languages, and when that is over.
    """

    def __init__(
        self, path: Path, report: Callable[[tuple[str, ...]], object] = lambda _edited: None
    ) -> None:
        self._file = SharedDatabase(path, ACCOUNTS, after_mending=(), begins_anew=False)
        self._ways = BoundWays(lambda: keyring_of(path.parent), BOUND_ALL, report)

    def notices(self) -> dict[str, str]:
        """Return the notice by language; a language without one is missing."""
        with self._file.using() as connection:
            rows = connection.execute(f"SELECT {NOTICE_COLUMNS} FROM notices").fetchall()  # noqa: S608
        ours = self._ways.ours("notices", rows)
        return {language: text for text, language, _bound in ours}

    def put_notice(self, language: str, text: str) -> None:
        """Have the display say `text` in this language; an empty text removes it. Raises `PanelRefused`."""
        check_notice(text)
        with self._file.writing() as connection:
            connection.execute("DELETE FROM notices WHERE language = ?", (language,))
            if text:
                row = self._ways.bound("notices", (text, language))
                connection.execute(PUT_NOTICE, row)

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        self._ways.close()
        self._file.close()
