"""The ways in at a running door: the readers beside its camera, and what the camera made of somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.domain import EventDraft, Reason, Verdict
from edge.policy.modes import Mode
from edge.service.entry.codes import CodeWatch
from edge.service.entry.patience import Patience
from edge.service.entry.readers import ReaderContext, reader_threads

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from typing import Any

    from edge.config.settings import Settings
    from edge.controller import DoorController, DoorOutcome, EntryOutcome
    from edge.domain import Frame
    from edge.events import Kind
    from edge.policy.desk import CredentialAnswer
    from edge.ports import Clock, EventWriter
    from edge.runtime.worker import Worker
    from edge.service.entry.rules import DoorRules


class DoorAccess:
    """The ways into one door beside its camera, and what follows from the camera's refusals.

    Call `tick` once a second, `look` with every frame, `heard` with what the controller made of it.
    `codes` reads visitor passes, None where no key signs any and no page issues any. `on_answer` hears
    what the readers came to, after the door acted on it.
    """

    def __init__(
        self,
        settings: Settings,
        rules: DoorRules,
        controller: DoorController,
        events: EventWriter,
        clock: Clock,
        on_answer: Callable[[CredentialAnswer, EntryOutcome], object] = lambda _answer, _admission: None,
    ) -> None:
        self._settings = settings
        self._rules = rules
        self._controller = controller
        self._events = events
        self._clock = clock
        self._on_answer = on_answer
        self.patience = Patience(rules.policy)
        may_read = settings.access.pass_keys or settings.panel.enabled
        self.codes = CodeWatch(clock, self.show_code) if may_read else None

    def tick(self) -> bool:
        """Let time pass; return whether the mode holds the door unlocked now."""
        is_held = self._rules.tick()
        for answer in self._rules.desk.check_timeouts():
            self._enter(answer)
        return is_held

    def remember(self) -> None:
        """Read again who may pass, where that changed: call it every second, in a thread that may wait."""
        self._rules.remember()

    def is_held(self) -> bool:
        """Return whether the mode holds the door unlocked now. Any thread."""
        return self._rules.policy.modes.is_held_unlocked(self._clock.now())

    def is_locked_down(self) -> bool:
        """Return whether the door is locked down now. Any thread."""
        return self._rules.policy.modes.mode(self._clock.now()) is Mode.LOCKED_DOWN

    def look(self, frame: Frame) -> None:
        """Have a visitor pass read that is held before the camera; returns at once.

        Also has those looked at again who were recognised and may come in by now.
        """
        self.patience.step(frame.time)
        if self.codes is not None and self._rules.credentials.reads_passes:
            self.codes.show(frame)

    def heard(self, outcome: DoorOutcome, reconsider: Callable[[Any, float], None]) -> None:
        """Count a refusal at the camera; prepare for the PIN, or for the end of a pause."""
        decision = outcome.decision
        self.patience.took(decision, reconsider)
        if decision.verdict is Verdict.GRANT and decision.resident_id is not None:
            self._rules.desk.expect_no_pin(decision.resident_id)
        if decision.verdict is not Verdict.DENY:
            return
        self._rules.policy.attempts.note(decision.reason, "face", decision.claimed)
        if decision.resident_id is not None and decision.reason is Reason.SECOND_FACTOR_REQUIRED:
            self._rules.desk.expect_pin(decision.resident_id)

    def workers(self, stopping: threading.Event, environ: Mapping[str, str]) -> list[Worker]:
        """Return the threads of the readers that are configured, not yet started."""
        around = ReaderContext(self._clock.monotonic, self._note, stopping)
        workers = reader_threads(self._settings, environ, self, around)
        if self.codes is not None:
            workers.append(self.codes.worker(stopping))
        return workers

    def type_pin(self, number: str, pin: str) -> None:
        """Answer a number and PIN, typed on whatever there is to type on."""
        self._enter(self._rules.desk.type_pin(number, pin))

    def present_card(self, card_id: str) -> None:
        """Answer a card, whichever reader read it."""
        self._enter(self._rules.desk.present_card(card_id))

    def show_code(self, text: str) -> None:
        """Answer the text of a code that was held before the camera."""
        self._enter(self._rules.desk.show_pass(text))

    def _enter(self, answer: CredentialAnswer | None) -> None:
        if answer is None:
            return
        if answer.silent is not None:  # first: whatever becomes of the entry, this must not be lost
            self._events.record(answer.silent)
        admission = self._controller.enter(answer.draft, answer.rights)
        if admission.reason is Reason.GRANTED and answer.draft.resident_id is not None:
            self._rules.desk.expect_no_pin(answer.draft.resident_id)
        self._on_answer(answer, admission)

    def _note(self, kind: Kind, data: dict[str, Any]) -> None:
        self._events.record(EventDraft.now(self._clock, kind, data))
