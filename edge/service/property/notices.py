"""What the property has this door's display say: kept on the card, shown in turn, ended by time alone."""

from __future__ import annotations

import logging
import threading
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.aside import Aside
from edge.durable import write_whole
from edge.errors import ConfigError, StoreError, SyncError
from edge.floods import FloodLimit
from edge.runtime.clock_trust import ClockTrust
from edge.store.bound_rows import row_bytes
from edge.store.key_source import keyring_of
from edge.store.keyring import BOUND_ALL
from edge.wire.notices import LEVELS, NoticeSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge.ports import Clock
    from edge.wire.notices import DoorNotice

logger = logging.getLogger(__name__)

NOTICES_FILE = "notices.json"
"""Its name inside the data folder."""
AGAIN_SECONDS = 5.0
"""Between two looks at a file that card or key do not give."""
LOUDEST = LEVELS[-1]
ROW, MARK = "property's notices", b"\n"
"""What the file's mark is bound under, and what stands before the mark: a set has no line's end in it."""


class HeldNotices:
    """The newest set of a door. Any thread.

    What has ended stays ended, whatever the clock says later: it leaves the file. While nobody knows the
    time, what is not known to be over is shown. What card or key do not give at the start is looked for again
    when somebody looks at the display, unless the property sends it first.
    """

    def __init__(self, path: Path, device: str, clock: Clock, trust: Callable[[], str]) -> None:
        self._path = path
        self._clock = clock
        self._trust = trust
        self._lock = threading.Lock()
        self._aside = Aside("notices")
        self._set = NoticeSet(device, 0, ())
        self._is_unread, self._again_at = True, clock.monotonic()
        self._lines = FloodLimit(1)
        self._look_again()

    def take(self, notices: NoticeSet) -> bool:
        """Keep a set and return True; False for the one that is there already.

        Raises `SyncError` for an older one, `StoreError` when it cannot be kept.
        """
        with self._lock:
            self._look_again()
            if notices.rev == self._set.rev:
                return False
            if notices.rev < self._set.rev:
                raise SyncError(
                    f"notice: revision {notices.rev} is older than {self._set.rev}; it may be played back"
                )
            self._keep(notices)
            return True

    def shown(self) -> list[dict[str, str]]:
        """Return the lines to show in turn now, each by language; in an emergency nothing else."""
        with self._lock:
            self._look_again()
            now = self._clock.now()
            is_known = self._trust() != ClockTrust.UNKNOWN
            if is_known:
                self._forget_ended(now)
            current = [one for one in self._set.items if not is_known or one.begins <= now]
        loud = [one for one in current if one.level == LOUDEST]
        return [{name: text for name, text in one.text.items() if text} for one in loud or current]

    def _look_again(self) -> None:
        """Show what was kept, unless it was read or something newer was taken."""
        if not self._is_unread or self._clock.monotonic() < self._again_at:
            return
        try:
            self._set = self._aside.ask(lambda: _load(self._path, self._set))
            self._is_unread = False
        except (OSError, StoreError) as error:
            if self._lines.tell(self._clock.monotonic()) is not None:
                logger.error("%s: the notices cannot be read now: %s", self._path, error)  # noqa: TRY400
            self._again_at = self._clock.monotonic() + AGAIN_SECONDS

    def _forget_ended(self, now: datetime) -> None:
        left: tuple[DoorNotice, ...] = tuple(one for one in self._set.items if now < one.ends)
        if len(left) == len(self._set.items):
            return
        try:
            self._keep(replace(self._set, items=left))
        except StoreError as error:
            logger.warning("%s", error)
            # Forgotten in memory all the same. The file still has it, so a restart without a known time shows
            # it again.
            self._set = replace(self._set, items=left)

    def _keep(self, notices: NoticeSet) -> None:
        body = notices.encode()
        # Without the keys it is kept unmarked: shown now, and not believed after a restart.
        mark = b""
        with suppress(StoreError), closing(keyring_of(self._path.parent, is_patient=True)) as keyring:
            mark = keyring.bind(row_bytes(ROW, body))
        try:
            write_whole(self._path, body + MARK + mark.hex().encode())
        except OSError as error:
            raise StoreError(f"{self._path}: the notices cannot be kept: {error}") from error
        self._set, self._is_unread = notices, False


def _load(path: Path, nothing: NoticeSet) -> NoticeSet:
    """Return what was kept; `nothing` when there is nothing, it is damaged, or not what this door wrote.

    Notices that were kept before the door's keys were changed count as lost, too. Raises `OSError` or
    `StoreError` when card or key do not say.
    """
    try:
        body, _, mark = path.read_bytes().partition(MARK)
        with closing(keyring_of(path.parent, is_patient=True)) as keyring:
            if keyring.is_ours(row_bytes(ROW, body), _unhexed(mark), since=BOUND_ALL):
                return NoticeSet.parse(body)
        logger.error("%s: not as this door wrote it with its keys of now: nothing of it is shown", path)
    except FileNotFoundError:
        pass
    except (SyncError, ConfigError) as error:
        logger.error("%s: the notices are lost (%s); they come again", path, error)  # noqa: TRY400 - one clear line
    return nothing


def _unhexed(mark: bytes) -> bytes | None:
    try:
        return bytes.fromhex(mark.decode())
    except ValueError:
        return None
