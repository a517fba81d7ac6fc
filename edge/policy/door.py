"""The policy of one running door: rules, modes, pauses and anti-passback in one `Authoriser`.

Asked in this order: evacuation, pause after failures, access rules, lock-down, anti-passback.
Nothing here opens anything; it says who may, and remembers who came in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.domain import Authorisation, Reason
from edge.events import Kind
from edge.policy.access import refused
from edge.policy.attempts import CAMERA, Attempts, reader_of
from edge.policy.entries import Entry, ExpectedEntries
from edge.policy.modes import DoorModes, Mode
from edge.policy.passback import Passback, PassbackKind
from edge.policy.rulebook import UsualMode
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.policy.access import AccessRules


@dataclass(slots=True)
class DoorPolicy:
    """Who may pass this door now. Any thread.

    With `has_contact` somebody says what the door does (`note_opened`, `note_not_opened`): only who
    opened it came in. Without, whoever was let in is taken to have come in; so is whoever is let in
    while it stands open (`is_open`). `on_alarm` gets `access.passback`.
    """

    rules: AccessRules
    modes: DoorModes
    passback: Passback
    attempts: Attempts
    expected: ExpectedEntries
    has_contact: bool = False
    on_alarm: Callable[[Kind, dict[str, Any]], object] = lambda _kind, _data: None
    is_open: bool = False

    @classmethod
    def for_door(
        cls,
        rules: AccessRules,
        mono: Callable[[], float],
        on_alarm: Callable[[Kind, dict[str, Any]], object] = lambda _kind, _data: None,
        *,
        has_contact: bool = False,
    ) -> DoorPolicy:
        """Return the policy that `rules.book` describes for `rules.door_id`."""
        book = rules.book
        usual = book.usual_modes.get(rules.door_id, UsualMode())
        modes = DoorModes(book.calendar, usual.schedule, usual.mode, rules.trust)
        attempts = Attempts(book.lockout, mono, on_alarm)
        passback = Passback(book.passback, mono)
        return cls(rules, modes, passback, attempts, ExpectedEntries(mono), has_contact, on_alarm)

    def authorise(self, resident_id: str, at: datetime, method: str) -> Authorisation:
        """Return whether the resident may pass at `at` (UTC) by `method`; notes nothing until they did."""
        # Asked right before and right after the lock moves: the mode may change while the entry is being
        # stored.
        ended = partial(self._ended, resident_id, at, method)
        if self.modes.mode(at) is Mode.EVACUATION:
            return Authorisation(
                allowed=True,
                reason=Reason.GRANTED,
                unlock_seconds=self.rules.book.unlock_seconds,
                rule=_mode_rule(Mode.EVACUATION),
                ended=ended,
            )
        reader = reader_of(method)
        # Only faces are asked for a pause here. A card's number proves nobody, and the keypad's pause was
        # asked before the PIN was compared.
        pause = self.attempts.refuse(reader, resident_id, is_proven=True) if reader == CAMERA else None
        answer = pause or self._ask_rules(resident_id, at, method)
        if not answer.allowed:
            return answer
        passage = self.passage(Entry(resident_id, at, method), answer.unlock_seconds, resident_id)
        return replace(answer, opened=passage.opened, not_opened=passage.not_opened, ended=ended)

    def would_allow(self, resident_id: str, at: datetime, method: str) -> bool:
        """Return whether the resident might pass at `at` (UTC) by `method`; writes and alarms nothing."""
        if self.modes.mode(at) is Mode.EVACUATION:
            return True
        if not self.rules.authorise(resident_id, at, method).allowed:
            return False
        if self.modes.mode(at) is Mode.LOCKED_DOWN and not self._passes_lockdown(resident_id, at, method):
            return False
        is_soft = self.passback.rule.kind is PassbackKind.SOFT
        return is_soft or not self._is_passed_back(resident_id, method)

    def passage(self, entry: Entry, unlock_seconds: float, claim: str) -> Passage:
        """Return what is to be noted when the door opens for `entry`; `claim` is the person it proved."""
        return Passage(self, entry, unlock_seconds, claim)

    def note_granted(self, entry: Entry, unlock_seconds: float) -> None:
        """Take note of who was let in: they come in when they open the door, or without a contact at once."""
        # While the door stands open the contact tells of no entry: whoever is let in now just walks in.
        if self.has_contact and not self.is_open:
            self.expected.add(entry, unlock_seconds)
        else:
            self.note_entry(entry.resident_id, entry.at, entry.method)

    def take_back(self, entry: Entry) -> None:
        """Forget that `entry` was let in: the lock did not open after all."""
        self.expected.remove(entry)
        self.passback.forget(entry.resident_id)
        self.modes.forget_entry(entry.at)

    def refuse_passed_back(self, who: str, method: str) -> Authorisation | None:
        """Return the refusal of what has just let somebody in, for those who are not on the roster."""
        if not self.passback.is_too_soon(who, method):
            return None
        rule = self._tell_passback(who, method)
        return (
            None if self.passback.rule.kind is PassbackKind.SOFT else refused(Reason.PASSBACK_DETECTED, rule)
        )

    def refuse_by_mode(self, at: datetime) -> Authorisation | None:
        """Return the refusal of a locked-down door, for those who hold no access level."""
        if self.modes.mode(at) is not Mode.LOCKED_DOWN:
            return None
        return refused(Reason.THREAT_LEVEL, _mode_rule(Mode.LOCKED_DOWN))

    def note_entry(self, resident_id: str, at: datetime, method: str) -> None:
        """Take note that this resident came in at `at` (UTC)."""
        self.passback.note_entry(resident_id)
        resident = self.rules.find(resident_id)
        levels = () if resident is None else self.rules.open_levels(resident, at, method)
        if any(level.is_first_person for level in levels):
            self.modes.note_entry(at)

    def note_opened(self) -> None:
        """Take note that the door was opened with permission: who was let in comes in."""
        self.is_open = True
        for entry in self.expected.take():
            self.note_entry(entry.resident_id, entry.at, entry.method)

    def note_not_opened(self) -> None:
        """Take note that nobody used the permission."""
        for entry in self.expected.take():
            self.note_no_entry(entry.resident_id)

    def note_contact(self, works: bool) -> None:  # noqa: FBT001 - a level
        """Take note that the door contact broke or works again; who was let in is taken to have come in."""
        # Its last word cannot be waited for; to forget them would let a card be handed back over the fence.
        if not works:
            self.note_opened()
        # Whether it is open is not known until the contact says so.
        self.has_contact, self.is_open = works, False

    def note_no_entry(self, resident_id: str) -> None:
        """Take note that the door was unlocked for this resident and never opened."""
        self.passback.forget(resident_id)

    def _ask_rules(self, resident_id: str, at: datetime, method: str) -> Authorisation:
        answer = self.rules.authorise(resident_id, at, method)
        if not answer.allowed:
            return answer
        # After the rules: a lock-down does not hide that somebody has no rights anyway.
        if self.modes.mode(at) is Mode.LOCKED_DOWN and not self._passes_lockdown(resident_id, at, method):
            return refused(Reason.THREAT_LEVEL, _mode_rule(Mode.LOCKED_DOWN))
        return self._ask_passback(resident_id, method, answer)

    def _ended(self, resident_id: str, at: datetime, method: str) -> Reason | None:
        """Return why somebody who might pass at `at` (UTC) may not any more, None while they may."""
        # Only what staff can change while the entry is being stored: the mode, the roster and the rights.
        mode = self.modes.mode(at)
        if mode is Mode.EVACUATION:
            return None
        answer = self.rules.authorise(resident_id, at, method)
        if not answer.allowed:
            return answer.reason
        is_shut = mode is Mode.LOCKED_DOWN and not self._passes_lockdown(resident_id, at, method)
        return Reason.THREAT_LEVEL if is_shut else None

    def _passes_lockdown(self, resident_id: str, at: datetime, method: str) -> bool:
        resident = self.rules.find(resident_id)
        levels = () if resident is None else self.rules.open_levels(resident, at, method)
        return any(level.passes_lockdown for level in levels)

    def _ask_passback(self, resident_id: str, method: str, answer: Authorisation) -> Authorisation:
        if not self._is_passed_back(resident_id, method):
            return answer
        rule = self._tell_passback(resident_id, method)
        if self.passback.rule.kind is PassbackKind.SOFT:
            return replace(answer, rule=message("rule.both", first=answer.rule, second=rule))
        return refused(Reason.PASSBACK_DETECTED, rule)

    def _is_passed_back(self, resident_id: str, method: str) -> bool:
        resident = self.rules.find(resident_id)
        exempt = resident is not None and any(g.may_pass_back for g in self.rules.groups_of(resident))
        return not exempt and self.passback.is_too_soon(resident_id, method)

    def _tell_passback(self, who: str, method: str) -> Message:
        kind, seconds = self.passback.rule.kind, f"{self.passback.rule.seconds:g}"
        rule = message("rule.passback", kind=Message(f"value.passback.{kind}"), seconds=seconds)
        self.on_alarm(Kind.ACCESS_PASSBACK, {"resident_id": who, "method": method, **rule.recorded("rule")})
        return rule


class Passage:
    """What follows from one grant, once the door has opened for it."""

    def __init__(self, policy: DoorPolicy, entry: Entry, unlock_seconds: float, claim: str) -> None:
        self._policy = policy
        self._entry = entry
        self._unlock_seconds = unlock_seconds
        self._claim = claim
        self._is_noted = False

    def opened(self) -> None:
        """Take note that the door was opened for this entry."""
        self._is_noted = True
        self._policy.attempts.forgive(reader_of(self._entry.method), self._claim)
        self._policy.note_granted(self._entry, self._unlock_seconds)

    def not_opened(self) -> None:
        """Take back what was noted, if anything was."""
        # Also called where nothing was opened: an earlier entry of the same person must then stay.
        if self._is_noted:
            self._is_noted = False
            self._policy.take_back(self._entry)


def _mode_rule(mode: Mode) -> Message:
    return message("rule.mode", mode=Message(f"value.mode.{mode}"))
