"""The panel as one ASGI application: every page, who may see it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge.panel import (
    views_commissioning,
    views_door,
    views_enrol,
    views_entry,
    views_events,
    views_mode,
    views_people,
    views_screen,
    views_system,
)
from edge.panel.asking import ALL, INSTALLER, PEOPLE, Ask, view
from edge.panel.desk import Office
from edge.web.guard import RequestGuard
from edge.web.refusals import RefusalKind
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.panel.desk import PanelServices
    from edge.web.accounts import Role

GET, POST = ("GET",), ("POST",)
BOTH = ("GET", "POST")

PAGES: tuple[tuple[str, tuple[str, ...], frozenset[Role] | None, Callable[[Ask], Response]], ...] = (
    # path, methods, who (None: nobody needs to be logged in), view
    ("/", GET, ALL, views_entry.home),
    ("/first", BOTH, None, views_entry.first),
    ("/login", BOTH, None, views_entry.login),
    ("/logout", POST, ALL, views_entry.logout),
    ("/language/{code}", GET, None, views_entry.language),
    ("/accounts", BOTH, INSTALLER, views_entry.accounts),
    ("/enrol", GET, PEOPLE, views_enrol.form),
    ("/enrol/mode", POST, INSTALLER, views_mode.mode),
    ("/enrol/start", POST, PEOPLE, views_enrol.start),
    ("/enrol/photos", POST, PEOPLE, views_enrol.photos),
    ("/enrol/now", GET, PEOPLE, views_enrol.now),
    ("/enrol/state", GET, PEOPLE, views_enrol.state),
    ("/enrol/save", POST, PEOPLE, views_enrol.save),
    ("/enrol/discard", POST, PEOPLE, views_enrol.discard),
    ("/live", GET, PEOPLE, views_enrol.live),
    ("/live.jpg", GET, PEOPLE, views_enrol.live_jpeg),
    ("/live/state", GET, PEOPLE, views_enrol.live_state),
    ("/residents", GET, ALL, views_people.residents),
    ("/failed", GET, ALL, views_people.failed),
    ("/residents/{resident_id:path}/change", POST, PEOPLE, views_people.change),
    ("/residents/{resident_id:path}/welcome", POST, PEOPLE, views_people.welcome),
    ("/residents/{resident_id:path}/withdraw", POST, PEOPLE, views_people.withdraw),
    ("/residents/{resident_id:path}/export", POST, PEOPLE, views_people.export),
    ("/residents/{resident_id:path}", GET, ALL, views_people.resident),
    ("/events", GET, ALL, views_events.events),
    ("/events.csv", GET, ALL, views_events.table),
    ("/commissioning", GET, INSTALLER, views_commissioning.commissioning),
    ("/commissioning", POST, INSTALLER, views_commissioning.prove),
    ("/commissioning/release", POST, INSTALLER, views_commissioning.release),
    ("/commissioning/sheet", GET, INSTALLER, views_commissioning.sheet),
    ("/test", GET, PEOPLE, views_door.test),
    ("/test/state", GET, PEOPLE, views_door.test_state),
    ("/test/pulse", POST, INSTALLER, views_door.pulse),
    ("/health", GET, ALL, views_door.health),
    ("/health/state", GET, ALL, views_door.health_state),
    ("/models", GET, ALL, views_door.models),
    ("/network", GET, ALL, views_system.network),
    ("/backup", GET, INSTALLER, views_system.backup),
    ("/backup/make", POST, INSTALLER, views_system.make_backup),
    ("/about", GET, ALL, views_system.about),
    ("/display", BOTH, PEOPLE, views_screen.display),
    # The display at the gate: nobody logs in there, and only the device itself is served.
    ("/screen", GET, None, views_screen.screen),
    ("/screen/state", GET, None, views_screen.screen_state),
    ("/screen/pin", POST, None, views_screen.pin),
    ("/screen/ring", POST, None, views_screen.ring),
)


def make_app(desk: PanelServices) -> Starlette:
    """Return the panel of one door. Views run in worker threads; stores must allow any thread."""
    office = Office.of(desk)
    routes = [
        Route(path, view(act, office, roles), methods=list(methods)) for path, methods, roles, act in PAGES
    ]
    static = Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))

    def missing(ask: Ask) -> Response:
        ask.refused(RefusalKind.NOT_FOUND)
        return ask.failed(404, message("panel.not_found"))

    nowhere = view(missing, office, None)

    async def not_found(request: Request, _: Exception) -> Response:
        return await nowhere(request)

    other_way = view(lambda ask: ask.failed(405, message("error.request_method")), office, None)

    async def not_in_this_way(request: Request, _: Exception) -> Response:
        return await other_way(request)

    return Starlette(
        routes=[*routes, static],
        middleware=[Middleware(RequestGuard, refusals=office.refusals)],
        exception_handlers={404: not_found, 405: not_in_this_way},
    )
