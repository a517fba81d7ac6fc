"""Whether a door is new, and has to be proved by a person before it is opened from afar."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.store.commissioning import COMMISSIONING_FILE, CommissioningBook
from edge.store.reader import JOURNAL_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.settings import LockSection

logger = logging.getLogger(__name__)


def commissioning_of(data: Path, lock: LockSection) -> CommissioningBook:
    """Return what was proved of the door in `data`; call it before the journal is opened.

    A door without a journal has never run: it is new if it has a lock that moves.
    """
    book = CommissioningBook(data / COMMISSIONING_FILE)
    # By the journal, which every start begins: a door that has run before needs no proof again.
    if lock.driver == "gpio" and not (data / JOURNAL_FILE).exists():
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            book.begin_new()
        except OSError as error:
            logger.error("%s: it is not kept that this door is new: %s", data, error)  # noqa: TRY400
    return book
