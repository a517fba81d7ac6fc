"""What answers to the property at a running door: commands, wishes, the enrolment window, the state."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft
from edge.errors import FacegateError
from edge.events import Kind
from edge.service.property.commands import CommandTies, RemoteCommands
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.property.enrol_window import EnrolWindow
from edge.service.property.notices import NOTICES_FILE, HeldNotices
from edge.service.property.reload import Reloader
from edge.service.property.report import DoorReport
from edge.service.property.rules import RULES_TAKEN_FILE, HeldRules
from edge.service.untold import UntoldAccounts, UntoldWays

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.controller import DoorController
    from edge.event_log.log import EventLog
    from edge.matcher.gallery import LiveGallery
    from edge.ports import Clock
    from edge.service.entry.access import DoorAccess
    from edge.service.entry.rules import DoorRules
    from edge.service.hardware import DoorHardware
    from edge.service.property.configuration import Configuration
    from edge.service.sharing.assembly import Sharing
    from edge.store.commissioning import CommissioningBook
    from edge.store.residents import ResidentStore
    from edge.store.retention import Retention
    from edge.wire.commands import CommandOutcome

HAND_OVER_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class RunningDoor:
    """The door that answers. All callables from any thread; `trust` is the clock's word."""

    data: Path
    boot: str
    clock: Clock
    trust: Callable[[], str]
    store: ResidentStore
    controller: DoorController
    rules: DoorRules
    access: DoorAccess
    hardware: DoorHardware
    retention: Retention
    configuration: Configuration
    events: EventLog
    commissioning: CommissioningBook

    @property
    def settings(self) -> Settings:
        """The settings that count."""
        return self.configuration.now


class PropertySide:
    """One door's answers to its property. Call `tick` every second.

    `window` is when staff may enrol; whatever serves the panel asks it. `restart` stops the door so
    that its supervisor starts it again, None when nobody would. `liveness` is the word for its state.
    It works without a broker too: `join` is what needs one.
    """

    def __init__(
        self,
        door: RunningDoor,
        gallery: LiveGallery | None,
        restart: Callable[[], None] | None,
        liveness: str = "unavailable",
        sharing: Sharing | None = None,
    ) -> None:
        self._door = door
        self.sharing = sharing
        """What shares faces with other doors, None where nothing does."""
        self.link: Callable[[], dict[str, Any]] | None = None
        """How the link to the property is, None without a broker."""
        self.window = EnrolWindow(door.clock, door.events)
        self.notices = HeldNotices(door.data / NOTICES_FILE, door.settings.door.id, door.clock, door.trust)
        """What the property has the display say."""
        self._report = DoorReport(
            gallery,
            lambda: door.hardware.door.state,
            door.trust,
            lambda: str(door.rules.policy.modes.mode(door.clock.now())),
            liveness,
        )
        self._reloader = Reloader(
            door.configuration, door.rules, door.hardware, door.retention, door.clock, restart
        )
        door.configuration.subscribe(self._reloader.apply)
        window = self.window if door.settings.panel.enabled else None
        ties = CommandTies(
            self._diagnostics, self._reloader.reload, window, lambda: door.commissioning.waits_for_lock
        )
        supervised = door.hardware.door
        self._commands = RemoteCommands(
            door.controller, door.rules, door.events, supervised, door.clock, ties
        )
        told = (door.data, door.events.record, door.clock, door.events.was_restored)
        self.untold_ways, self.untold_accounts = UntoldWays(*told), UntoldAccounts(*told)
        """What was taken back and the journal does not tell of yet."""
        door.events.subscribe(self._report.heard)
        door.events.subscribe(self._commands.heard)

    def tick(self) -> None:
        """Answer what is overdue, close what is over."""
        self._commands.tick()
        self.window.tick()
        self._reloader.tick()

    def tell_again(self) -> None:
        """Tell what the disk could not take before, or an earlier process had no time to; may wait for it."""
        self.untold_ways.tell_again()
        self.untold_accounts.tell_again()

    def reload(self) -> CommandOutcome:
        """Have the door read its access rules again. Raises `ConfigError` that lists every mistake."""
        return self._reloader.reload()

    def state(self) -> dict[str, Any]:
        """Return how the door is, with its link to the property when it has one. Any thread."""
        try:
            return self._diagnostics()
        except FacegateError:  # not joined, or a card that cannot be read: the rest can be said
            return self._report.read()

    def join(self, stack: ExitStack) -> None:
        """Join the property, when there is a broker; the door never waits for it and lives without."""
        section = self._door.settings.mqtt
        if section is None:
            return
        from edge.service.property.joining import Joining  # noqa: PLC0415 - others need no paho
        from edge.service.property.link import DoorSide, PropertyLink  # noqa: PLC0415 - the same

        door = self._door
        side = DoorSide(
            door.settings.door.id,
            door.data,
            door.boot,
            door.clock,
            door.trust,
            door.store,
            door.events,
            self._commands.execute,
            self._report.read,
            self.untold_ways,
            door.configuration,
            None if self.sharing is None else self.sharing.exchange,
            self._held_rules(),
            self.notices,
            HeldPassEnds(door.data, self.untold_ways),
        )
        spread = random.Random()  # noqa: S311 - spreads load, guards nothing
        joining = Joining(lambda: PropertyLink(section, side), self._note_problem, spread)
        self.link = joining.state
        stack.callback(joining.stop)
        joining.start()

    def _held_rules(self) -> HeldRules:
        """Return what takes access rules from the property, where the installer lets it."""
        from edge.panel.rule_file import RuleFile  # noqa: PLC0415 - only doors with a property

        door, settings = self._door, self._door.settings
        path = settings.access.rules
        file = (
            None
            if path is None
            else RuleFile(path, settings.door.timezone, lambda: self._reloader.reload().text)
        )
        taken = door.data / RULES_TAKEN_FILE
        return HeldRules(file, taken, door.events.record, door.clock, is_let=settings.access.remote_rules)

    def hand_over(self, seconds: float) -> None:
        """Wait until every event has arrived at the property, or `seconds` are over: before a clean stop.

        Without it a clean stop would look like a crash to the property.
        """
        until = self._door.clock.monotonic() + seconds
        while self.link is not None and self._door.clock.monotonic() < until:
            try:
                outbox = self.link()["outbox"]
            except FacegateError:
                return
            # Where something is wrong two seconds change nothing, and the next run sends it.
            if not outbox["waiting"] or outbox["problem"]:
                return
            time.sleep(HAND_OVER_LOOK_SECONDS)

    def _diagnostics(self) -> dict[str, Any]:
        return self._report.read() if self.link is None else self.link()

    def _note_problem(self, problem: str) -> None:
        self._door.events.record(EventDraft.now(self._door.clock, Kind.HEALTH_SYNC, {"error": problem[:200]}))
