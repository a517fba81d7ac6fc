"""How far the wall clock can be believed, on boards that have no battery for it.

A Raspberry Pi 4 boots with the time of its last shutdown and jumps when NTP answers. Nothing that
measures a duration may look at the wall clock; what must (validity dates, schedules) asks here.
What cannot be undone (erasing a face, removing an event) asks for more: see `TrustedTime.certain`.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.aside import Aside, TooSlow
from edge.runtime.kept_time import KeptTime, Leap, OwnTime, stamp_of, try_to_read, write_kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.ports import Clock

logger = logging.getLogger(__name__)

TOLERATED_STEP_BACK = timedelta(seconds=60)
"""NTP steps a clock that ran fast back by a little; a larger step is not a correction."""

SET_SECONDS = 60.0
"""A clock that comes apart from the monotonic one by more than this between two looks did not drift: somebody
set it."""

CHECKPOINT_SECONDS = 600.0
"""How often the floor is written: six small writes an hour spare the SD card."""

LEAP = timedelta(hours=1)
"""A clock this far ahead of the floor has leapt, or the board was off: it has to prove itself."""

WORTH_TELLING = timedelta(days=1)
"""A leap further than this is reported; a night without power is not."""

FARTHEST_LEAP = timedelta(days=400)
"""A clock further ahead than this is wrong until a person or the property says otherwise: a board that
was off for longer than a year is rarer than an RTC of 2099."""

LEAST_PROOF_SECONDS = 3600.0
MOST_PROOF_SECONDS = 7 * 86_400.0
"""What is said after a time without power raises the floor after a tenth of it of steady running, within
these bounds. One wrong NTP answer lasts until the next poll (at most 36 h, RFC 5905); a wrong one that
stays gives people a week to see the event and to put it right."""

LONGEST_OFF = timedelta(days=31)
"""A battery's clock that tells of a longer time without power needs somebody's word: a dying one tells
anything, and a house that was dark for a month sees its installer."""

ANCHOR_SECONDS = 86_400.0
"""How long the door's own count goes on from one moment, so that many small steps are not free. A board's
crystal drifts by seconds in that time."""

DOUBT_SECONDS = 90 * 86_400.0
"""For how long of running a jump ahead can be taken back: a time server that is wrong is noticed by then,
and a crystal has drifted by some minutes."""

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""This program did not exist before."""

CORRECTION = timedelta(days=30)
"""A first answer that was wrong was wrong by years; a clock set back by less corrects nothing."""

DRIFT = 0.0002
"""A crystal is off by less than this (200 ppm, twice the worst of cheap boards)."""


class ClockTrust(StrEnum):
    """What an event says about its own wall time."""

    SYNCED = "synced"
    """Set by NTP since boot, or said to be right by the property since."""
    RESTORED = "restored"
    """Not set by the network, but not before the last moment that was: an RTC, or the time of shutdown."""
    UNKNOWN = "unknown"
    """Before a moment that is known to have passed, more than 400 days after it, in contradiction to the
    door's own count of the time, or nothing is known."""


class TrustedTime:
    """The wall clock with its trust, and a floor that no rollback gets under and no leap raises at once.

    The door counts the time itself, from the moment at which its clock was first believed in this run of
    the board (`boot`; empty: not known). A clock that leaves that count by more than an hour is disputed:
    it runs as steadily as a right one, so running proves nothing, and it stays disputed until it comes
    back, or network, property or a person stand behind it (see `_judged`). What a clock says after a
    time without power is believed at once, and raises the floor once it has run on steadily.

    `floor_file` keeps floor, count and dispute, and how long the door has run in all; `facegate clock`
    shows it and puts it right. `is_synchronised` asks the system (see `edge.runtime.machine_time`). With
    `has_rtc` a battery keeps the clock: it is `restored` from the first start on and raises the floor too,
    once somebody stood behind it. One thread calls `checkpoint`; the rest is for any thread.
    """

    def __init__(
        self,
        clock: Clock,
        floor_file: Path,
        is_synchronised: Callable[[], bool],
        *,
        has_rtc: bool = False,
        boot: str = "",
    ) -> None:
        self._aside = Aside("clock")
        self._clock = clock
        self._file = floor_file
        self._is_synchronised = is_synchronised
        self._has_rtc = has_rtc
        self._boot = boot
        kept, self._stamp = self._looked()
        self._unread_since = None if kept is not None else clock.monotonic()
        if kept is None:
            logger.warning("%s: the last trusted time cannot be read; tried again", floor_file)
        self._kept = KeptTime() if kept is None else self._of_this_boot(kept)
        self._line: tuple[datetime, float] | None = None
        self._nearer: tuple[datetime, float] | None = None
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

        It is the floor, once somebody stood behind it and a day of running agreed: it goes on with the
        monotonic clock, and no disputed clock moves it.
        """
        is_sure = self._kept.is_vouched and not self._kept.is_provisional
        return self._kept.floor if is_sure else None

    @property
    def moments(self) -> tuple[datetime, ...]:
        """Every time that it may be now (UTC), the wall clock's first; empty while nothing is known.

        More than one while the door's own count contradicts the clock.
        """
        now, own = self._clock.now(), self._own()
        if own is not None and abs(now - own) > LEAP:
            return now, own
        return (now,) if self._may_raise() else ()

    @property
    def is_vouched(self) -> bool:
        """Whether the wall clock is vouched for, so that it may hold a door unlocked for everybody."""
        is_one = len(self.moments) == 1
        return is_one and self._may_raise() and self._kept.is_vouched and self._kept.disputed is None

    @property
    def is_unconfirmed(self) -> bool:
        """Whether a battery alone keeps this clock, and nobody has ever stood behind it."""
        return self._may_raise() and not self._kept.is_vouched

    @property
    def disputed_by(self) -> timedelta | None:
        """How far the wall clock is from what the door counts itself; None while they agree."""
        if self._kept.disputed is None:
            return None
        own = self._own()
        against = own if own is not None and self._is_sound() else self._kept.floor
        return None if against is None else self._clock.now() - against

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
        now, own = self._clock.now(), self._own()
        if not self._is_possible(now) or (own is not None and abs(now - own) > LEAP):
            return ClockTrust.UNKNOWN
        # Once set it stays good enough: a quartz drifts by seconds a day without NTP.
        if self._is_synchronised() or (self._kept.own is not None and self._kept.own.is_network):
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
        # Never below 0: a floor that went back would let expired rights in.
        elapsed, self._seen_at = max(mono - self._seen_at, 0.0), mono
        self._read_again(mono)
        self._take_word()
        before = self._kept
        self._kept = before.after(elapsed, DRIFT)
        self._kept = self._judged(self._kept, elapsed)
        is_news = _is_known(before) != _is_known(self._kept)
        if self._unread_since is not None:
            return
        if is_news or self._written_at is None or mono - self._written_at >= CHECKPOINT_SECONDS:
            self._write(mono)

    def confirm(self) -> None:
        """Believe the wall clock: a person has confirmed it, or the property signed this time just now."""
        now, mono = self._clock.now(), self._clock.monotonic()
        # As good as the network's word: the caller vouches for this very moment.
        own = OwnTime(now, mono, self._boot, is_network=True)
        self._kept = self._kept.confirmed(now, own)
        self._line = None
        self._write(mono)

    def _is_possible(self, now: datetime) -> bool:
        floor = self._kept.floor
        if floor is None or floor - TOLERATED_STEP_BACK <= now <= floor + FARTHEST_LEAP:
            return True
        # The first answer that a new board got may have been wrong by years.
        return self._kept.is_provisional and EARLIEST <= now < floor - CORRECTION and self._is_synchronised()

    def _may_raise(self) -> bool:
        trust = self.trust()
        is_counted = self._has_rtc or self._kept.own is not None
        return trust is ClockTrust.SYNCED or (is_counted and trust is ClockTrust.RESTORED)

    def _own(self) -> datetime | None:
        own = self._kept.own
        return None if own is None else own.now(self._clock.monotonic())

    def _is_sound(self) -> bool:
        return self._kept.own is None or self._kept.own.is_sound

    def _of_this_boot(self, kept: KeptTime) -> KeptTime:
        """Return `kept` without the count of another run of the board: nobody knows what passed between."""
        own = kept.own
        goes_on = own is not None and own.boot == self._boot != "" and own.mono <= self._clock.monotonic()
        return kept if goes_on else replace(kept, own=None)

    def _judged(self, kept: KeptTime, elapsed: float) -> KeptTime:
        """Return what is known after a look at the wall clock, `elapsed` seconds after the last.

        A clock that has left the door's own count is right only where the network says so and a battery
        alone said otherwise, or where the network turns it back, towards what is certain, for an hour.
        """
        now = self._clock.now()
        # Asked at every look, whatever comes of it: it remembers the wall clock for the next one.
        floor, has_jumped = kept.floor, self._has_jumped(now, elapsed)
        # Before `_has_left`: a clock that goes back to the truth leaves the count that followed it astray.
        if self._takes_back(kept, now):
            return self._begun(replace(kept, floor=now, leap=None, before=None, disputed=None), now)
        if self._has_left(kept, now):
            is_right = self._is_corrected(kept, now)
            return self._begun(replace(kept, disputed=None), now) if is_right else replace(kept, disputed=now)
        self._nearer = None
        if not self._may_raise():
            self._line = None
            return kept
        if floor is None or (now < floor - CORRECTION and kept.is_provisional):
            fresh = replace(kept, floor=now, held_seconds=0.0, leap=None, disputed=None)
            return self._vouched(self._begun(fresh, now))
        if has_jumped and kept.before is None:
            kept = replace(kept, before=floor, doubt_seconds=DOUBT_SECONDS)
        kept = self._counted(self._caught_up(kept, now), floor, now)
        return self._raised(self._vouched(kept), now, elapsed)

    def _raised(self, kept: KeptTime, now: datetime, elapsed: float) -> KeptTime:
        """Return `kept` with the floor where a clock that agrees with the door's own count puts it."""
        floor = kept.floor or now
        if now <= floor + LEAP:
            return replace(kept, floor=max(now, floor), held_seconds=kept.held_seconds + elapsed, leap=None)
        if kept.disputed is not None or not kept.is_vouched:
            return replace(kept, leap=None)
        leap = self._followed(kept.leap, floor, elapsed)
        return replace(kept, floor=now, leap=None) if leap.is_proved else replace(kept, leap=leap)

    def _begun(self, kept: KeptTime, now: datetime) -> KeptTime:
        """Return `kept` with a count that begins now."""
        self._line = self._nearer = None
        is_network = self._is_synchronised()
        own = OwnTime(now, self._clock.monotonic(), self._boot, is_network, kept.disputed is None)
        return replace(kept, own=own)

    def _counted(self, kept: KeptTime, floor: datetime, now: datetime) -> KeptTime:
        """Return `kept` after a look at a clock that agrees with the door's own count, or begins one."""
        own, mono = kept.own, self._clock.monotonic()
        if own is None:
            return self._begun(_after_dark(kept, floor, now, is_told=self._is_synchronised()), now)
        disputed = kept.disputed
        # To agree with a count that began on a disputed clock proves nothing; to come back to the floor does.
        if disputed is not None:
            disputed = None if own.is_sound or now <= floor + LEAP else now
        is_network = own.is_network or self._is_synchronised()
        if mono - own.mono >= ANCHOR_SECONDS:
            own = replace(own, at=now, mono=mono)
        own = replace(own, is_network=is_network, is_sound=disputed is None)
        return replace(kept, own=own, disputed=disputed)

    def _vouched(self, kept: KeptTime) -> KeptTime:
        """Return `kept` with the network behind it, where it is."""
        stands_behind = self._is_synchronised() and kept.disputed is None
        return replace(kept, is_vouched=True) if stands_behind else kept

    def _has_left(self, kept: KeptTime, now: datetime) -> bool:
        own = kept.own
        return own is not None and abs(now - own.now(self._clock.monotonic())) > LEAP

    def _is_corrected(self, kept: KeptTime, now: datetime) -> bool:
        """Return whether the time service corrects a clock that has left the door's own count."""
        own, floor, mono = kept.own, kept.floor, self._clock.monotonic()
        is_told = self._is_synchronised() and self._is_possible(now)
        if own is None or floor is None or not is_told:
            self._nearer = None
            return False
        if not own.is_network:
            return True
        counted = own.now(mono)
        is_nearer = now < counted and (now - floor < counted - now or not own.is_sound)
        if not is_nearer or self._nearer is None or not _is_steady(self._nearer, now, mono):
            self._nearer = (now, mono) if is_nearer else None
        return self._nearer is not None and mono - self._nearer[1] >= LEAST_PROOF_SECONDS

    def _caught_up(self, kept: KeptTime, now: datetime) -> KeptTime:
        """Return `kept` at the first look of a run: the time that the board was off counts for both lines."""
        last = kept.floor if kept.leap is None else kept.leap.at
        if not self._is_first_look or kept.before is None or last is None or now <= last:
            return kept
        return replace(kept, before=kept.before + (now - last))

    def _has_jumped(self, now: datetime, elapsed: float) -> bool:
        """Return whether a clock that was set has leapt ahead since the last look, while the door ran."""
        own = self._kept.own
        is_set = self._may_raise() or self._is_synchronised() or (own is not None and own.is_network)
        before, self._wall = self._wall, now if is_set else None
        self._is_first_look = before is None
        has_leapt = is_set and before is not None and (now - before).total_seconds() - elapsed > SET_SECONDS
        # Tells also of a leap while the service was stopped, or on the way back.
        counted = self._own()
        return has_leapt or (counted is not None and (now - counted).total_seconds() > SET_SECONDS)

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
        if self._back is None or not _is_steady(self._back, now, mono):
            self._back = now, mono
        return now <= least + LEAP or mono - self._back[1] >= LEAST_PROOF_SECONDS

    def _followed(self, leap: Leap | None, floor: datetime, elapsed: float) -> Leap:
        """Return the leap that is being proved, begun anew when the clock did not run steadily."""
        now, mono = self._clock.now(), self._clock.monotonic()
        is_steady = self._line is None or _is_steady(self._line, now, mono)
        if self._line is None or not is_steady:
            self._line = now, mono
        # Over a restart the time off is not known; a clock that went back is another one.
        goes_on = leap is not None and is_steady and now >= leap.at - TOLERATED_STEP_BACK
        held = leap.held_seconds + elapsed if leap is not None and goes_on else 0.0
        wanted = min(max((now - floor).total_seconds() / 10, LEAST_PROOF_SECONDS), MOST_PROOF_SECONDS)
        return Leap(now, held, wanted)

    def _read_again(self, mono: float) -> None:
        """Read what the card did not give at the start, before a checkpoint overwrites it."""
        if self._unread_since is None:
            return
        try:
            kept = self._aside.ask(lambda: try_to_read(self._file))
        except TooSlow:
            return  # it may yet answer; nothing is written meanwhile
        if kept is not None:
            ran = kept.ran_seconds + self._kept.ran_seconds
            self._kept = replace(self._of_this_boot(kept), ran_seconds=ran)
            self._line = None
        # A card that is silent for as long as between two checkpoints is written to as if nothing was there.
        if kept is not None or mono - self._unread_since >= CHECKPOINT_SECONDS:
            self._unread_since = None

    def _looked(self) -> tuple[KeptTime | None, tuple[int, int] | None]:
        """Return what the card gives at the start, None when it fails or hangs, and the file's stamp."""
        try:
            return self._aside.ask(lambda: (try_to_read(self._file), stamp_of(self._file)))
        except TooSlow:
            return None, None

    def _take_word(self) -> None:
        """Take what `facegate clock` wrote meanwhile: a time that a person stands behind.

        What cannot be read, is damaged or gone is nobody's word: what is known in memory goes on, and is
        written over it.
        """
        try:
            stamp = self._aside.ask(lambda: stamp_of(self._file))
            if stamp is None or stamp == self._stamp:
                return
            told = self._aside.ask(lambda: try_to_read(self._file))
        except TooSlow:
            return
        if told is None:
            return  # the stamp stays another one: the next look tries again
        self._stamp = stamp
        if told.floor is not None:
            self._unread_since = None
            # The command knows how long the door had run at its last checkpoint.
            ran_seconds = max(told.ran_seconds, self._kept.ran_seconds)
            self._kept = replace(self._of_this_boot(told), ran_seconds=ran_seconds)
            self._line = None

    def _write(self, mono: float) -> None:
        # Written aside, perhaps later: what is known now, not what is known by then.
        self._written_at, kept = mono, self._kept

        def write() -> None:
            write_kept(self._file, kept)
            self._stamp = stamp_of(self._file)

        try:
            self._aside.ask(write)
        except TooSlow as error:
            logger.warning("%s: the trusted time is kept later: %s", self._file, error)


def _is_known(kept: KeptTime) -> tuple[bool, ...]:
    """Return what must be on the card at once when it changes."""
    count = kept.own is not None, kept.own is not None and kept.own.is_network
    return kept.floor is not None, kept.before is not None, kept.disputed is not None, *count


def _after_dark(kept: KeptTime, floor: datetime, now: datetime, *, is_told: bool) -> KeptTime:
    """Return `kept` at the first time that is believed in a run of the board; `is_told` by the network.

    A clock that was disputed before the power went is so still, unless it has come back since. Nobody
    stands behind a battery that tells of a long time without power.
    """
    disputed, is_near = kept.disputed, now <= floor + LEAP
    goes_on = disputed is not None and disputed > floor and now >= disputed - TOLERATED_STEP_BACK
    is_vouched = kept.is_vouched and (is_told or now - floor <= LONGEST_OFF)
    return replace(kept, disputed=now if goes_on and not is_near else None, is_vouched=is_vouched)


def _is_steady(line: tuple[datetime, float], now: datetime, mono: float) -> bool:
    """Return whether a clock has run as the monotonic one did since `line`."""
    return abs((now - line[0]).total_seconds() - (mono - line[1])) <= SET_SECONDS
