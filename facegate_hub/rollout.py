"""Carries the roster to the doors: the head to all, a delta to who is there, and what anybody lacks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from edge.errors import SyncError
from edge.wire.names import ROOT, device_of
from edge.wire.records import FACES
from edge.wire.roster import MOST_PARTS, Question
from facegate_hub.clerk import HubClerk
from facegate_hub.devices import heard_at, known_doors, note, problem, readers_of
from facegate_hub.roster import LONGEST_DELTA, RosterTooLong

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.roster import Messages, RosterLog, RosterPosition

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""A tenth of what a removal may take until it works at the door (1 s after it arrived, 2 s in all)."""
CONFIRM_SECONDS = 3600.0
"""Between two heads when nobody comes or goes: a door with a lease must hear that all is as it was."""
MOST_BYTES_A_TURN = 8 * 1024 * 1024
"""Snapshots leave at no more than 40 MB/s: what a whole site asks for after a power cut is 1 MB a door."""
MOST_MESSAGES = 1 + MOST_PARTS
"""Room for the longest snapshot, so that none is sent by halves."""


class RosterServer(HubClerk):
    """Shows every door where the roster is, and answers those who ask for what they lack.

    What is to be sent waits here by door, each once, and leaves as fast as the broker takes it.
    """

    def __init__(
        self, engine: Engine, log: RosterLog, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(engine, "hub-roster", (f"{ROOT}/+/sync/req", f"{ROOT}/+/avail"), LOOK_SECONDS)
        self._log = log
        log.most_bytes = lambda: self.most_bytes
        self._rev = -1
        self._epoch = 0
        self._monotonic = monotonic
        self._confirm_at = float("-inf")
        self._readers: dict[str, bool] | None = None
        self._told: dict[str, bool] = {}
        """Which doors read certificates of faces: as the database has it (None: not looked up yet), and as
        they said since."""
        self._questions: dict[str, Question] = {}
        self._pushes: dict[str, int | None] = {}
        """The revision from which a door is sent the changes before the head; None: the head alone."""

    def begin_again(self) -> None:
        """Show the head to all again."""
        self._confirm_at = float("-inf")

    def handle(self, message: Message) -> None:
        """Take one message."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Take questions, the last of each door; greet doors that came online with the head."""
        notes: dict[str, dict[str, Any]] = {}
        for message in messages:
            device = device_of(message.topic)
            if message.topic.endswith("/avail"):
                if b"online" in message.payload:
                    self._pushes.setdefault(device, None)
                continue
            try:
                question = Question.parse(message.payload)
            except SyncError as error:
                LOG.warning("%s: %s", device, error)
                continue
            self._questions[device] = question
            told = problem(question.problem) if question.problem else {}
            reads = ",".join(sorted(question.reads))
            notes[device] = {
                "epoch": question.epoch,
                "rev": question.have,
                "reads": reads,
                **heard_at(time.time()),
                **told,
            }
            self._told[device] = FACES in question.reads
        self.patiently(lambda: note(self._engine, notes))

    def idle(self) -> None:
        """Push what changed since the last look to every door we know, and send what waits."""
        super().idle()
        self._look()
        if not self._questions and not self._pushes:
            return
        left = MOST_BYTES_A_TURN
        try:
            with self._log.moment() as moment:
                while left > 0 and self.room > MOST_MESSAGES and (self._questions or self._pushes):
                    left -= self._answer_next(moment) if self._questions else self._push_next(moment)
        except SyncError as error:
            if self.is_worth_a_line():
                LOG.error("the roster goes to no door: %s", error)  # noqa: TRY400 - no fault of ours

    def _look(self) -> None:
        now = self._monotonic()
        if now >= self._confirm_at:
            # -1 is no revision: the comparison below then sends the head to every door.
            self._rev, self._confirm_at = -1, now + CONFIRM_SECONDS
        state = self._log.state()
        rev = state.rev
        if state.epoch == self._epoch and rev == self._rev:
            return
        start = self._rev if state.epoch == self._epoch else -1
        known = start >= 0 and rev - start <= LONGEST_DELTA
        # Before the change counts as seen: where the database fails here, the next look finds it again.
        doors = known_doors(self._engine)
        self._rev, self._epoch = rev, state.epoch
        for device in doors:
            # A door that still waits for older changes gets the head, and asks for them all.
            self._pushes[device] = start if known and device not in self._pushes else None

    def _answer_next(self, moment: RosterPosition) -> int:
        device, question = next(iter(self._questions.items()))
        try:
            messages = self._log.answer(moment, device, question)
        except RosterTooLong as error:  # this door's; what could not be signed is asked for again
            messages = []
            self.not_carried(f"{ROOT}/{device}/sync/snap", str(error))
        del self._questions[device]
        return self._tell(device, messages)

    def _push_next(self, moment: RosterPosition) -> int:
        device = next(iter(self._pushes))
        start = self._pushes[device]
        reads = self._reads_faces(device)
        messages = self._log.head(moment, device, reads_faces=reads)
        try:
            if start is not None:
                messages = [*self._log.delta(moment, device, start, reads_faces=reads), *messages]
        except RosterTooLong as error:  # the door hears that there is something newer, and asks
            self.not_carried(f"{ROOT}/{device}/sync/snap", str(error))
        del self._pushes[device]
        return self._tell(device, messages)

    def _reads_faces(self, device: str) -> bool:
        """Return what the door last said of itself; another digest than its own makes it ask, and say so."""
        if self._readers is None:
            self._readers = readers_of(self._engine, FACES)
        return self._told.get(device, self._readers.get(device, False))

    def _tell(self, device: str, messages: Messages) -> int:
        """Send and return how many bytes that is."""
        for topic, payload, retain in messages:
            self.send(f"{ROOT}/{device}/{topic}", payload, retain=retain)
        return sum(len(payload) for _, payload, _ in messages)
