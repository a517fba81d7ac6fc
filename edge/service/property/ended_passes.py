"""Visitor passes that the property ended: kept with the uses of passes, which is where the door looks."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.store.credentials import CredentialStore
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from edge.service.untold import UntoldWays
    from edge.wire.ended_passes import PassEnds


class HeldPassEnds:
    """The ended passes of one data folder. Any thread.

    The revision is kept in the same file: a copy of it that was put back asks for what it lacks again.
    """

    def __init__(self, data: Path, untold: UntoldWays) -> None:
        self._path = data / CREDENTIALS_FILE
        self._untold = untold
        self._rev: int | None = None

    def take(self, told: PassEnds) -> None:
        """Let these passes open no more, and write down how many did until now (`passes.ended`).

        Raises `SyncError` for a list that is older than one that was taken, `StoreError` when it cannot be
        kept.
        """
        with closing(CredentialStore(self._path)) as store:
            kept = store.pass_ends_rev()
            if told.rev < kept:
                raise SyncError(
                    f"pass/ended: revision {told.rev} is older than {kept}; it may be played back"
                )
            store.end_passes(told.rev, {bytes.fromhex(one.id): one.until for one in told.ended})
        self._untold.tell()
        self._rev = told.rev

    @property
    def rev(self) -> int | None:
        """The newest list that was taken since the start; None before the first, which comes at once."""
        return self._rev
