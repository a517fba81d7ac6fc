"""How far the wall clock can be believed, on boards that have no battery for it.

A Raspberry Pi 4 boots with the time of its last shutdown and jumps when NTP answers. Nothing that
measures a duration may look at the wall clock; what must (validity dates, schedules) asks here.
"""

from __future__ import annotations

import ctypes
import logging
import os
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports import Clock

logger = logging.getLogger(__name__)

TIMESYNC_FLAG = Path("run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd, and by systemd-time-wait-sync for every other NTP client."""

STA_UNSYNC = 0x40
"""The kernel's word for "not disciplined by NTP" (linux/timex.h)."""

TOLERATED_STEP_BACK = timedelta(seconds=60)
"""NTP steps back a little after a clock that ran fast; more than this is no correction."""

CHECKPOINT_SECONDS = 600.0
"""How often the floor is written: six small writes an hour spare the SD card."""


class ClockTrust(StrEnum):
    """What an event says about its own wall time."""

    SYNCED = "synced"
    """Set by NTP since boot."""
    RESTORED = "restored"
    """Not yet set, but not before the last moment that was: an RTC, or the saved time of shutdown."""
    UNKNOWN = "unknown"
    """Before a moment that is known to have passed, or nothing is known at all."""


class TrustedTime:
    """The wall clock with its trust, and a floor that no rollback gets under.

    `floor_file` keeps the highest time ever seen while synced; deleting it is the way out after a
    false time far in the future. `is_synchronised` asks the system (see
    `system_is_synchronised`). With `has_rtc` a battery keeps the clock: it is `restored` from the first
    start on and raises the floor too, for doors that never hear of NTP. One thread calls
    `checkpoint`; the rest is for any thread.
    """

    def __init__(
        self, clock: Clock, floor_file: Path, is_synchronised: Callable[[], bool], *, has_rtc: bool = False
    ) -> None:
        self._clock = clock
        self._file = floor_file
        self._is_synchronised = is_synchronised
        self._has_rtc = has_rtc
        self._was_synchronised = False
        self._floor = _read_floor(floor_file)
        self._written_at: float | None = None

    @property
    def floor(self) -> datetime | None:
        """The highest trusted time so far (UTC), None when nothing is known."""
        return self._floor

    def trust(self) -> ClockTrust:
        """Return how far the wall clock can be believed now."""
        if self._floor is not None and self._clock.now() < self._floor - TOLERATED_STEP_BACK:
            return ClockTrust.UNKNOWN
        # Once set it stays good enough: a quartz drifts by seconds a day without NTP.
        self._was_synchronised = self._was_synchronised or self._is_synchronised()
        if self._was_synchronised:
            return ClockTrust.SYNCED
        is_kept = self._has_rtc or self._floor is not None
        return ClockTrust.RESTORED if is_kept else ClockTrust.UNKNOWN

    def now(self) -> datetime:
        """Return the wall time (UTC), never before the floor: an expired resident stays expired."""
        now = self._clock.now()
        return now if self._floor is None else max(now, self._floor)

    def checkpoint(self) -> None:
        """Raise the floor to now when the clock may; call it now and then, it writes seldom.

        A disk that cannot be written to is logged, not raised.
        """
        may = {ClockTrust.SYNCED, ClockTrust.RESTORED} if self._has_rtc else {ClockTrust.SYNCED}
        if self.trust() not in may:
            return
        self._floor = self.now()
        mono = self._clock.monotonic()
        if self._written_at is None or mono - self._written_at >= CHECKPOINT_SECONDS:
            self._written_at = mono
            _write_floor(self._file, self._floor)


def system_is_synchronised(root: Path = Path("/")) -> bool:
    """Return whether NTP has set this machine's clock since boot."""
    return (root / TIMESYNC_FLAG).exists() or _kernel_is_synchronised()


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _kernel_is_synchronised() -> bool:
    """Read adjtimex(2). In a unit with ProtectClock=yes it is forbidden: then only the flag counts."""
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return False
    return state >= 0 and not timex.status & STA_UNSYNC


def _read_floor(file: Path) -> datetime | None:
    try:
        floor = datetime.fromisoformat(file.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("%s: the last trusted time cannot be read (%s); it is written anew", file, error)
        return None
    return floor if floor.tzinfo is not None else floor.replace(tzinfo=UTC)


def _write_floor(file: Path, floor: datetime) -> None:
    fresh = file.with_suffix(".new")
    try:
        with fresh.open("w", encoding="ascii") as out:
            out.write(floor.isoformat() + "\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)  # atomic: a power cut leaves the old time or the new one
    except OSError as error:
        logger.warning("%s: the trusted time cannot be kept (%s)", file, error)
