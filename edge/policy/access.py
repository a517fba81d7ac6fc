"""Whether an identified resident may pass this door now, and which rule says so.

Rules are asked after identification and never narrow the search: a face is compared with the
whole gallery, so a person without rights is recognised and refused by name, not mistaken for a
neighbour who has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.domain import Authorisation, Reason
from edge.policy.methods import Method
from edge.policy.rulebook import RuleBook, UntrustedClock
from edge.policy.schedule import NEVER
from edge.policy.trust import Believe, Trust
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.domain import Resident
    from edge.policy.rulebook import Level, RightsGroup
    from edge.policy.schedule import Schedule


MOST_TOLD = 16
"""Levels that a refusal names: nobody has more for one door."""


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Why not, and the rule that says so."""

    reason: Reason
    rule: Message


def refused(reason: Reason, rule: Message) -> Authorisation:
    """Return a refusal that nothing follows from."""
    return Authorisation(allowed=False, reason=reason, unlock_seconds=0.0, rule=rule)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """An `Authoriser` by roster, access levels and calendar. Any thread; keeps no state.

    `find` returns the resident of an id as the roster has it now, or None; `is_readable` whether the roster
    could be read yet: before that nobody is told that they are not on it.
    """

    book: RuleBook
    door_id: str
    find: Callable[[str], Resident | None]
    trust: Trust = field(default_factory=Believe)
    is_readable: Callable[[], bool] = lambda: True

    def authorise(self, resident_id: str, at: datetime, method: str) -> Authorisation:
        """Return whether the resident may pass at `at` (UTC) by `method` (see `Method`)."""
        resident = self.find(resident_id)
        if resident is None:
            return _nobody(is_readable=self.is_readable())
        groups = self.groups_of(resident)
        refusal = self._refuse_person(resident, at) or _refuse_method(groups, method)
        answer = refusal or self._find_level(resident, groups, at, method)
        if isinstance(answer, AccessRefusal):
            return refused(answer.reason, answer.rule)
        extended = resident.extended_unlock or any(group.extended_unlock for group in groups)
        seconds = self.book.extended_unlock_seconds if extended else self.book.unlock_seconds
        rule = _level_rule(answer)
        return Authorisation(allowed=True, reason=Reason.GRANTED, unlock_seconds=seconds, rule=rule)

    def is_current(self, resident_id: str, at: datetime) -> bool:
        """Return whether this person is on the roster, switched on and valid at `at` (UTC)."""
        resident = self.find(resident_id)
        return resident is not None and self._refuse_person(resident, at) is None

    def needs_challenge(self, resident_id: str | None, at: datetime) -> bool:
        """Return whether a face taken for this resident must answer a liveness challenge at `at` (UTC).

        The strictest of their open levels counts, whatever else they hold. While the time is not known
        every schedule is taken for open, and a person who is not known is asked.
        """
        # Asked for each face on each frame, and most sites have no strict level at all.
        if not self.book.is_ever_strict:
            return False
        resident = None if resident_id is None else self.find(resident_id)
        if resident is None or self._may_be_open(self.book.strict_liveness, at):
            return True
        levels = self.levels_here(resident, Method.FACE_PIN)  # holds those for a face alone, too
        return any(level.is_strict and self._may_be_open(level.schedule, at) for level in levels)

    def groups_of(self, resident: Resident) -> tuple[RightsGroup, ...]:
        """Return the groups this resident is in."""
        return self.book.groups_of(resident.id, resident.access_levels)

    def levels_here(self, resident: Resident, method: str) -> tuple[Level, ...]:
        """Return the resident's levels that are about this door and method, open now or not."""
        levels = self.book.levels_of(resident.access_levels, self.groups_of(resident))
        return tuple(level for level in levels if level.covers(self.door_id, method))

    def open_levels(self, resident: Resident, at: datetime, method: str) -> tuple[Level, ...]:
        """Return those of them that are open at `at` (UTC)."""
        return tuple(level for level in self.levels_here(resident, method) if self._is_open(level, at))

    def _refuse_person(self, resident: Resident, at: datetime) -> AccessRefusal | None:
        # Switched off wins over everything else that could be said of them.
        why = self.book.disabled.get(resident.id)
        if why is not None:
            return AccessRefusal(
                Reason.CREDENTIAL_MANUAL_DISABLE,
                message("rule.disabled", why=Message(f"value.disabled.{why}")),
            )
        return self._refuse_by_validity(resident, at)

    def _refuse_by_validity(self, resident: Resident, at: datetime) -> AccessRefusal | None:
        floor, moments = self.trust.floor, self.trust.moments(at)
        start, until = resident.valid_from, resident.valid_until
        # There are several possible times while the clock is disputed, and none while the time is not known.
        # Somebody is called expired, or not yet valid, only if they are so at all of them, and is let in only
        # if they are valid at all of them. Otherwise the clock is the reason of the refusal.
        if until is not None and (until <= floor or (moments and until <= min(moments))):
            rule = message("rule.valid_until", until=f"{until:%Y-%m-%d %H:%M} UTC")
            return AccessRefusal(Reason.CREDENTIAL_EXPIRED, rule)
        has_begun = start is None or start <= floor
        if not moments or (len(moments) > 1 and self.book.untrusted_clock is UntrustedClock.NOBODY):
            return self._refuse_without_time(is_bound=not has_begun or until is not None)
        if start is not None and not has_begun and max(moments) < start:
            rule = message("rule.valid_from", start=f"{start:%Y-%m-%d %H:%M} UTC")
            return AccessRefusal(Reason.CREDENTIAL_NOT_YET_ACTIVE, rule)
        is_early = start is not None and not has_begun and min(moments) < start
        is_late = until is not None and until <= max(moments)
        return self._refuse_without_time(is_bound=True) if is_early or is_late else None

    def _refuse_without_time(self, *, is_bound: bool) -> AccessRefusal | None:
        if self.book.untrusted_clock is UntrustedClock.NOBODY:
            return AccessRefusal(Reason.CLOCK_UNTRUSTED, Message("rule.clock_nobody"))
        return AccessRefusal(Reason.CLOCK_UNTRUSTED, Message("rule.clock_validity")) if is_bound else None

    def _find_level(
        self, resident: Resident, groups: tuple[RightsGroup, ...], at: datetime, method: str
    ) -> Level | AccessRefusal:
        levels = self.levels_here(resident, method)
        if not levels:
            held = ", ".join(dict.fromkeys([*resident.access_levels, *(g.name for g in groups)])) or "none"
            way = Message(f"value.method.{method}")
            return AccessRefusal(Reason.NO_ACCESS_RIGHTS, message("rule.no_level", method=way, held=held))
        for level in levels:
            if self._is_open(level, at):
                return level
        # Nobody is told to come at another hour who may be within their hours now: then the clock is the
        # reason.
        moments = self.trust.moments(at)
        may_be_open = any(self.book.calendar.is_open(level.schedule, m) for level in levels for m in moments)
        if not moments or may_be_open:
            return AccessRefusal(
                Reason.CLOCK_UNTRUSTED, message("rule.clock_schedule", schedule=levels[0].schedule.name)
            )
        return AccessRefusal(
            Reason.OUT_OF_TIME_RANGE, _all_of([_level_rule(level) for level in levels[:MOST_TOLD]])
        )

    def _may_be_open(self, schedule: Schedule, at: datetime) -> bool:
        moments = self.trust.moments(at)
        unknown = not moments and schedule != NEVER
        return unknown or any(self.book.calendar.is_open(schedule, one) for one in moments)

    def _is_open(self, level: Level, at: datetime) -> bool:
        """Return whether the level is open at every time that it may be."""
        # Without a clock, too: this is what lets residents home whose board has lost the time.
        if level.schedule.is_always:
            return True
        moments = self.trust.moments(at)
        return bool(moments) and all(self.book.calendar.is_open(level.schedule, one) for one in moments)


def _nobody(*, is_readable: bool) -> Authorisation:
    """Return the refusal of somebody whom the roster does not have."""
    if not is_readable:
        return refused(Reason.AUTHENTICATION_UNAVAILABLE, Message("rule.residents_unreadable"))
    return refused(Reason.NO_ACCESS_RIGHTS, Message("rule.not_on_roster"))


def _refuse_method(groups: tuple[RightsGroup, ...], method: str) -> AccessRefusal | None:
    strict = next((group for group in groups if group.needs_pin_with_face), None)
    if strict is None or method != Method.FACE:
        return None
    return AccessRefusal(Reason.SECOND_FACTOR_REQUIRED, message("rule.needs_pin", group=strict.name))


def _level_rule(level: Level) -> Message:
    return message("rule.level", level=level.name, schedule=level.schedule.name)


def _all_of(rules: list[Message]) -> Message:
    """Return these rules as one, nested evenly: what goes into an event must not be deep."""
    if len(rules) == 1:
        return rules[0]
    half = (len(rules) + 1) // 2
    return message("rule.both", first=_all_of(rules[:half]), second=_all_of(rules[half:]))
