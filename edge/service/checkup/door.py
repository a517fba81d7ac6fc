"""The whole look at one door."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edge.findings import CheckupFinding, amber, green, red, typed
from edge.service.checked import problems
from edge.service.checkup import parts, people, picture
from edge.service.checkup.recently import RecentEvents
from edge.service.own_folder import runs_here

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from edge.config.settings import Settings


START = "systemctl enable --now facegate facegate-relay"


def look_at(settings: Settings, data: Path, models: Path, now: datetime) -> list[CheckupFinding]:
    """Return what was found, in the order in which an installer would go on. Takes up to ten seconds.

    `data` is the door's folder, `models` where its models are, `now` aware. While the door runs, camera
    and guard are left to it, and what it last wrote of them counts.
    """
    is_running = runs_here(data)
    recent = RecentEvents(data)
    return [
        *_settings(settings),
        green("service", "runs") if is_running else amber("service", "stopped", command=START),
        parts.guard(settings, recent, is_running),
        parts.inputs(settings),
        picture.told(settings.camera, recent) if is_running else picture.watched(settings.camera),
        parts.models(settings, models),
        parts.liveness(settings, models),
        people.residents(data),
        people.rules(settings, data),
        parts.clock(data, now, ZoneInfo(settings.door.timezone)),
        parts.card(data, recent),
        parts.broker(settings),
        parts.certificate(settings, now),
        parts.page(settings, is_running),
        people.backup(recent, now),
    ]


def _settings(settings: Settings) -> list[CheckupFinding]:
    found = [
        red("settings", "wrong", problem=problem, command=typed("config")) for problem in problems(settings)
    ]
    return found or [green("settings", "fine")]
