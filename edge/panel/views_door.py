"""What the door does and did: events, tests, health, threshold, and the screen at the gate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from edge.domain import Reason
from edge.enrol.guidance import GUIDANCE, Guidance
from edge.errors import PanelRefused
from edge.panel.picture import picture_facts
from edge.policy.explain import explain

if TYPE_CHECKING:
    from edge.domain import DoorEvent
    from edge.panel.asking import Ask

PAGE_ROWS = 50
LOOK_BACK = 20
SCREEN_SECONDS = 5.0
"""How long the screen at the gate shows what was decided."""

ADVICE = {
    Reason.NOT_FACING: Guidance.LOOK_HERE,
    Reason.LOW_QUALITY: Guidance.HOLD_STILL,
    Reason.PAD_NO_RESPONSE: Guidance.UNCOVER,
}
"""What helps at once, by reason; everything else is told to use another way in."""

LOOPBACK = frozenset({"127.0.0.1", "::1"})
GALLERY_SIZES = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
PLOT_WIDTH, PLOT_HEIGHT, PLOT_EDGE = 600, 280, 44


def events(ask: Ask) -> Response:
    """Return a page of events, newest first, each told in words."""
    params = ask.request.query_params
    before = int(params["before"]) if params.get("before", "").isdecimal() else None
    kind = params.get("kind", "")[:64]
    found = ask.desk.events(before, PAGE_ROWS)
    shown = [(event, explain(event, ask.language)) for event in found if event.kind.startswith(kind)]  # type: ignore[arg-type]
    oldest = found[-1].seq if len(found) == PAGE_ROWS else None
    return ask.page("events.html", shown=shown, oldest=oldest, kind=kind)


def test(ask: Ask) -> Response:
    """Return the door test: the newest messages of sensors and lock, and a button."""
    found = [one for one in ask.desk.events(None, 200) if one.kind.startswith(("door.", "lock."))]
    shown = [(event, explain(event, ask.language)) for event in found[:LOOK_BACK]]  # type: ignore[arg-type]
    return ask.page("test.html", shown=shown, can_pulse=ask.desk.pulse is not None)


def pulse(ask: Ask) -> Response:
    """Open once, logged before it happens."""
    if ask.desk.pulse is None:
        raise PanelRefused(ask.say("no_relay"))
    ask.desk.note("panel.door_test", by=ask.session.user)
    ask.desk.pulse()
    return ask.to("/test")


def health(ask: Ask) -> Response:
    """Return what the camera shows now, for focus and exposure, and the newest alarms."""
    feed = ask.desk.studio.feed
    feed.lease()
    frame = feed.newest()
    picture = None if frame is None else picture_facts(frame.image)
    found = [one for one in ask.desk.events(None, 200) if one.kind.startswith(("health.", "service."))]
    shown = [(event, explain(event, ask.language)) for event in found[:LOOK_BACK]]  # type: ignore[arg-type]
    return ask.page("health.html", picture=picture, problem=feed.problem, shown=shown)


def models(ask: Ask) -> Response:
    """Return the threshold now, and how it grows with the gallery."""
    count = len(ask.desk.residents.list())
    point = ask.desk.recogniser.point(max(count, 1))
    curve = [(size, ask.desk.recogniser.point(size).threshold) for size in GALLERY_SIZES]
    plot = [(size, value, *_place(size, value)) for size, value in curve]
    return ask.page("models.html", count=count, point=point, plot=plot, size=(PLOT_WIDTH, PLOT_HEIGHT))


def about(ask: Ask) -> Response:
    """Return versions, licences, hashes and what protects the templates."""
    return ask.page("about.html", facts=ask.desk.facts)


def screen(ask: Ask) -> Response:
    """Return the page for the small display at the gate; only the device itself may show it."""
    _require_own_display(ask)
    return ask.page("screen.html", shown=_shown_now(ask))


def screen_state(ask: Ask) -> Response:
    """Return what the display shows now, as JSON."""
    _require_own_display(ask)
    return JSONResponse(_shown_now(ask))


def _require_own_display(ask: Ask) -> None:
    if ask.address not in LOOPBACK:
        raise PanelRefused("this page is for the display at the door")


def _shown_now(ask: Ask) -> dict[str, str]:
    """Return the words for the newest decision, while it is fresh; nobody's name is shown."""
    newest = next((one for one in ask.desk.events(None, LOOK_BACK) if one.kind.startswith("access.")), None)
    if newest is None or (ask.desk.clock.now() - newest.at).total_seconds() > SCREEN_SECONDS:
        return {"state": "idle", "title": ask.desk.door_id, "text": ask.say("screen_idle")}
    if newest.kind == "access.granted":
        return {"state": "granted", "title": ask.say("screen_welcome"), "text": ""}
    return {"state": "denied", "title": ask.say("screen_refused"), "text": _what_next(ask, newest)}


def _what_next(ask: Ask, event: DoorEvent) -> str:
    """Return what to do now: one short sentence that is read in passing."""
    guidance = ADVICE.get(Reason(event.reason)) if event.reason in set(Reason) else None
    return GUIDANCE[guidance].in_(ask.language) if guidance else ask.say("screen_next")


def _place(size: int, threshold: float) -> tuple[float, float]:
    """Return where a point of the curve lies in the plot: logarithmic across, similarity 0.2 to 0.8 up."""
    across = (math.log10(size) - 1) / 4
    up = min(max((threshold - 0.2) / 0.6, 0.0), 1.0)
    x = PLOT_EDGE + across * (PLOT_WIDTH - 2 * PLOT_EDGE)
    return round(x, 1), round(PLOT_HEIGHT - PLOT_EDGE - up * (PLOT_HEIGHT - 2 * PLOT_EDGE), 1)
