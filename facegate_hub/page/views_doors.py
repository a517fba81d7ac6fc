"""Doors as residents see them: what is wrong now, ninety days, how long repairs take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.uptime import DAY

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.community.uptime import DoorRecord
    from facegate_hub.web.asking import PageAsk


def doors(ask: PageAsk) -> Response:
    """Return every door with its ninety days."""
    return ask.page("doors.html", doors=ask.office.doors.read(), marks=marks, day=DAY)


def marks(door: DoorRecord) -> dict[str, str]:
    """Return the path of each colour of a strip of ninety marks: `good`, `bad`, and `none` for before."""
    paths = {"good": "", "bad": "", "none": ""}
    for number, seconds in enumerate(door.days):
        colour = "none" if seconds is None else "bad" if seconds else "good"
        paths[colour] += f"M{number * 3}.5 0v20"
    return paths
