"""A way in without a code, for the demo alone: a random path that lets one browser in as somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from facegate_hub.community.book import Doer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request

    from facegate_hub.community.devices import Devices


def with_way_in(app: Starlette, devices: Devices, cookie: str, paths: Mapping[str, str]) -> Starlette:
    """Return the application with `/demo/PATH` for each holder; nothing but the demo calls this."""
    holders = {path: holder for holder, path in paths.items()}

    def way_in(request: Request) -> Response:
        holder = holders.get(request.path_params["path"])
        if holder is None:
            return PlainTextResponse("no such way in", 404)
        kind, _, identity = holder.partition(":")
        token = devices.begin(Doer(kind, identity), "demo")
        response = RedirectResponse("/", 303)
        response.set_cookie(cookie, token, path="/", secure=True, httponly=True, samesite="lax")
        return response

    app.router.routes.insert(0, Route("/demo/{path}", way_in))
    return app
