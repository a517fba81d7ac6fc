"""Where remote commands come in: judged, executed, answered and journaled, on a thread of its own."""

from __future__ import annotations

import logging
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.broker.clerk import TopicWorker
from edge.domain import EventDraft
from edge.errors import FacegateError
from edge.events import Kind
from edge.floods import FloodLimit
from edge.wire.commands import Command, CommandOutcome, CommandRefusal, CommandRefused, CommandType
from edge.wire.messages import CommandAnswer
from edge.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edge.broker.settings import BrokerSettings
    from edge.ports import Clock
    from edge.sync.gate import CommandGate
    from edge.wire.messages import Message

    Reply: TypeAlias = Callable[[CommandOutcome], None]
    Execute: TypeAlias = Callable[[Command, Reply], None]

LOG = logging.getLogger(__name__)

RESUME_SECONDS, RESUME_AGE = 60.0, timedelta(days=1)
"""How long after a start, and after it was ordered, a lock-down that was cut short is carried out."""


class CommandDesk(TopicWorker):
    """The part of sync that takes commands; has a thread of its own (see `TopicWorker`).

    `execute` is called on the desk's thread for each admitted command; it must return soon and
    call `reply` once, from any thread, when the physical outcome is known. Each command and each
    refusal is an event (`command.taken`, `command.done`, `command.failed`, `command.refused`),
    which arrives for certain; the quick answer on `cmd/ack` may be lost with the connection.

    What an earlier run took and did not get to tell is told first: a lock-down is carried out, of everything
    else nobody knows. `told` returns the ids of commands of which the journal has the end.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        gate: CommandGate,
        execute: Execute,
        record: Callable[[EventDraft], object],
        clock: Clock,
        told: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        super().__init__("commands", (settings.topic("cmd"),))
        self._told = told
        self._is_resumed = self._has_taken = False
        self._began = clock.monotonic()
        self._ended: deque[str] = deque()
        """Commands of which was told what came of them, and which the ledger still has to hear of."""
        self._gate = gate
        self._execute = execute
        self._record = record
        self._clock = clock
        self._answer_topic = settings.topic("cmd", "ack")
        self._refusals = FloodLimit()

    def handle(self, message: Message) -> None:
        """Judge and execute one message; what the thread does with each."""
        self._resume_if_possible()
        try:
            command = self._gate.admit(message)
        except CommandRefused as refusal:
            self._refuse(refusal)
            return
        if command.type is CommandType.CHALLENGE:
            self._answer(command.id, "done", "nonce", {"nonce": self._gate.hand_out_nonce()})
            return
        self._has_taken = True
        # Before it is carried out: should the door die while it does, its journal still tells the hub of it.
        self._journal_command(Kind.COMMAND_TAKEN, command, command.by)
        self._perform(command)

    def idle(self) -> None:
        """Tell what an earlier run could not, and have the ledger forget what was told."""
        self._resume_if_possible()
        try:
            while self._ended:
                self._gate.finish([self._ended[0]])
                self._ended.popleft()
        except FacegateError as error:
            if self.is_worth_a_line():
                LOG.warning("what came of commands is noted later: %s", error)

    def _resume_if_possible(self) -> None:
        """End what an earlier run began, before anything newer is taken unless the card fails."""
        if self._is_resumed:
            return
        try:
            self._resume()
        except FacegateError as error:
            if self.is_worth_a_line():
                LOG.warning("what an earlier run began is told later: %s", error)

    def _resume(self) -> None:
        begun = self._gate.unfinished()
        told = self._told() if begun else ()
        self._is_resumed = True
        for number, command in enumerate(begun, 1):
            if command.id in told:
                self._ended.append(command.id)
            # Not over what was taken meanwhile, because the card told only now: that is the last word.
            elif number == len(begun) and not self._has_taken and self._is_still_wanted(command):
                self._perform(command)
            else:
                self._end(command, CommandOutcome("failed", say("order.cut_short")))

    def _is_still_wanted(self, command: Command) -> bool:
        """Return whether this is a lock-down that the power cut, or whatever it was, came in between of.

        Not long after a start, when somebody may have given another mode at the door; nor one of long ago,
        which a restored copy of the folder may hold.
        """
        age = abs(self._clock.now() - command.issued)
        is_fresh = self._clock.monotonic() - self._began <= RESUME_SECONDS and age <= RESUME_AGE
        return command.type is CommandType.LOCKDOWN and is_fresh

    def _perform(self, command: Command) -> None:
        try:
            self._execute(command, lambda outcome: self._end(command, outcome))
        except FacegateError as error:
            self._end(command, CommandOutcome("failed", str(error)))

    def _end(self, command: Command, outcome: CommandOutcome) -> None:
        kind = Kind.COMMAND_DONE if outcome.status == "done" else Kind.COMMAND_FAILED
        self._journal_command(kind, command, outcome.text)
        self._answer(command.id, outcome.status, outcome.text, outcome.data)
        # The ledger hears of it on the desk's own thread: this one may not wait for a card.
        self._ended.append(command.id)

    def _refuse(self, refusal: CommandRefused) -> None:
        if refusal.command_id is not None:
            # Each is answered, but not each written down: only the journal can be filled by asking.
            status = "duplicate" if refusal.refused is CommandRefusal.DUPLICATE else "rejected"
            self._answer(refusal.command_id, status, str(refusal), {})
        unreported = self._refusals.tell(self._clock.monotonic())
        if unreported is None:
            return
        LOG.warning("remote command refused: %s", refusal)
        data = {"command": refusal.command_id, "detail": str(refusal)[:200], "unreported": unreported}
        self._note(Kind.COMMAND_REFUSED, refusal.refused, data)

    def _journal_command(self, kind: Kind, command: Command, text: str) -> None:
        data = {
            "command": command.id,
            "type": command.type,
            "by": command.by,
            "text": text[:200],
            **command.args,
        }
        self._note(kind, None, data)

    def _note(self, kind: Kind, reason: str | None, data: dict[str, Any]) -> None:
        self._record(EventDraft.now(self._clock, kind, data, reason=reason))

    def _answer(self, command_id: str, status: str, text: str, data: dict[str, Any]) -> None:
        self.send(self._answer_topic, CommandAnswer(command_id, status, text, data).encode())
