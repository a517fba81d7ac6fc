"""What every request passes: a size limit before a byte is read, and headers that bind the browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse

from edge.web.between import LANGUAGE_COOKIE, TOO_LARGE_HEADER
from edge.web.refusals import RefusalKind
from edge.words import nearest, say, tag

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge.web.refusals import RefusalLog

MOST_BODY_BYTES = 8 * 1024 * 1024
"""Eight phone photos, shrunk, or one as it is; nothing else the panel takes is larger."""

CSP = (
    "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send "Origin: null" from our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class RequestGuard:
    """ASGI middleware. Refuses bodies that are too large or do not say how large they are; logs it."""

    def __init__(self, app: ASGIApp, refusals: RefusalLog) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it with 411 or 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = _refusal(Headers(scope=scope))
        handler = self._app if refusal is None else refusal
        if refusal is not None:
            address = scope["client"][0] if scope.get("client") else "?"
            await run_in_threadpool(self._refusals.tell, RefusalKind.TOO_LARGE, address, scope["path"])
        await handler(scope, _Limited(receive).receive, _with_headers(send))


class _Limited:
    """Cuts a body off that is longer than it said."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seen = 0

    async def receive(self) -> Message:
        message = await self._receive()
        # Content-Length was checked before; this holds when the body is longer than it says.
        self._seen += len(message.get("body", b""))
        if self._seen > MOST_BODY_BYTES:
            return {"type": "http.disconnect"}
        return message


def _page(told: str, status: int, language: str) -> HTMLResponse:
    """Return a page of its own: the request was not read, so nobody knows who asks."""
    back = escape(say("panel.go_back", language))
    text = (
        f'<!doctype html><html lang="{tag(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>facegate</title>'
        '<link rel="stylesheet" href="/static/panel.css"></head><body><div class="alone"><main>'
        f"<h1>{escape(say('panel.not_shown', language))}</h1>"
        f'<p role="alert" class="bad">{escape(told)}</p><p>{back}</p></main></div></body></html>'
    )
    return HTMLResponse(text, status)


def _refusal(headers: Headers) -> HTMLResponse | None:
    said = headers.get(TOO_LARGE_HEADER, "")  # from the process that faces the network
    chosen = cookie_parser(headers.get("cookie", "")).get(LANGUAGE_COOKIE)
    language = nearest(chosen or headers.get("accept-language", ""))
    if said == "unknown" or "transfer-encoding" in headers:
        return _page(say("error.request_length", language), 411, language)
    length = headers.get("content-length", "0")
    if said or not length.isdecimal() or int(length) > MOST_BODY_BYTES:
        return _page(say("error.request_size", language, most=f"{MOST_BODY_BYTES >> 20} MB"), 413, language)
    return None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
