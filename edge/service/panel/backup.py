"""An encrypted backup on request of the panel, beside the door's data until it is handed out."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING

from edge import __version__
from edge.store.backup import BackupWish, back_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.ports import Clock

LEFTOVERS = ".panel-backup-*.fgb"
HANDED_OUT_SECONDS = 60.0
"""After that a backup is being sent, or nobody waits for it: a file that is open can be removed."""


def backup_maker(data: Path, clock: Clock) -> Callable[[str], Path]:
    """Return what makes a backup of the folder `data` under a passphrase; the caller deletes the file.

    Settings are not in it: they hold the door's wiring and stay with `facegate backup`. Files that a crash or
    a broken download left behind are removed first. Any thread. Raises `StoreError` as
    `edge.store.backup.back_up` does.
    """
    ready_at: dict[Path, float] = {}
    """When each backup was ready, by `Clock.monotonic`; never, while it is being made."""

    def make(passphrase: str) -> Path:
        # Not what a second person is about to be given: two may ask at the same time.
        for left in data.glob(LEFTOVERS):
            if clock.monotonic() - ready_at.get(left, -math.inf) > HANDED_OUT_SECONDS:
                left.unlink(missing_ok=True)
                ready_at.pop(left, None)
        file = data / f".panel-backup-{secrets.token_hex(4)}.fgb"
        ready_at[file] = math.inf
        try:
            back_up(data, file, passphrase, clock.now(), BackupWish(__version__))
        except BaseException:
            del ready_at[file]
            raise
        ready_at[file] = clock.monotonic()
        return file

    return make
