"""The ladder of a door that stays open: a local warning first, people only when it lasts.

A propped-open gate is what residents complain about most, and an alarm that sounds at every delivery is
soon switched off. So a chime at the door comes first, then one alarm, then repeats of a growing level. An
acknowledgement silences them for a while. A count per week shows whether it happens regularly.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

WEEK_SECONDS = 7 * 86_400.0


class Rung(StrEnum):
    """What the ladder calls for."""

    WARNING = "warning"
    ALARM = "alarm"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class HeldSettings:
    """Seconds of the ladder. Alarm 30 s and warning 5 s before it are what Axis and BACnet use.

    `extended_seconds` is the limit after an extended opening. `snooze_seconds` is how long an
    acknowledgement silences a door that is still open. Every `escalate_after` repeats the level
    grows by one. Raises `ConfigError` for values that cannot work together.
    """

    alarm_seconds: float = 30.0
    warning_seconds: float = 5.0
    extended_seconds: float = 60.0
    repeat_seconds: float = 120.0
    snooze_seconds: float = 900.0
    escalate_after: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.warning_seconds < self.alarm_seconds <= self.extended_seconds:
            raise ConfigError(
                f"door held: warning_seconds {self.warning_seconds:g} must be under alarm_seconds "
                f"{self.alarm_seconds:g}, and that not over extended_seconds {self.extended_seconds:g}"
            )
        if min(self.repeat_seconds, self.snooze_seconds) < 10 or self.escalate_after < 1:
            raise ConfigError(
                f"door held: repeat_seconds {self.repeat_seconds:g} and snooze_seconds "
                f"{self.snooze_seconds:g} must be at least 10, escalate_after {self.escalate_after} 1"
            )


class HeldLadder:
    """Times one opening at a time. All times are monotonic seconds; one thread.

    `ages_seconds` are the ages of the alarms before this start, from the journal, so that the
    count per week survives a restart.
    """

    def __init__(self, settings: HeldSettings, now: float, ages_seconds: Iterable[float] = ()) -> None:
        self._settings = settings
        self._alarms = deque(sorted(now - age for age in ages_seconds))
        self._since: float | None = None
        self._limit = settings.alarm_seconds
        self._warned = False
        self._next_repeat: float | None = None
        self._repeats = 0

    def use(self, settings: HeldSettings) -> None:
        """Go by `settings` from the next opening on; one that is timed already keeps its limit."""
        self._settings = settings

    @property
    def alarming(self) -> bool:
        """True from the alarm until `stop`."""
        return self._next_repeat is not None

    @property
    def level(self) -> int:
        """1 at the alarm, one more after every `escalate_after` repeats; 0 without an alarm."""
        return 1 + self._repeats // self._settings.escalate_after if self.alarming else 0

    def start(self, now: float, *, extended: bool = False) -> None:
        """Begin to time an opening, or begin again: somebody else has just been let in.

        Once the alarm is up only `stop` ends it.
        """
        if not self.alarming:
            self._since, self._warned = now, False
            self._limit = self._settings.extended_seconds if extended else self._settings.alarm_seconds

    def stop(self) -> float | None:
        """End it, the door is shut. Return since when it had been open, None when it was not timed."""
        since, self._since, self._next_repeat, self._repeats = self._since, None, None, 0
        self._warned = False
        return since

    def acknowledge(self, now: float) -> None:
        """Stay silent for the snooze: somebody is taking care of it."""
        if self.alarming:
            self._next_repeat = now + self._settings.snooze_seconds

    def due(self, now: float) -> Rung | None:
        """Return what is called for now, at most one rung, each once however late the call."""
        if self._since is None:
            return None
        if self._next_repeat is not None:
            return self._repeat(now) if now >= self._next_repeat else None
        # Before the warning: a call that comes so late that the alarm is due skips the warning.
        if now >= self._since + self._limit:
            self._alarms.append(now)
            self._next_repeat = now + self._settings.repeat_seconds
            return Rung.ALARM
        if not self._warned and now >= self._since + self._limit - self._settings.warning_seconds:
            self._warned = True
            return Rung.WARNING
        return None

    def open_seconds(self, now: float) -> float:
        """Return how long the timed opening has lasted."""
        return 0.0 if self._since is None else now - self._since

    def count_week(self, now: float) -> int:
        """Return how many alarms the last seven days have seen."""
        while self._alarms and self._alarms[0] <= now - WEEK_SECONDS:
            self._alarms.popleft()
        return len(self._alarms)

    def _repeat(self, now: float) -> Rung:
        self._repeats += 1
        self._next_repeat = now + self._settings.repeat_seconds
        return Rung.REPEAT
