"""Pauses after failed attempts, by the rule of NIST SP 800-63B-4 for biometrics.

After 5 consecutive failures (10 where presentation attacks are detected) each further try waits
30 s; after 50 (100) an alarm is raised. NIST would then switch the face off. A street camera
claims no account, so there a few strangers could lock every resident out; we alarm and keep the
pause instead, and a strict site may choose the switch-off for a claimed identity.

Two additions keep the promise that strangers never delay a resident by more than one pause:
a resident turned away by a pause is served when *that* pause ends, whatever strangers do
meanwhile; and failures are forgotten after `FORGET_SECONDS`, because a gate sees visitors all day.
That is no gift to an attacker: 10 tries in that time are fewer than the pause itself allows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from edge.domain import Reason

FAILURES_BEFORE_PAUSE = 5
FAILURES_BEFORE_PAUSE_WITH_PAD = 10
PAUSE_SECONDS = 30.0
FAILURES_BEFORE_ALARM = 50
FAILURES_BEFORE_ALARM_WITH_PAD = 100
FORGET_SECONDS = 900.0
"""10 failures in 900 s are one in 90 s; the pause of the rule would allow one in 30 s."""

MAX_REMEMBERED = 10_000
"""Subjects remembered at most; the longest untouched is forgotten first."""

FAILURES = frozenset(
    {
        Reason.UNKNOWN_CREDENTIAL,
        Reason.AMBIGUOUS_MATCH,
        Reason.PRESENTATION_ATTACK,
        Reason.CHALLENGE_FAILED,
        Reason.INCORRECT_AUTHENTICATION_FACTOR,
    }
)
"""Denials that may have been somebody trying. Being too far away or out of hours is not."""


@dataclass(frozen=True, slots=True)
class LockoutRule:
    """The numbers of the rule. `switch_off` refuses an identity from `alarm_after` on until it is cleared."""

    pause_after: int = FAILURES_BEFORE_PAUSE
    pause_seconds: float = PAUSE_SECONDS
    alarm_after: int = FAILURES_BEFORE_ALARM
    forget_seconds: float = FORGET_SECONDS
    switch_off: bool = False


WITH_PAD = LockoutRule(pause_after=FAILURES_BEFORE_PAUSE_WITH_PAD, alarm_after=FAILURES_BEFORE_ALARM_WITH_PAD)


@dataclass(slots=True)
class _Tally:
    """Failures of one subject since its last success; times are monotonic seconds."""

    total: int = 0
    recent: deque[float] = field(default_factory=deque)
    paused_until: float = float("-inf")
    promised: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """When whom this subject's pauses turned away will be served."""


class Lockout:
    """Counts failures by subject (a camera, a keypad, an identity) and says who has to wait. Any thread."""

    def __init__(self, rule: LockoutRule = LockoutRule()) -> None:
        self._rule = rule
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._lock = threading.Lock()

    def refuse(self, subject: str, now: float, proven: str | None = None) -> Reason | None:
        """Return why `subject` takes no try now, or None. `now` is monotonic seconds.

        `proven` is the resident who has just been recognised, never a mere claim: the one who
        is turned away by this pause is served once it ends. `LOCKOUT_MAX_ATTEMPTS` ends by
        itself, `CREDENTIAL_LOCKOUT` (only with `switch_off`) by a success or `clear`.
        """
        with self._lock:
            tally = self._tallies.get(subject)
            if tally is None:
                return None
            if self._rule.switch_off and tally.total >= self._rule.alarm_after:
                return Reason.CREDENTIAL_LOCKOUT
            return self._refuse_in_pause(tally, now, proven)

    def seconds_left(self, subject: str, now: float) -> float:
        """Return how long the pause of `subject` still lasts, 0 when there is none."""
        with self._lock:
            tally = self._tallies.get(subject)
            return max(tally.paused_until - now, 0.0) if tally else 0.0

    def fail(self, subject: str, now: float) -> bool:
        """Count a failure at `subject`; return True when it is one to raise an alarm for.

        The alarm comes at every full `alarm_after` failures without a success between.
        """
        with self._lock:
            tally = self._touch(subject)
            tally.total += 1  # also during a pause: for the alarm
            if now >= tally.paused_until:  # a try during a pause cannot succeed, so it does not prolong it
                self._count(tally, now)
            # Again at each further full count, so that an attack that goes on is not forgotten.
            return tally.total % self._rule.alarm_after == 0

    def clear(self, subject: str) -> None:
        """Forget the failures at `subject`: somebody has proved who they are, or the staff says so."""
        with self._lock:
            self._tallies.pop(subject, None)

    def _count(self, tally: _Tally, now: float) -> None:
        recent = tally.recent
        recent.append(now)
        # Never empty: the try that was just added is 0 s old.
        while now - recent[0] >= self._rule.forget_seconds or len(recent) > self._rule.pause_after:
            recent.popleft()
        if len(recent) >= self._rule.pause_after:
            tally.paused_until = now + self._rule.pause_seconds

    def _refuse_in_pause(self, tally: _Tally, now: float, proven: str | None) -> Reason | None:
        if now >= tally.paused_until:
            return None
        # A mere claim is promised nothing: anybody can type a number or hold a copied card to the reader.
        if proven is None:
            return Reason.LOCKOUT_MAX_ATTEMPTS
        served_at = tally.promised.get(proven)
        # Not for ever: a promise that nobody came back for must not let them through a pause weeks later.
        if served_at is not None and served_at <= now <= served_at + self._rule.forget_seconds:
            return None
        # Promised once: the next pause, which other people's tries begin, does not put it off again.
        if served_at is None or now > served_at:
            tally.promised[proven] = tally.paused_until
        while len(tally.promised) > MAX_REMEMBERED:
            tally.promised.popitem(last=False)
        return Reason.LOCKOUT_MAX_ATTEMPTS

    def _touch(self, subject: str) -> _Tally:
        tally = self._tallies.setdefault(subject, _Tally())
        self._tallies.move_to_end(subject)
        while len(self._tallies) > MAX_REMEMBERED:
            self._tallies.popitem(last=False)
        return tally
