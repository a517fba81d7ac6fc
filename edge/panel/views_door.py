"""What the door does: its test, the camera's picture, and the threshold."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from edge.errors import PanelRefused
from edge.events import EventGroup, Kind
from edge.findings import Light
from edge.panel.asking import no_picture
from edge.panel.picture import picture_facts
from edge.panel.telling import seen_events, told
from edge.panel.views_people import enrolled
from edge.panel.views_property import NEXT_DAYS, PARTS
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.asking import Ask

LOOK_BACK = 12
SENSED: Mapping[str, Kind] = MappingProxyType(
    {
        "door_opened": Kind.DOOR_OPENED,
        "door_closed": Kind.DOOR_CLOSED,
        "rex": Kind.DOOR_REX,
        "bell": Kind.DOOR_BELL,
        "tamper": Kind.DOOR_TAMPER,
        "fire": Kind.DOOR_FIRE_ALARM,
    }
)
"""What an installer tries one after the other, and the events that show that it arrived."""

READ_WITHIN = timedelta(minutes=15)
"""A page that was left open is older than this."""

DARK, BRIGHT = 60.0, 200.0
"""Mean brightness of the picture's middle, of 255: well inside the 30 to 235 that a face must have."""

GALLERY_SIZES = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
PLOT_WIDTH, PLOT_HEIGHT, PLOT_EDGE = 640, 320, 56
SHOWN_SIMILARITIES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def test(ask: Ask) -> Response:
    """Return the door test: what the sensors say now, the newest messages, and a button."""
    found = list(islice(seen_events(ask, None, EventGroup.DOOR), LOOK_BACK))
    seconds = ask.desk.rules().unlock_seconds if ask.request.query_params.get("opened") else 0
    return ask.page(
        "test.html",
        shown=told(ask, found),
        can_pulse=ask.desk.pulse is not None,
        now=sensed(ask),
        opened=f"{seconds:g}" if seconds else "",
    )


def test_state(ask: Ask) -> Response:
    """Return what the sensors say now, as JSON."""
    return JSONResponse(sensed(ask))


def pulse(ask: Ask) -> Response:
    """Open once, logged before it happens."""
    if ask.desk.pulse is None:
        raise PanelRefused(message("panel.no_relay"))
    if ask.form.get("sure") != "yes":
        raise PanelRefused(message("panel.pulse_sure"))
    with ask.desk.doing(Kind.PANEL_DOOR_TEST, by=ask.session.user):
        ask.desk.pulse()
    return ask.to("/test?opened=yes")


def health(ask: Ask) -> Response:
    """Return what the camera shows now, for focus and exposure, and the newest messages about health."""
    found = list(islice(seen_events(ask, None, EventGroup.HEALTH), LOOK_BACK))
    findings = ask.desk.findings()
    in_doubt = any(one.name == "clock" and one.light is not Light.GREEN for one in findings)
    may_confirm = in_doubt and ask.desk.confirm_clock is not None
    return ask.page(
        "health.html",
        picture=_picture(ask),
        findings=findings,
        shown=told(ask, found),
        clock=ask.desk.clock.now() if may_confirm else None,
        parts=PARTS,
        next_days=NEXT_DAYS,
    )


def confirm_clock(ask: Ask) -> Response:
    """Take a person's word that the time they were shown is right, logged before it counts.

    The word is about that time: a clock that has leapt since is not meant by it.
    """
    confirm, now = ask.desk.confirm_clock, ask.desk.clock.now()
    if confirm is None:
        raise PanelRefused(message("panel.no_door"))
    try:
        shown = datetime.fromisoformat(ask.form.get("shown", ""))
        is_meant = abs(now - shown) <= READ_WITHIN
    except (ValueError, TypeError):
        is_meant = False
    if not is_meant:
        raise PanelRefused(message("panel.clock_changed"))
    with ask.desk.doing(Kind.CLOCK_CONFIRMED, by=ask.session.user):
        confirm()
    return ask.to("/health", message("panel.clock_taken"))


def health_state(ask: Ask) -> Response:
    """Return sharpness and brightness of the newest frame, as JSON."""
    return JSONResponse(_picture(ask))


def models(ask: Ask) -> Response:
    """Return the threshold now, and how it grows with the gallery."""
    known = ask.desk.residents.enrolled_with(ask.desk.recogniser.model_id)
    count = len(known & enrolled(ask.desk))  # whom the door compares with: its log tells the same number
    point = ask.desk.recogniser.point(max(count, 1))
    curve = [(size, ask.desk.recogniser.point(size).threshold) for size in GALLERY_SIZES]
    here = (count, point.threshold, *_place(min(max(count, 1), 100_000), point.threshold))
    return ask.page(
        "models.html",
        count=count,
        point=point,
        plot=[(size, value, *_place(size, value)) for size, value in curve],
        here=here,
        lines=[(value, _place(1, value)[1]) for value in SHOWN_SIMILARITIES],
        size=(PLOT_WIDTH, PLOT_HEIGHT, PLOT_EDGE),
    )


def sensed(ask: Ask) -> dict[str, Any]:
    """Return the door's state and when each input last told something, in the reader's words."""
    state = dict(ask.desk.door()) if ask.desk.door else {}
    names = ("contact", "lock", "secured")
    now = [
        {"name": ask.say(f"state_{one}"), "value": ask.known(f"is_{state[one]}")}
        for one in names
        if one in state
    ]
    found = list(islice(seen_events(ask, None, EventGroup.DOOR), 200))
    last = []
    for name, kind in SENSED.items():
        event = next((one for one in found if one.kind == kind), None)
        when = ask.local(event.at, "%m-%d %H:%M:%S") if event else ""
        last.append(
            {"name": ask.say(f"sensed_{name}"), "value": when or ask.say("not_yet"), "is_seen": bool(event)}
        )
    return {"now": now, "last": last}


def _picture(ask: Ask) -> dict[str, Any]:
    feed = ask.desk.studio.feed
    feed.lease()
    frame = feed.newest()
    if frame is None:
        return {
            "text": no_picture(ask, feed.problem),
            "sharpness": None,
            "brightness": None,
        }
    facts = picture_facts(frame.image)
    word = (
        "picture_dark"
        if facts.brightness < DARK
        else "picture_bright"
        if facts.brightness > BRIGHT
        else "picture_good"
    )
    return {
        "text": ask.say(word),
        "sharpness": round(facts.sharpness),
        "brightness": round(facts.brightness),
        "size": f"{facts.width} × {facts.height}",
    }


def _place(size: int, threshold: float) -> tuple[float, float]:
    """Return where a point of the curve lies in the plot: logarithmic across, similarity 0.2 to 0.8 up."""
    # Five decades: the largest gallery drawn is 100,000, which is also where `models` ends the door's own
    # point.
    across = math.log10(size) / 5
    up = min(max((threshold - 0.2) / 0.6, 0.0), 1.0)
    x = PLOT_EDGE + across * (PLOT_WIDTH - 2 * PLOT_EDGE)
    return round(x, 1), round(PLOT_HEIGHT - PLOT_EDGE - up * (PLOT_HEIGHT - 2 * PLOT_EDGE), 1)
