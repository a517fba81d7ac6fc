"""Residents who were recognised and still stand outside: looked at again once the door may open for them.

A visit normally ends with one decision. That would leave a resident waiting whose schedule opens in a
minute, whose rights the caretaker is just correcting, or who missed the opening.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from edge.domain import Reason, Verdict
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Decision, EventDraft
    from edge.policy.door import DoorPolicy

OUR_FAULT = frozenset({Reason.JOURNAL_UNAVAILABLE, Reason.TOO_LATE, Reason.LOCK_UNAVAILABLE})

AGAIN_SECONDS = 3.0
"""When a resident who stayed outside by our fault is looked at again."""

ASK_SECONDS = 1.0
"""Between two looks whether the rules say otherwise by now. Asking writes nothing down."""

LONGEST_SECONDS = 600.0
"""Who stands there for longer is somewhere else by now; stepping up anew begins a visit anyway."""

MOST_WAITING = 64

MISSED_SECONDS, LONGEST_MISSED_SECONDS = 2.0, 60.0
"""An opening that was missed is offered again after this long, then after twice as long, and so on:
somebody who stands there chatting does not want to come in."""


@dataclass(slots=True)
class _Waiting:
    decision: Decision
    reconsider: Callable[[Any, float], None]
    since: float
    due: bool = False


class Patience:
    """Remembers who waits, and has them looked at again. `took` and `step` on the recogniser's thread.

    `reconsider` (decision, seconds after it) has the pipeline decide anew about somebody in view.
    """

    def __init__(self, policy: DoorPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._let_in: dict[str, _Waiting] = {}
        self._misses = 0
        self._was_missed = False
        self._asked_at = float("-inf")

    def took(self, decision: Decision, reconsider: Callable[[Any, float], None]) -> None:
        """Take a decision about somebody recognised, after the rules and the lock spoke."""
        who = decision.resident_id
        if who is None or decision.verdict is Verdict.WAIT:
            return
        if decision.reason in OUR_FAULT:
            reconsider(decision, AGAIN_SECONDS)
        elif decision.reason is Reason.LOCKOUT_MAX_ATTEMPTS:
            reconsider(decision, self._policy.attempts.seconds_left("face", who))
        waiting = _Waiting(decision, reconsider, decision.time)
        with self._lock:
            self._waiting.pop(who, None)
            if decision.verdict is Verdict.GRANT:
                self._let_in[who] = waiting
            elif len(self._waiting) < MOST_WAITING:
                self._waiting[who] = waiting

    def heard(self, draft: EventDraft) -> None:
        """Take an event of the door: it opened or did not, nobody came in, a PIN never came. Any thread."""
        match draft.kind:
            case Kind.DOOR_OPENED:
                with self._lock:
                    self._let_in.clear()
                    self._misses, self._was_missed = 0, False
            case Kind.DOOR_NO_ENTRY_AFTER_GRANTED | Kind.LOCK_UNLOCK_FAILED:
                with self._lock:
                    self._was_missed = True
            case Kind.ACCESS_DENIED if draft.reason == Reason.AUTHENTICATION_FACTOR_TIMEOUT:
                with self._lock:
                    waiting = self._waiting.get(draft.resident_id or "")
                    if waiting is not None:
                        waiting.due = True

    def step(self, time: float) -> None:
        """Have those looked at again for whom something changed; `time` is that of the newest frame."""
        if time - self._asked_at < ASK_SECONDS:
            return
        self._asked_at = time
        for waiting in self._take_due(time):
            waiting.reconsider(waiting.decision, time - waiting.decision.time)
        for waiting in self._take_missed():
            # Five doublings are past the longest delay; of a lock away all day the 1,024th would overflow.
            delay = min(MISSED_SECONDS * 2.0 ** min(self._misses, 5), LONGEST_MISSED_SECONDS)
            waiting.reconsider(waiting.decision, time + delay - waiting.decision.time)
            self._misses += 1

    def _take_due(self, time: float) -> list[_Waiting]:
        with self._lock:
            everybody = list(self._waiting.items())
        found = []
        for who, waiting in everybody:
            is_over = time - waiting.since > LONGEST_SECONDS
            if is_over or waiting.due or self._may_come(who, waiting.decision, time):
                found += [] if is_over else [waiting]
                with self._lock:
                    # A newer decision about the same person may have come meanwhile: that one stays.
                    if self._waiting.get(who) is waiting:
                        del self._waiting[who]
        return found

    def _may_come(self, who: str, decision: Decision, time: float) -> bool:
        if decision.reason in OUR_FAULT or decision.reason is Reason.SECOND_FACTOR_REQUIRED:
            return False  # those are looked at again by the clock
        at = decision.at + timedelta(seconds=time - decision.time)
        return self._policy.would_allow(who, at, "face")

    def _take_missed(self) -> list[_Waiting]:
        with self._lock:
            if not self._was_missed:
                return []
            self._was_missed = False
            missed = list(self._let_in.values())
            self._let_in.clear()
            return missed
