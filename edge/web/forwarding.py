"""A request handed from the process that faces the network to the one that answers, and its answer back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import h11

from edge.web import between
from edge.web.between import COOKIE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

CHUNK_BYTES = 64 * 1024
SESSION = between.SESSION_HEADER.encode()
TOO_LARGE = between.TOO_LARGE_HEADER.encode()

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"upgrade", b"te", b"trailer", b"proxy-connection"})
"""Headers that are about one connection, not about the request."""
OURS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"expect", SESSION, TOO_LARGE})
"""Headers that only this process may set."""

Headers: TypeAlias = list[tuple[bytes, bytes]]


def as_sent(request: h11.Request, body: bytes, added: Headers) -> tuple[h11.Connection, bytes]:
    """Return the request as the answering process gets it, whole, and the connection that reads the answer.

    What browsers say about proxies, or in the two processes' own headers, is not passed on.
    """
    dropped = {*HOP_BY_HOP, *OURS, b"content-length", b"transfer-encoding"}
    headers: Headers = [(name, value) for name, value in request.headers if name not in dropped]
    headers += [
        (b"content-length", b"%d" % len(body)),
        (b"x-forwarded-proto", b"https"),
        (b"connection", b"close"),
        *added,
    ]
    http = h11.Connection(h11.CLIENT)
    parts = [http.send(h11.Request(method=request.method, target=request.target, headers=headers))]
    if body:
        parts.append(http.send(h11.Data(data=body)))
    parts.append(http.send(h11.EndOfMessage()))
    return http, b"".join(part for part in parts if part)


async def answer(
    http: h11.Connection, reader: asyncio.StreamReader, seconds: float
) -> AsyncIterator[h11.Event]:
    """Give an answer's parts up to its end. Raises `h11.RemoteProtocolError` when it is cut off."""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await asyncio.wait_for(reader.read(CHUNK_BYTES), seconds))
            continue
        if isinstance(event, (h11.ConnectionClosed, type)):
            raise h11.RemoteProtocolError("the answer was cut off")
        yield event
        if isinstance(event, h11.EndOfMessage):
            return


def is_stream(request: h11.Request) -> bool:
    """Return whether the answer goes on for as long as the page is open, as an `EventSource` asks for it."""
    return (b"accept", between.STREAM.encode()) in request.headers


def cookie_of(request: h11.Request, name: str = COOKIE) -> str:
    """Return the session's cookie, or nothing."""
    given = b"; ".join(value for header, value in request.headers if header == b"cookie")
    return _value_of(given.decode("latin-1").split(";"), name)


def set_cookie_of(headers: Headers, name: str = COOKIE) -> str:
    """Return the session's cookie that an answer sets, or nothing."""
    said = (value.decode("latin-1").split(";")[:1] for header, value in headers if header == b"set-cookie")
    return next(filter(None, (_value_of(cookie, name) for cookie in said)), "")


def _value_of(cookies: Iterable[str], name: str) -> str:
    # Not by `http.cookies`: it stops at the first cookie that it does not like, and cookies know no ports.
    # One of another program on this host, with JSON in it for example, would hide ours behind it.
    found = ""
    for cookie in cookies:
        given, _, value = cookie.partition("=")
        if given.strip() == name:
            found = value.strip()
    return found
