"""Shows the page again whose form was refused, with what was typed and why."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import compile_path

from edge.errors import FacegateError
from facegate_hub.web.refill import SentForm, refilled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk, Who


class FormPages:
    """The pages of an application that hold its forms: (path, methods, who, view)."""

    def __init__(
        self, pages: Iterable[tuple[str, tuple[str, ...], Who, Callable[[PageAsk], Response]]]
    ) -> None:
        self._pages = [
            (*compile_path(path)[::2], who, act) for path, methods, who, act in pages if "GET" in methods
        ]

    def shown(self, ask: PageAsk, told: str, status: int, why: tuple[str, str] = ("", "")) -> Response | None:
        """Return the page that a refused form was sent from, filled in; None where that is not known.

        It is made anew for who asks, as if they had opened it. `why` is in their words, and in English.
        """
        page = self._made_anew(ask)
        if page is None or page.status_code != 200:
            return None
        said, technical = why
        text = escape(told)
        if said:
            text += f' <span class="words">{escape(said)}</span>'
        if technical:
            text += f' <span lang="en" class="words">{escape(technical)}</span>'
        sent = SentForm(ask.request.url.path, ask.chosen, text, ask.say("to_form"), ask.at)
        filled = refilled(bytes(page.body).decode(), sent)
        return None if filled is None else ask.keep(HTMLResponse(filled, status))

    def _made_anew(self, ask: PageAsk) -> Response | None:
        # Our pages send `Referrer-Policy: same-origin`, so the header names the page that holds the form.
        place = urlsplit(ask.request.headers.get("referer", ""))
        if place.scheme != "https" or place.netloc != ask.host:
            return None
        path = unquote(place.path)
        for pattern, convertors, who, act in self._pages:
            if (found := pattern.match(path)) is None:
                continue
            values = {name: convertors[name].convert(text) for name, text in found.groupdict().items()}
            scope = {**ask.request.scope, "method": "GET", "path": path, "path_params": values}
            scope |= {"raw_path": place.path.encode(), "query_string": place.query.encode()}
            looking = replace(ask, request=Request(scope), form={}, chosen={}, files=[])
            # The page before a log-in form may be one for people who are in; its view counts on that.
            if who.entry_for(looking) is not None or not who.is_allowed(looking):
                return None
            try:
                return act(looking)
            except FacegateError:
                return None  # what the form was about is not there any more
        return None
