"""Makes an ASGI application of a table of pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.web.between import LANGUAGE_COOKIE
from edge.web.guard import RequestGuard
from edge.web.refusals import RefusalKind
from edge.words import message, nearest
from facegate_hub.web.asking import ANYBODY, PageAsk, Who, view
from facegate_hub.web.files import static_file
from facegate_hub.web.form_pages import FormPages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from facegate_hub.web.office import WebOffice

OWN_PATH = re.compile(r"/(?:[a-z]+(?:/[\w.-]{1,64}){0,3})?", re.ASCII)
"""Where a change of language may lead back to: a page of ours, never another site."""

PageRow = tuple[str, tuple[str, ...], Who, "Callable[[PageAsk], Response]"]
"""Path, methods, who may see it, view."""


def make_application(office: WebOffice, pages: Sequence[PageRow]) -> Starlette:
    """Return the application; views run in worker threads."""
    table = (*pages, ("/language/{code}", ("GET",), ANYBODY, language))
    forms = FormPages(table)
    routes = [
        Route(path, view(act, office, who, forms), methods=list(methods)) for path, methods, who, act in table
    ]
    routes.append(Route("/static/{name}", static_file))

    def missing(ask: PageAsk) -> Response:
        ask.refused(RefusalKind.NOT_FOUND)
        return ask.failed(404, message("panel.not_found"))

    nowhere = view(missing, office, ANYBODY)
    other_way = view(lambda ask: ask.failed(405, message("error.request_method")), office, ANYBODY)

    async def not_found(request: Request, _: Exception) -> Response:
        request.scope["method"] = "GET"  # a form to nowhere is not read
        return await nowhere(request)

    async def not_in_this_way(request: Request, _: Exception) -> Response:
        # As above: `view` would read a POST's form and refuse it for its token before it says 405.
        request.scope["method"] = "GET"
        return await other_way(request)

    broken = view(lambda ask: ask.failed(500, message("community.refused.broken")), office, ANYBODY)

    async def broke(request: Request, _: Exception) -> Response:
        request.scope["method"] = "GET"
        return await broken(request)

    app = Starlette(
        routes=routes,
        middleware=[Middleware(RequestGuard, refusals=office.refusals)],
        exception_handlers={404: not_found, 405: not_in_this_way, Exception: broke},
    )
    app.state.cookie = office.cookie
    return app


def language(ask: PageAsk) -> Response:
    """Change the language and go back to the page where that was asked for."""
    code = nearest(ask.request.path_params["code"])
    back = ask.request.query_params.get("back", "")
    response = RedirectResponse(back if OWN_PATH.fullmatch(back) else "/", 303)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, secure=True, samesite="strict")
    return response
