"""The panel as one ASGI application: every page, who may see it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
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
    views_import,
    views_mode,
    views_overview,
    views_people,
    views_person,
    views_property,
    views_rule_forms,
    views_rules,
    views_screen,
    views_system,
    views_ways,
)
from edge.panel.asking import ALL, INSTALLER, PEOPLE, Ask, view
from edge.panel.desk import Office
from edge.web.guard import HEADERS, RequestGuard
from edge.web.refusals import RefusalKind
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from edge.panel.desk import PanelServices
    from edge.web.accounts import Role

GET, POST = ("GET",), ("POST",)
BOTH = ("GET", "POST")

PERSON = "/residents/{resident_id:path}"

PAGES: tuple[tuple[str, tuple[str, ...], frozenset[Role] | None, Callable[[Ask], Response]], ...] = (
    # path, methods, who (None: nobody needs to be logged in), view
    ("/", GET, ALL, views_overview.home),
    ("/news", GET, ALL, views_overview.news),
    ("/first", BOTH, None, views_entry.first),
    ("/login", BOTH, None, views_entry.login),
    ("/logout", POST, ALL, views_entry.logout),
    ("/session/state", GET, ALL, views_entry.here),
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
    ("/people/new", BOTH, PEOPLE, views_people.new),
    ("/people/import", GET, PEOPLE, views_import.form),
    ("/people/import/look", POST, PEOPLE, views_import.look),
    ("/people/import/store", POST, PEOPLE, views_import.store),
    ("/rules", GET, ALL, views_rules.rules),
    ("/rules/schedule", BOTH, INSTALLER, views_rule_forms.schedule),
    ("/rules/level", BOTH, INSTALLER, views_rule_forms.level),
    ("/rules/level/holders", POST, INSTALLER, views_rule_forms.holders),
    ("/rules/days", BOTH, INSTALLER, views_rule_forms.days),
    ("/rules/look", POST, INSTALLER, views_rules.look),
    ("/rules/put", POST, INSTALLER, views_rules.put),
    ("/failed", GET, ALL, views_people.failed),
    (f"{PERSON}/change", POST, PEOPLE, views_person.change),
    (f"{PERSON}/pin", POST, PEOPLE, views_ways.set_pin),
    (f"{PERSON}/pin/clear", POST, PEOPLE, views_ways.clear_pin),
    (f"{PERSON}/card", POST, PEOPLE, views_ways.give_card),
    (f"{PERSON}/card/remove", POST, PEOPLE, views_ways.take_card),
    (f"{PERSON}/card/state", GET, PEOPLE, views_ways.shown_cards),
    (f"{PERSON}/pass", POST, PEOPLE, views_ways.issue_pass),
    (f"{PERSON}/pass/end", POST, PEOPLE, views_ways.end_pass),
    (f"{PERSON}/invite", POST, PEOPLE, views_property.invite),
    (f"{PERSON}/welcome", POST, PEOPLE, views_person.welcome),
    (f"{PERSON}/withdraw", POST, PEOPLE, views_person.withdraw),
    (f"{PERSON}/leave", POST, PEOPLE, views_person.move_out),
    (f"{PERSON}/number", POST, PEOPLE, views_person.renumber),
    (f"{PERSON}/export", POST, PEOPLE, views_person.export),
    # Must be the last of these: an id may contain a slash, so `:path` matches everything that follows,
    # including `/change`.
    (PERSON, GET, ALL, views_person.resident),
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
    ("/health/clock", POST, INSTALLER, views_door.confirm_clock),
    ("/health/state", GET, ALL, views_door.health_state),
    ("/health/service", POST, INSTALLER, views_property.service),
    ("/models", GET, ALL, views_door.models),
    ("/network", GET, ALL, views_system.network),
    ("/network/certificate.crt", GET, ALL, views_system.certificate),
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

AGAIN: Mapping[Callable[[Ask], Response], Callable[[Ask], Response]] = MappingProxyType(
    {
        views_entry.first: views_entry.first,
        views_people.new: views_people.new,
        views_import.look: views_import.form,
        views_import.store: views_import.form,
        views_rules.look: views_rules.rules,
        views_rules.put: views_rules.rules,
        views_rule_forms.schedule: views_rule_forms.schedule,
        views_rule_forms.level: views_rule_forms.level,
        views_rule_forms.holders: views_rule_forms.level,
        views_rule_forms.days: views_rule_forms.days,
        views_commissioning.prove: views_commissioning.commissioning,
        views_commissioning.release: views_commissioning.commissioning,
        views_person.change: views_person.resident,
        views_person.renumber: views_person.resident,
        views_person.withdraw: views_person.resident,
        views_person.move_out: views_person.resident,
        views_ways.set_pin: views_person.resident,
        views_ways.give_card: views_person.resident,
        views_ways.take_card: views_person.resident,
        views_ways.issue_pass: views_person.resident,
        views_ways.end_pass: views_person.resident,
        views_screen.display: views_screen.display,
        views_system.make_backup: views_system.backup,
        views_enrol.start: views_enrol.form,
        views_enrol.photos: views_enrol.form,
        views_enrol.save: views_enrol.now,
        views_entry.accounts: views_entry.account_list,
    }
)
"""Where the form stands that a view takes: it is shown again, with what was typed, when it is refused."""


def make_app(desk: PanelServices) -> Starlette:
    """Return the panel of one door. Views run in worker threads; stores must allow any thread."""
    office = Office.of(desk)
    routes = [
        Route(path, view(act, office, roles, AGAIN.get(act)), methods=list(methods))
        for path, methods, roles, act in PAGES
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

    broken = view(lambda ask: ask.failed(500, message("error.unexpected")), office, None)

    async def failed_inside(request: Request, _: Exception) -> Response:
        answer = await broken(request)
        answer.headers.update(HEADERS)  # the guard, which adds them else, has been left by the error
        return answer

    return Starlette(
        routes=[*routes, static],
        middleware=[Middleware(RequestGuard, refusals=office.refusals)],
        exception_handlers={404: not_found, 405: not_in_this_way, 500: failed_inside},
    )
