"""Remote commands at a running door: what each does, and what physically came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.domain import Authorisation, EventDraft, Reason
from edge.events import Kind
from edge.policy.modes import DoorState, Mode
from edge.relay.door import DoorStatus, LockStatus
from edge.wire.commands import WITHOUT_NONCE, Command, CommandType, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.controller import DoorController
    from edge.ports import Clock
    from edge.relay.supervised import SupervisedDoor
    from edge.service.entry.access import DoorAccess
    from edge.service.property.enrol_window import EnrolWindow
    from edge.sync.desk import Reply

SETTLE_SECONDS = 2.0
"""A relay guard that is restarted has 1.5 s to take an order; then it is known whether it did."""

MODES = {
    CommandType.LOCKDOWN: Mode.LOCKED_DOWN,
    CommandType.EVACUATION: Mode.EVACUATION,
    CommandType.NORMAL: None,
}

WINDOW_MINUTES = 10.0
"""How long staff may enrol when the command does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An unlocking whose end is not known. At `until` (monotonic seconds) it is `otherwise`."""

    reply: Reply
    began: float
    until: float
    otherwise: Outcome


class RemoteCommands:
    """Executes admitted commands. `execute` and `heard` from any thread; call `tick` every second.

    `heard` must be told the door's events: whether somebody came in is taken from its contact.
    An unlock is in the journal before the lock moves, and refused while the door is locked down.
    """

    def __init__(
        self,
        controller: DoorController,
        access: DoorAccess,
        door: SupervisedDoor,
        clock: Clock,
    ) -> None:
        self.report: Callable[[], dict[str, Any]] = dict
        """What `diagnostics` answers."""
        self.reload: Callable[[], Outcome] = lambda: Outcome("failed", "this door cannot do that")
        self.window: EnrolWindow | None = None
        self._controller = controller
        self._access = access
        self._door = door
        self._clock = clock
        self._guarding = threading.Lock()
        self._waiting: list[_Waiting] = []

    def execute(self, command: Command, reply: Reply) -> None:
        """Do what `command` says and call `reply` once, at the latest when `tick` finds it overdue."""
        if command.type not in WITHOUT_NONCE:  # answered within seconds: what it is stamped with is now
            self._access.note_signed_time(command.issued)
        if command.type is CommandType.UNLOCK:
            self._unlock(command, reply)
        elif command.type in MODES:
            reply(self._set_mode(command))
        elif command.type is CommandType.ACKNOWLEDGE_ALARM:
            reply(self._acknowledge(command))
        elif command.type is CommandType.DIAGNOSTICS:
            reply(Outcome("done", "as of now", self.report()))
        elif command.type is CommandType.RELOAD:
            reply(self.reload())
        else:
            reply(self._open_window(command))

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
        if self._access.policy.modes.mode(self._clock.now()) is Mode.LOCKED_DOWN:
            self._controller.record(self._draft(command, Kind.ACCESS_DENIED, Reason.THREAT_LEVEL))
            reply(Outcome("failed", "the door is locked down; end that first"))
            return
        seconds = command.args.get("seconds", self._access.policy.rules.book.unlock_seconds)
        waiting = self._expect(seconds, reply)
        draft = self._draft(command, Kind.ACCESS_GRANTED, Reason.GRANTED, unlock_seconds=seconds)
        self._controller.enter(draft, Authorisation(True, Reason.GRANTED, seconds, "remote"))
        if self._door.state.lock is not LockStatus.UNLOCKED:
            self._finish(waiting, NOT_UNLOCKED)

    def _expect(self, seconds: float, reply: Reply) -> _Waiting:
        """Begin to wait before the lock moves: somebody may be pulling already."""
        now, door = self._clock.monotonic(), self._door.state.door
        patience = seconds if door is DoorStatus.CLOSED else 0.0
        waiting = _Waiting(reply, now, now + patience + SETTLE_SECONDS, WITHOUT_ENTRY[door])
        with self._guarding:
            self._waiting.append(waiting)
        return waiting

    def _set_mode(self, command: Command) -> Outcome:
        mode = MODES[command.type]
        self._access.set_mode(None if mode is None else DoorState(mode, None, command.by))
        if mode is Mode.LOCKED_DOWN:
            self._door.lock()
        now = self._access.policy.modes.mode(self._clock.now())
        held = self._access.policy.modes.is_held_unlocked(self._clock.now())
        text = f"{now}; the door is {'held unlocked' if held else 'locked'} within a second"
        return Outcome("done", text, {"mode": str(now)})

    def _open_window(self, command: Command) -> Outcome:
        if self.window is None:
            return Outcome("failed", "this door serves no panel; enrol with `facegate enrol`")
        minutes = command.args.get("minutes", WINDOW_MINUTES)
        seconds = self.window.open(minutes * 60, command.by)
        text = f"staff may enrol at the door's panel for {minutes:g} min"
        return Outcome("done", text, {"seconds": seconds})

    def _acknowledge(self, command: Command) -> Outcome:
        alarms = sorted(str(alarm) for alarm in self._door.state.alarms)
        self._door.acknowledge(command.by)
        text = f"acknowledged: {', '.join(alarms)}" if alarms else "there is no alarm"
        return Outcome("done", text, {"alarms": alarms})

    def _conclude(self, mono: float, outcome: Callable[[float], Outcome]) -> None:
        for waiting in self._those(lambda one: mono >= one.began):
            self._finish(waiting, outcome(mono - waiting.began))

    def _those(self, wanted: Callable[[_Waiting], bool]) -> list[_Waiting]:
        with self._guarding:
            return [one for one in self._waiting if wanted(one)]

    def _finish(self, waiting: _Waiting, outcome: Outcome) -> None:
        with self._guarding:
            if waiting not in self._waiting:
                return
            self._waiting.remove(waiting)
        waiting.reply(outcome)

    def _draft(self, command: Command, kind: Kind, reason: Reason, **more: float) -> EventDraft:
        data = {"method": "remote", "by": command.by, "command": command.id, "rule": "remote", **more}
        return EventDraft.now(self._clock, kind, data, reason=str(reason))


NEVER_OPENED = Outcome("done", "unlocked, never opened", {"opened": False})
NOT_UNLOCKED = Outcome("failed", "the lock did not move; the journal says why")
WITHOUT_ENTRY = {
    DoorStatus.CLOSED: NEVER_OPENED,
    DoorStatus.OPENED: Outcome("done", "unlocked; the door stood open already", {"opened": True}),
    DoorStatus.UNKNOWN: Outcome("done", "unlocked; no contact tells whether it was opened", {"opened": None}),
}
"""What is said when no event came, by what the contact said before."""


def _opened(seconds: float) -> Outcome:
    data = {"opened": True, "after_seconds": round(seconds, 2)}
    return Outcome("done", f"unlocked, opened after {seconds:.1f} s", data)
