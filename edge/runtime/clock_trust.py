"""How far the wall clock can be believed, on boards that have no battery for it.

A Raspberry Pi 4 boots with the time of its last shutdown and jumps when NTP answers. Nothing that
measures a duration may look at the wall clock; what must (validity dates, schedules) asks here.
What cannot be undone (erasing a face, removing an event) asks for more: see `TrustedTime.certain`.
"""

from __future__ import annotations

import ctypes
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from edge.aside import Aside, TooSlow
from edge.runtime.kept_time import PROVISIONAL_SECONDS, KeptTime, Leap, read_kept, stamp_of, write_kept

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

LEAP = timedelta(hours=1)
"""A clock this far ahead of the floor has leapt, or the board was off: it has to prove itself."""

WORTH_TELLING = timedelta(days=1)
"""A leap further than this is told to people; every night without power is not."""

FARTHEST_LEAP = timedelta(days=400)
"""A clock further ahead than this is wrong until a person or the property says otherwise: a board that
was off for longer than a year is rarer than an RTC of 2099."""

LEAST_PROOF_SECONDS = 3600.0
MOST_PROOF_SECONDS = 7 * 86_400.0
"""A leap is believed for good after a tenth of its length of steady running, within these bounds. One
wrong NTP answer lasts until the next poll (at most 36 h, RFC 5905); a wrong one that stays gives
people a week to see the event and to put it right."""

DOUBT_SECONDS = 90 * 86_400.0
"""For how long of running a jump ahead can be taken back: a time server that is wrong is noticed by then,
and a crystal has drifted by some minutes."""

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""This program was not there before."""

CORRECTION = timedelta(days=30)
"""A first answer that was wrong was wrong by years; a clock set back by less corrects nothing."""

DRIFT = 0.0002
"""A crystal is off by less than this (200 ppm, twice the worst of cheap boards)."""


class ClockTrust(StrEnum):
    """What an event says about its own wall time."""

    SYNCED = "synced"
    """Set by NTP since boot."""
    RESTORED = "restored"
    """Not yet set, but not before the last moment that was: an RTC, or the saved time of shutdown."""
    UNKNOWN = "unknown"
    """Before a moment that is known to have passed, more than 400 days after it, or nothing is known."""


class TrustedTime:
    """The wall clock with its trust, and a floor that no rollback gets under and no leap raises at once.

    `floor_file` keeps the floor, how long the door has run in all, and a leap that is still to be
    proved; `facegate clock` shows it and puts it right. `is_synchronised` asks the system (see
    `system_is_synchronised`). With `has_rtc` a battery keeps the clock: it is `restored` from the first
    start on and raises the floor too, for doors that never hear of NTP. One thread calls
    `checkpoint`; the rest is for any thread.
    """

    def __init__(
        self, clock: Clock, floor_file: Path, is_synchronised: Callable[[], bool], *, has_rtc: bool = False
    ) -> None:
        self._aside = Aside("clock")
        self._clock = clock
        self._file = floor_file
        self._is_synchronised = is_synchronised
        self._has_rtc = has_rtc
        self._was_synchronised = False
        self._kept = read_kept(floor_file)
        self._stamp = stamp_of(floor_file)
        self._line: tuple[datetime, float] | None = None
        self._came_nearer = False
        self._back: tuple[datetime, float] | None = None
        self._wall: datetime | None = None
        self._is_first_look = True
        self._seen_at = clock.monotonic()
        self._written_at: float | None = None

    @property
    def floor(self) -> datetime | None:
        """The true time is not before this (UTC), None when nothing is known."""
        return self._kept.floor

    @property
    def certain(self) -> datetime | None:
        """The time for acts that cannot be undone (UTC): corroborated, behind rather than ahead; or None.

        It is the floor, once a day of running agreed with it: it goes on with the monotonic clock,
        follows a clock that was proved by running steadily, and takes a greater leap only from a person
        or the property.
        """
        return None if self._kept.is_provisional else self._kept.floor

    @property
    def ahead(self) -> timedelta | None:
        """How far the wall clock is ahead of the floor, negative for behind; None without a floor."""
        floor = self._kept.floor
        return None if floor is None else self._clock.now() - floor

    @property
    def ran_seconds(self) -> float:
        """How long this door has run in all, over every start: an age that needs no wall clock."""
        return self._kept.ran_seconds

    @property
    def leap(self) -> Leap | None:
        """The leap ahead of the floor that has not proved itself, None when there is none."""
        return self._kept.leap

    def trust(self) -> ClockTrust:
        """Return how far the wall clock can be believed now."""
        if not self._is_possible(self._clock.now()):
            return ClockTrust.UNKNOWN
        # Once set it stays good enough: a quartz drifts by seconds a day without NTP.
        self._was_synchronised = self._was_synchronised or self._is_synchronised()
        if self._was_synchronised:
            return ClockTrust.SYNCED
        is_kept = self._has_rtc or self._kept.floor is not None
        return ClockTrust.RESTORED if is_kept else ClockTrust.UNKNOWN

    def now(self) -> datetime:
        """Return the wall time (UTC), never before the floor: an expired resident stays expired."""
        now, floor = self._clock.now(), self._kept.floor
        return now if floor is None else max(now, floor)

    def checkpoint(self) -> None:
        """Let floor and running time go on; call it every second, it writes seldom.

        A disk that cannot be written to is logged, not raised.
        """
        mono = self._clock.monotonic()
        elapsed, self._seen_at = max(mono - self._seen_at, 0.0), mono
        self._take_word()
        before = self._kept
        self._kept = self._judged(before.after(elapsed, DRIFT), elapsed)
        is_news = _is_known(before) != _is_known(self._kept)
        if is_news or self._written_at is None or mono - self._written_at >= CHECKPOINT_SECONDS:
            self._write(mono)

    def confirm(self) -> None:
        """Take the wall clock for the truth: a person read it, or the property signed it just now."""
        self._kept = replace(
            self._kept, floor=self._clock.now(), held_seconds=PROVISIONAL_SECONDS, leap=None, before=None
        )
        self._line = None
        self._write(self._clock.monotonic())

    def vouches(self) -> bool:
        """Return whether the wall clock agrees with the floor, so that what distrusted it may stop."""
        floor = self._kept.floor
        is_near = floor is not None and abs(self._clock.now() - floor) <= LEAP
        return (is_near or self._came_nearer) and self._may_raise()

    def _is_possible(self, now: datetime) -> bool:
        floor = self._kept.floor
        if floor is None or floor - TOLERATED_STEP_BACK <= now <= floor + FARTHEST_LEAP:
            return True
        return self._kept.is_provisional and EARLIEST <= now < floor - CORRECTION and self._is_synchronised()

    def _may_raise(self) -> bool:
        trust = self.trust()
        return trust is ClockTrust.SYNCED or (self._has_rtc and trust is ClockTrust.RESTORED)

    def _judged(self, kept: KeptTime, elapsed: float) -> KeptTime:
        """Return what is known after a look at the wall clock, `elapsed` seconds after the last."""
        now = self._clock.now()
        floor, has_jumped = kept.floor, self._has_jumped(now, elapsed)
        if self._takes_back(kept, now):
            return replace(kept, floor=now, leap=None, before=None)
        if not self._may_raise():
            self._line = None
            return kept
        if floor is None or (now < floor - CORRECTION and kept.is_provisional):
            return replace(kept, floor=now, held_seconds=0.0, leap=None)
        if has_jumped and kept.before is None:
            kept = replace(kept, before=floor, doubt_seconds=DOUBT_SECONDS)
        kept = self._caught_up(kept, now)
        if now <= floor + LEAP:
            return replace(kept, floor=max(now, floor), held_seconds=kept.held_seconds + elapsed, leap=None)
        leap = self._followed(kept.leap, floor, elapsed)
        return replace(kept, floor=now, leap=None) if leap.is_proved else replace(kept, leap=leap)

    def _caught_up(self, kept: KeptTime, now: datetime) -> KeptTime:
        """Return `kept` at the first look of a run: the time that the board was off counts for both lines."""
        last = kept.floor if kept.leap is None else kept.leap.at
        if not self._is_first_look or kept.before is None or last is None or now <= last:
            return kept
        return replace(kept, before=kept.before + (now - last))

    def _has_jumped(self, now: datetime, elapsed: float) -> bool:
        """Return whether a clock that was set has leapt ahead since the last look, while the door ran."""
        is_set = self._may_raise() or self._is_synchronised()
        before, self._wall = self._wall, now if is_set else None
        self._is_first_look = before is None
        return is_set and before is not None and (now - before).total_seconds() - elapsed > 60.0

    def _takes_back(self, kept: KeptTime, now: datetime) -> bool:
        """Return whether NTP takes a jump ahead back, or a board's first answer, and is to be believed.

        At once where the door's own running says the same: two witnesses against one. Anywhere above that,
        where the board was off since, after an hour. Else a clock that was wrong for a day, and is right
        again, would be behind the floor for ever, and nobody bound to a time let in.
        """
        least = kept.before or (EARLIEST if kept.is_provisional else None)
        if least is None or kept.floor is None:
            return False
        mono, is_between = self._clock.monotonic(), least - LEAP <= now < kept.floor - TOLERATED_STEP_BACK
        if not is_between or not self._is_synchronised():
            self._back = None
            return False
        if self._back is None or abs((now - self._back[0]).total_seconds() - (mono - self._back[1])) > 60.0:
            self._back = now, mono
        return now <= least + LEAP or mono - self._back[1] >= LEAST_PROOF_SECONDS

    def _followed(self, leap: Leap | None, floor: datetime, elapsed: float) -> Leap:
        """Return the leap that is being proved, begun anew when the clock did not run steadily."""
        now, mono = self._clock.now(), self._clock.monotonic()
        line = self._line
        is_steady = line is None or abs((now - line[0]).total_seconds() - (mono - line[1])) <= 60.0
        if line is None or not is_steady:
            # Only a time service corrects: whoever else turns the clock back has to wait.
            self._came_nearer = leap is not None and now < leap.at and self._is_synchronised()
            self._line = now, mono
        # Over a restart the time off is not known; a clock that went back is another one.
        goes_on = leap is not None and is_steady and now >= leap.at - TOLERATED_STEP_BACK
        held = leap.held_seconds + elapsed if leap is not None and goes_on else 0.0
        wanted = min(max((now - floor).total_seconds() / 10, LEAST_PROOF_SECONDS), MOST_PROOF_SECONDS)
        return Leap(now, held, wanted)

    def _take_word(self) -> None:
        """Take what `facegate clock` wrote meanwhile."""
        stamp = stamp_of(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        if stamp is not None:
            told = read_kept(self._file)
            self._kept = replace(told, ran_seconds=max(told.ran_seconds, self._kept.ran_seconds))
            self._line = None

    def _write(self, mono: float) -> None:
        self._written_at, kept = mono, self._kept

        def write() -> None:
            write_kept(self._file, kept)
            self._stamp = stamp_of(self._file)

        try:
            self._aside.ask(write)
        except TooSlow as error:
            logger.warning("%s: the trusted time is kept later: %s", self._file, error)


def _is_known(kept: KeptTime) -> tuple[bool, bool]:
    """Return what must be on the card at once when it changes: whether there is a floor, and a doubt."""
    return kept.floor is not None, kept.before is not None


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
