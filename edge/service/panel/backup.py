"""An encrypted backup on request of the panel, beside the door's data until it is handed out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from edge import __version__
from edge.store.backup import BackupWish, back_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.ports import Clock

LEFTOVERS = ".panel-backup-*.fgb"


def backup_maker(data: Path, clock: Clock) -> Callable[[str], Path]:
    """Return what makes a backup of the folder `data` under a passphrase; the caller deletes the file.

    Settings are not in it: they hold the door's wiring and stay with `facegate backup`. Files that a
    crash left behind are removed first. Raises `StoreError` as `edge.store.backup.back_up` does.
    """

    def make(passphrase: str) -> Path:
        for left in data.glob(LEFTOVERS):
            left.unlink(missing_ok=True)
        file = data / f".panel-backup-{secrets.token_hex(4)}.fgb"
        back_up(data, file, passphrase, clock.now(), BackupWish(__version__))
        return file

    return make
