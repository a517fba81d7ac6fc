"""A look at a door from inside, while it runs: for its page. What the door knows is not looked at twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edge.events import Kind
from edge.findings import CheckupFinding, green, red
from edge.service.checkup import parts, people, picture
from edge.service.checkup.recently import RecentEvents
from edge.words.retold import LINK, told_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.panel.network import BrokerState
    from edge.ports import Clock

FRESH_SECONDS = 10.0
"""How long findings are shown before the door is looked at again, however many people look."""


class DoorCheckup:
    """Findings about the running door, in the order of `facegate doctor`. Any thread.

    `liveness` is the state at the start, `unmatched` who is enrolled and not matched, and why, `faces`
    how many are matched, `broker` how the property's broker is reached (None: there is none).
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        data: Path,
        clock: Clock,
        people_now: Callable[[], tuple[int, Mapping[str, str]]],
        broker: Callable[[], BrokerState | None],
        liveness: str,
    ) -> None:
        self._settings = settings
        self._data = data
        self._clock = clock
        self._people = people_now
        self._broker = broker
        self._liveness = liveness
        self._lock = threading.Lock()
        self._found: tuple[CheckupFinding, ...] = ()
        self._looked_at = float("-inf")
        self._recent: RecentEvents | None = None

    def findings(self) -> Sequence[CheckupFinding]:
        """Return what is so now, at most ten seconds old."""
        with self._lock:
            if self._clock.monotonic() - self._looked_at >= FRESH_SECONDS:
                self._found = tuple(self._look(self._clock.now()))
                self._looked_at = self._clock.monotonic()
            return self._found

    def _look(self, now: datetime) -> list[CheckupFinding]:
        settings, recent = self._settings(), self._followed()
        count, unmatched = self._people()
        return [
            parts.guard(settings, recent, is_running=True),
            parts.inputs(settings),
            picture.told(settings.camera, recent),
            self._recognition(recent),
            people.matched(count, unmatched),
            people.rules(settings),
            parts.clock(self._data, now, ZoneInfo(settings.door.timezone)),
            parts.card(self._data, recent),
            self._link(),
            parts.certificate(settings, now),
            people.backup(recent, now),
        ]

    def _followed(self) -> RecentEvents:
        """Return the journal's newest events; after the first time only what is new is read."""
        if self._recent is None:
            self._recent = RecentEvents(self._data)
        else:
            self._recent.follow()
        return self._recent

    def _recognition(self, recent: RecentEvents) -> CheckupFinding:
        """Return what the door said of models and attack detection when it started."""
        match self._liveness:
            case "off":
                return parts.liveness_off()
            case "unavailable":
                event = recent.newest(Kind.HEALTH_LIVENESS)
                problem = "-" if event is None else str(event.data.get("problem", "-"))
                return red("models", "missing", problem=problem, command=parts.INSTALL)
            case "weak":
                return parts.liveness_weak()
            case _:
                return green("models", "works")

    def _link(self) -> CheckupFinding:
        broker = self._broker()
        if broker is None:
            return green("broker", "none")
        if broker.is_connected:
            return green("broker", "fine", address=broker.address)
        return parts.broker_unreached(broker.address, told_of(broker.problem or "-", LINK))
