"""What counts at once when settings or rules change, and what needs a new start of the door."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.relay.door import LockStatus
from edge.service.entry.rules import load_book
from edge.wire.commands import CommandOutcome
from edge.words import Message, message, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import Settings
    from edge.ports import Clock
    from edge.service.entry.rules import DoorRules
    from edge.service.hardware import DoorHardware
    from edge.service.property.configuration import Configuration
    from edge.store.retention import Retention

LEAVE_SECONDS = 1.0
"""Between the answer and the stop: a turn of the connection takes 0.1 s."""

OWED_START_SECONDS = 600.0
"""Between two starts for settings that a start missed: a card may fail at each of them."""


class Reloader:
    """Brings changed settings and access rules to a running door. Any thread; call `tick` every second.

    `restart` stops the door so that its supervisor starts it again; None when nobody would.
    """

    def __init__(
        self,
        configuration: Configuration,
        rules: DoorRules,
        hardware: DoorHardware,
        retention: Retention,
        clock: Clock,
        restart: Callable[[], None] | None,
    ) -> None:
        self._configuration = configuration
        self._rules = rules
        self._hardware = hardware
        self._retention = retention
        self._clock = clock
        self._restart = restart
        self._began_at = clock.monotonic()
        self._leave_at: float | None = None
        self._lock = threading.Lock()

    def apply(self, settings: Settings) -> None:
        """Make what may change at once count: opening times, the door held open, age of the journal."""
        with self._lock:
            self._rules.use_times(settings)
            self._hardware.use(settings)
            self._retention.keep(settings.journal.keep_days)

    def reload(self) -> CommandOutcome:
        """Read the access rules again, and start the door anew when something needs it.

        A mistake in the rules file changes nothing: the door goes on by the rules it has. Raises
        `ConfigError` that lists every mistake.
        """
        waiting = list(self._configuration.reported().pending)
        with self._lock:
            # Read inside: opening times that arrive meanwhile must not be replaced by those read before.
            if not self._rules.use(load_book(self._configuration.now)):
                waiting.append("access.rules (calendar, usual mode, passback or lockout)")
        return self._start_anew(waiting) if waiting else CommandOutcome("done", say("order.reloaded"))

    def tick(self) -> None:
        """Stop the door when it is time to, and locked; also for settings that the last start missed."""
        self._configuration.look_again()
        if self._restart is None:
            return
        has_run = self._clock.monotonic() - self._began_at >= OWED_START_SECONDS
        if self._leave_at is None and has_run and self._configuration.is_start_owed:
            self._start_anew(list(self._configuration.reported().pending))
        if self._leave_at is None or self._clock.monotonic() < self._leave_at:
            return
        if self._hardware.door.state.lock is not LockStatus.UNLOCKED:  # nobody is on the way in
            self._restart()

    def _start_anew(self, waiting: list[str]) -> CommandOutcome:
        what = ", ".join(waiting)
        if self._restart is None:
            return _not_now(what, message("order.nobody_starts"))
        if self._rules.policy.modes.is_held_unlocked(self._clock.now()):
            return _not_now(what, message("order.would_lock"))
        self._leave_at = self._clock.monotonic() + LEAVE_SECONDS
        return CommandOutcome("done", say("order.starts_anew", settings=what), {"restart": True})


def _not_now(what: str, why: Message) -> CommandOutcome:
    return CommandOutcome("failed", say("order.waits", settings=what, why=why), {"restart": False})
