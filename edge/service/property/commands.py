"""Remote commands at a running door: what each does, and what physically came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.domain import Authorisation, EventDraft, Reason
from edge.entry_facts import EntryFacts
from edge.events import Kind
from edge.policy.modes import Mode, ModeState
from edge.relay.door import DoorStatus, LockStatus
from edge.wire.commands import WITHOUT_NONCE, Command, CommandOutcome, CommandType
from edge.words import Message, message, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.controller import DoorController
    from edge.ports import Clock, EventWriter
    from edge.relay.supervised import SupervisedDoor
    from edge.service.entry.rules import DoorRules
    from edge.service.property.enrol_window import EnrolWindow
    from edge.sync.desk import Reply

SETTLE_SECONDS = 2.0
"""A relay guard that is restarted has 1.5 s to take an order; then it is known whether it did."""

MODES = {
    CommandType.LOCKDOWN: Mode.LOCKED_DOWN,
    CommandType.EVACUATION: Mode.EVACUATION,
    CommandType.NORMAL: None,
}

LOCK_UNPROVED = say("order.lock_unproved")

WINDOW_MINUTES = 10.0
"""How long staff may enrol when the command does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An unlocking whose end is not known. At `until` (monotonic seconds) it is `otherwise`."""

    reply: Reply
    began: float
    until: float
    otherwise: CommandOutcome


@dataclass(frozen=True, slots=True)
class CommandTies:
    """What commands reach beside the door itself.

    `report` is what `diagnostics` answers, `reload` reads the rules again, `window` is when staff may
    enrol: None where no panel is served. `waits_for_lock`: nobody has seen yet that the lock of this new
    door moves as it should.
    """

    report: Callable[[], dict[str, Any]] = dict
    reload: Callable[[], CommandOutcome] = lambda: CommandOutcome("failed", say("order.cannot"))
    window: EnrolWindow | None = None
    waits_for_lock: Callable[[], bool] = lambda: False


class RemoteCommands:
    """Executes admitted commands. `execute` and `heard` from any thread; call `tick` every second.

    `heard` must be told the door's events: whether somebody came in is taken from its contact.
    An unlock is in the journal before the lock moves, and refused while the door is locked down.
    """

    def __init__(
        self,
        controller: DoorController,
        rules: DoorRules,
        events: EventWriter,
        door: SupervisedDoor,
        clock: Clock,
        ties: CommandTies = CommandTies(),
    ) -> None:
        self._controller = controller
        self._rules = rules
        self._events = events
        self._door = door
        self._clock = clock
        self._ties = ties
        self._guarding = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._answers: dict[CommandType, Callable[[Command], CommandOutcome]] = {
            **dict.fromkeys(MODES, self._set_mode),
            CommandType.ACKNOWLEDGE_ALARM: self._acknowledge,
            CommandType.DIAGNOSTICS: lambda _: CommandOutcome("done", say("order.as_now"), ties.report()),
            CommandType.RELOAD: lambda _: ties.reload(),
            CommandType.ENROL_WINDOW: self._open_window,
        }
        """What answers at once; an unlocking is answered when it is known what came of it."""

    def execute(self, command: Command, reply: Reply) -> None:
        """Do what `command` says and call `reply` once, at the latest when `tick` finds it overdue."""
        if command.type not in WITHOUT_NONCE:  # answered within seconds: what it is stamped with is now
            self._rules.note_signed_time(command.issued)
        if command.type is CommandType.UNLOCK:
            self._unlock(command, reply)
        else:
            reply(self._answers[command.type](command))

    def heard(self, draft: EventDraft) -> None:
        """Take an event of the door: it may be what an unlocking waits for."""
        if draft.kind == Kind.DOOR_OPENED:
            self._conclude(draft.mono, _opened)
        elif draft.kind == Kind.DOOR_NO_ENTRY_AFTER_GRANTED:
            self._conclude(draft.mono, lambda _seconds: NEVER_OPENED)
        elif draft.kind == Kind.LOCK_UNLOCK_FAILED:
            self._conclude(draft.mono, lambda _seconds: NOT_UNLOCKED)

    def tick(self) -> None:
        """Answer what is overdue."""
        now = self._clock.monotonic()
        for waiting in self._those(lambda one: now >= one.until):
            self._finish(waiting, waiting.otherwise)

    def _unlock(self, command: Command, reply: Reply) -> None:
        if self._locked_down() is not None:
            self._events.record(self._draft(command, Kind.ACCESS_DENIED, Reason.THREAT_LEVEL))
            reply(CommandOutcome("failed", say("order.locked_down")))
            return
        if self._ties.waits_for_lock():
            self._events.record(self._draft(command, Kind.ACCESS_DENIED, Reason.LOCK_UNAVAILABLE))
            reply(CommandOutcome("failed", LOCK_UNPROVED))
            return
        seconds = command.args.get("seconds", self._rules.policy.rules.book.unlock_seconds)
        waiting = self._expect(seconds, reply)
        draft = self._draft(command, Kind.ACCESS_GRANTED, Reason.GRANTED, unlock_seconds=seconds)
        rule = Message("rule.remote")
        rights = Authorisation(True, Reason.GRANTED, seconds, rule, ended=self._locked_down)
        admission = self._controller.enter(draft, rights)
        if admission.reason is not Reason.GRANTED or self._door.state.lock is not LockStatus.UNLOCKED:
            self._finish(waiting, NOT_UNLOCKED)

    def _locked_down(self) -> Reason | None:
        is_shut = self._rules.policy.modes.mode(self._clock.now()) is Mode.LOCKED_DOWN
        return Reason.THREAT_LEVEL if is_shut else None

    def _expect(self, seconds: float, reply: Reply) -> _Waiting:
        """Begin to wait before the lock moves: somebody may be pulling already."""
        now, door = self._clock.monotonic(), self._door.state.door
        patience = seconds if door is DoorStatus.CLOSED else 0.0
        waiting = _Waiting(reply, now, now + patience + SETTLE_SECONDS, WITHOUT_ENTRY[door])
        with self._guarding:
            self._waiting.append(waiting)
        return waiting

    def _set_mode(self, command: Command) -> CommandOutcome:
        mode = MODES[command.type]
        if mode is Mode.LOCKED_DOWN:
            self._door.lock()  # not only once the mode is written down: a slow card takes seconds
        self._rules.set_mode(None if mode is None else ModeState(mode, None, command.by))
        if mode is Mode.LOCKED_DOWN:
            # The mode refuses everybody from now on. This ends an opening that was granted just before.
            self._door.lock()
        now = self._rules.policy.modes.mode(self._clock.now())
        held = self._rules.policy.modes.is_held_unlocked(self._clock.now())
        told = message(f"order.mode.{now}")
        text = say("order.mode_held" if held else "order.mode_locked", mode=told)
        return CommandOutcome("done", text, {"mode": str(now)})

    def _open_window(self, command: Command) -> CommandOutcome:
        if self._ties.window is None:
            return CommandOutcome("failed", say("order.no_panel", command="facegate enrol"))
        minutes = command.args.get("minutes", WINDOW_MINUTES)
        seconds = self._ties.window.open(minutes * 60, command.by)
        text = say("order.window", minutes=f"{minutes:g}")
        return CommandOutcome("done", text, {"seconds": seconds})

    def _acknowledge(self, command: Command) -> CommandOutcome:
        alarms = sorted(str(alarm) for alarm in self._door.state.alarms)
        self._door.acknowledge(command.by)
        text = say("order.acknowledged", alarms=alarms) if alarms else say("order.no_alarm")
        return CommandOutcome("done", text, {"alarms": alarms})

    def _conclude(self, mono: float, outcome: Callable[[float], CommandOutcome]) -> None:
        for waiting in self._those(lambda one: mono >= one.began):
            self._finish(waiting, outcome(mono - waiting.began))

    def _those(self, wanted: Callable[[_Waiting], bool]) -> list[_Waiting]:
        with self._guarding:
            return [one for one in self._waiting if wanted(one)]

    def _finish(self, waiting: _Waiting, outcome: CommandOutcome) -> None:
        with self._guarding:
            # An event, `tick` and a failure may all end the same command; the first of them answers it.
            if waiting not in self._waiting:
                return
            self._waiting.remove(waiting)
        waiting.reply(outcome)

    def _draft(
        self, command: Command, kind: Kind, reason: Reason, unlock_seconds: float | None = None
    ) -> EventDraft:
        told = {"by": command.by, "command": command.id, "rule": "remote"}
        facts = EntryFacts("remote", unlock_seconds, more=told)
        return EventDraft.now(self._clock, kind, facts.stored(), reason=str(reason))


NEVER_OPENED = CommandOutcome("done", say("order.never_opened"), {"opened": False})
NOT_UNLOCKED = CommandOutcome("failed", say("order.not_moved"))
WITHOUT_ENTRY = {
    DoorStatus.CLOSED: NEVER_OPENED,
    DoorStatus.OPENED: CommandOutcome("done", say("order.stood_open"), {"opened": True}),
    DoorStatus.UNKNOWN: CommandOutcome("done", say("order.no_contact"), {"opened": None}),
}
"""What is said when no event came, by what the contact said before."""


def _opened(seconds: float) -> CommandOutcome:
    data = {"opened": True, "after_seconds": round(seconds, 2)}
    return CommandOutcome("done", say("order.opened", seconds=f"{seconds:.1f}"), data)
