"""Where remote commands come in: judged, executed, answered and journaled, on a thread of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.broker.clerk import TopicWorker
from edge.domain import EventDraft
from edge.errors import FacegateError
from edge.events import Kind
from edge.floods import FloodLimit
from edge.wire.commands import Command, CommandOutcome, CommandRefusal, CommandRefused, CommandType
from edge.wire.messages import CommandAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.settings import BrokerSettings
    from edge.ports import Clock
    from edge.sync.gate import CommandGate
    from edge.wire.messages import Message

    Reply: TypeAlias = Callable[[CommandOutcome], None]
    Execute: TypeAlias = Callable[[Command, Reply], None]

LOG = logging.getLogger(__name__)


class CommandDesk(TopicWorker):
    """The part of sync that takes commands; has a thread of its own (see `TopicWorker`).

    `execute` is called on the desk's thread for each admitted command; it must return soon and
    call `reply` once, from any thread, when the physical outcome is known. Each command and each
    refusal is an event (`command.taken`, `command.done`, `command.failed`, `command.refused`),
    which arrives for certain; the quick answer on `cmd/ack` may be lost with the connection.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        gate: CommandGate,
        execute: Execute,
        record: Callable[[EventDraft], object],
        clock: Clock,
    ) -> None:
        super().__init__("commands", (settings.topic("cmd"),))
        self._gate = gate
        self._execute = execute
        self._record = record
        self._clock = clock
        self._answer_topic = settings.topic("cmd", "ack")
        self._refusals = FloodLimit()

    def handle(self, message: Message) -> None:
        """Judge and execute one message; what the thread does with each."""
        try:
            command = self._gate.admit(message)
        except CommandRefused as refusal:
            self._refuse(refusal)
            return
        except FacegateError as error:  # the ledger cannot be written: better no command than two
            self._refuse(CommandRefused(CommandRefusal.UNAVAILABLE, str(error)))
            return
        if command.type is CommandType.CHALLENGE:
            self._answer(command.id, "done", "nonce", {"nonce": self._gate.hand_out_nonce()})
            return
        # Before it is carried out: should the door die while it does, its journal still tells the hub of it.
        self._journal_command(Kind.COMMAND_TAKEN, command, command.by)
        self._perform(command)

    def _perform(self, command: Command) -> None:
        def reply(outcome: CommandOutcome) -> None:
            kind = Kind.COMMAND_DONE if outcome.status == "done" else Kind.COMMAND_FAILED
            self._journal_command(kind, command, outcome.text)
            self._answer(command.id, outcome.status, outcome.text, outcome.data)

        try:
            self._execute(command, reply)
        except FacegateError as error:
            reply(CommandOutcome("failed", str(error)))

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
