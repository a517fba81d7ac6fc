"""Door modes: normal, held unlocked, locked down, evacuation, first person in, scheduled.

One value says how the door stands; an operator sets it, for good or until a time. What the lock
should do now follows from the mode and the time, so a restart or a leap of the clock can never
leave the door open by a forgotten timer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.policy.schedule import NEVER, Calendar, Opening, Schedule
from edge.policy.trust import Believe, Trust

if TYPE_CHECKING:
    from datetime import datetime


class Mode(StrEnum):
    """How the door stands."""

    NORMAL = "normal"
    """Shut; opens for those who may pass."""
    UNLOCKED = "unlocked"
    """Held unlocked, by hand."""
    SCHEDULED = "scheduled"
    """Held unlocked during the door's schedule, else normal."""
    FIRST_PERSON_IN = "first_person_in"
    """Held unlocked during the door's schedule, but only once somebody who may has come in."""
    LOCKED_DOWN = "locked_down"
    """Shut for everybody but rescue services. The way out is wired and stays free."""
    EVACUATION = "evacuation"
    """Free for everybody until an operator ends it."""


@dataclass(frozen=True, slots=True)
class ModeState:
    """A mode, who set it, and when it ends (UTC; None: until it is changed)."""

    mode: Mode = Mode.NORMAL
    until: datetime | None = None
    by: str = "configuration"

    def at(self, moment: datetime, usual: Mode, trust: Trust) -> Mode:
        """Return the mode at `moment` (UTC): `usual` once the time is up.

        A timed lock-down or evacuation ends when its time is over at every time that it may be; any other
        timed mode lasts only while somebody stands behind the clock: a clock can neither end an
        emergency nor keep a door open.
        """
        if self.until is None:
            return self.mode
        if self.mode in (Mode.LOCKED_DOWN, Mode.EVACUATION):
            moments = trust.moments(moment)
            is_over = bool(moments) and min(moments) >= self.until
        else:
            is_over = not trust.vouches(moment) or moment >= self.until
        return usual if is_over else self.mode


class DoorModes:
    """The mode of one door and what follows from it. Any thread.

    `schedule` is that of the modes `scheduled` and `first_person_in`, which hold a door without one
    unlocked at no time; `usual` is the mode the door returns to when a timed one ends.
    """

    def __init__(
        self,
        calendar: Calendar,
        schedule: Schedule = NEVER,
        usual: Mode = Mode.NORMAL,
        trust: Trust | None = None,
    ) -> None:
        self._calendar = calendar
        self._trust = trust or Believe()
        self._schedule = schedule
        self._usual = usual
        self._state = ModeState(usual)
        self._opened_by_first: Opening | None = None
        self._first_at: datetime | None = None
        self._lock = threading.Lock()

    @property
    def state(self) -> ModeState:
        """What was set last; store it to survive a restart."""
        with self._lock:
            return self._state

    def set(self, state: ModeState) -> None:
        """Change the mode. The caller has checked that this person may do so."""
        with self._lock:
            self._state = state
            # The first person of today came in under the former mode, and does not count for this one.
            self._opened_by_first = None

    def resume(self) -> None:
        """Return to the usual mode."""
        self.set(ModeState(self._usual))

    def mode(self, at: datetime) -> Mode:
        """Return the mode in force at `at` (UTC)."""
        return self.state.at(at, self._usual, self._trust)

    def is_held_unlocked(self, at: datetime) -> bool:
        """Return whether the lock should be kept open at `at` (UTC); ask once a second.

        No schedule holds a door open unless the clock is vouched for: see `Trust.vouches`.
        """
        mode = self.mode(at)
        if mode in (Mode.UNLOCKED, Mode.EVACUATION):
            return True
        opening = self._opening(at)
        if mode is Mode.SCHEDULED:
            return opening is not None
        with self._lock:
            return mode is Mode.FIRST_PERSON_IN and opening is not None and opening == self._opened_by_first

    def note_entry(self, at: datetime) -> None:
        """Take note that somebody who may be the first person came in at `at` (UTC)."""
        opening = self._opening(at)
        with self._lock:
            # The first one's time stays while others follow: only their own failed entry takes it back.
            if opening != self._opened_by_first:
                self._opened_by_first, self._first_at = opening, at

    def forget_entry(self, at: datetime) -> None:
        """Take note that the person of `note_entry(at)` did not come in after all."""
        with self._lock:
            # Only if it was this entry: somebody else may have come in first since.
            if self._first_at == at:
                self._opened_by_first = self._first_at = None

    def _opening(self, at: datetime) -> Opening | None:
        return self._calendar.opening(self._schedule, at) if self._trust.vouches(at) else None
