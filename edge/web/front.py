"""The process that faces the network for a page: TLS, limits and time-outs.

A page is served by two processes. This one, `python -m edge.web.front`, accepts connections, speaks
TLS and reads each request whole; only then is it handed, over a Unix socket, to the process that
owns the door. So whoever floods, stalls or half-opens connections uses up descriptors, memory and
time of a process that can do nothing else, and that the kernel ends first when memory runs out.
It ends with its parent: `stdin` is a pipe that the parent holds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import itertools
import logging
import os
import resource
import socket
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import h11

from edge.runtime.log_limit import set_up_log
from edge.web.between import COOKIE
from edge.web.forwarding import (
    CHUNK_BYTES,
    HOP_BY_HOP,
    SESSION,
    TOO_LARGE,
    answer,
    as_sent,
    cookie_of,
    is_stream,
    set_cookie_of,
)
from edge.web.limits import BodyBudget, KnownBrowsers, Limits, Seats, is_device
from edge.web.live_certificate import LiveCertificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Coroutine, Hashable

logger = logging.getLogger("edge.web.front")  # this module runs as __main__

MOST_HEAD_BYTES = 16 * 1024
UNSENT_BYTES = 256 * 1024
"""Of an answer that a browser has not taken yet."""
OPEN_FILES = 1024
OOM_SCORE = "500"
"""Under memory pressure this process goes before the door's."""
NICENESS = 5
"""The recogniser and the relay go first on a busy board."""
TELL_SECONDS = 60.0
LINGER_SECONDS = 2.0


class RequestRefused(Exception):
    """A request that is answered here and goes no further."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Browser:
    """One connection from the network."""

    seat: int
    address: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_last: bool = False
    """Whether the answer that follows ends the connection."""
    http: h11.Connection = field(
        default_factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD_BYTES)
    )

    async def next_event(self) -> h11.Request | h11.Data | h11.EndOfMessage | h11.ConnectionClosed:
        """Return the next part of a request. Raises `h11.RemoteProtocolError`."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                self.http.receive_data(await self.reader.read(CHUNK_BYTES))
            # Somebody asks on before the answer, or wants another protocol; browsers do neither.
            elif event is h11.PAUSED:
                return h11.ConnectionClosed()
            else:
                assert not isinstance(event, type)  # noqa: S101 - the two signals are handled above
                return event  # type: ignore[return-value]

    async def send(self, event: h11.Event, seconds: float) -> None:
        """Send one part of an answer. Raises `TimeoutError` when the browser does not take it."""
        if data := self.http.send(event):
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), seconds)


class Front:
    """Serves one listening socket until cancelled.

    `upstream` is the path of the Unix socket of the process that answers, `cookie` the name of its session's.
    """

    def __init__(
        self, tls: LiveCertificate, upstream: Path, limits: Limits | None = None, cookie: str = COOKIE
    ) -> None:
        self._cookie = cookie
        self._tls = tls
        self._upstream = upstream
        self._limits = limits or Limits()
        self._seats = Seats(self._limits)
        self._budget = BodyBudget(self._limits)
        self._known = KnownBrowsers()
        self._requests = asyncio.Semaphore(self._limits.requests)
        self._requests_of_device = asyncio.Semaphore(self._limits.requests_of_device)
        self._streams = asyncio.Semaphore(self._limits.streams)
        self._turned_away = 0
        self._numbers = itertools.count()
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._unbegun: set[int] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Accept connections for ever. Who gets no seat is closed before a byte of TLS is read."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        beside = [asyncio.create_task(one) for one in (self._tell(), self._follow_certificate())]
        try:
            while True:
                try:
                    connection, peer = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor left: the backlog waits
                    logger.warning("page: no connection can be taken: %s", error)
                    await asyncio.sleep(1.0)
                    continue
                # A socket for IPv6 shows IPv4 browsers so; limits and log know them by their plain address.
                self._seat(connection, peer[0].removeprefix("::ffff:"))
        finally:
            for task in beside:
                task.cancel()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            turned_away, self._turned_away = self._turned_away, 0
            if turned_away:
                logger.warning("page: %d connections had no seat in the last minute", turned_away)

    async def _follow_certificate(self) -> None:
        while True:
            await asyncio.sleep(self._limits.certificate_seconds)
            await asyncio.to_thread(self._tls.look)  # a card that hangs holds up no browser

    def _seat(self, connection: socket.socket, address: str) -> None:
        """Talk to a newcomer, or close the connection. Called between two steps of the others."""
        seat = next(self._numbers)
        is_seated, displaced = self._seats.take(seat, address)
        if displaced is not None:
            self._turned_away += 1
            self._tasks[displaced].cancel()
        if not is_seated:
            self._turned_away += 1
            connection.close()
            return
        self._unbegun.add(seat)
        task = asyncio.create_task(self._connection(connection, address, seat))
        self._tasks[seat] = task
        task.add_done_callback(functools.partial(self._left, seat, connection))

    def _left(self, seat: int, connection: socket.socket, _: asyncio.Task[None]) -> None:
        self._seats.leave(seat)
        del self._tasks[seat]
        if seat in self._unbegun:  # displaced before its first step: nobody else closes it
            self._unbegun.discard(seat)
            connection.close()

    async def _connection(self, connection: socket.socket, address: str, seat: int) -> None:
        self._unbegun.discard(seat)
        try:
            async with _secured(connection, self._tls.context, self._limits) as (reader, writer):
                await self._talk(Browser(seat, address, reader, writer))
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            logger.debug("page: %s: %s", address, error)

    async def _talk(self, browser: Browser) -> None:
        seconds = self._limits.head_seconds
        while True:
            request = await asyncio.wait_for(browser.next_event(), seconds)
            if not isinstance(request, h11.Request):
                return
            try:
                await self._exchange(browser, request)
            except RequestRefused as refusal:
                await self._refuse(browser, refusal)
                return
            # The answer was cut off, or it said `Connection: close`: this connection takes no further
            # request.
            if browser.http.our_state is not h11.DONE or browser.http.their_state is not h11.DONE:
                return
            browser.http.start_next_cycle()
            self._seats.is_answered(browser.seat)
            seconds = self._limits.idle_seconds

    async def _exchange(self, browser: Browser, request: h11.Request) -> None:
        cookie = cookie_of(request, self._cookie)
        size = self._declared(request)
        most = self._limits.body_bytes_known if cookie in self._known else self._limits.body_bytes
        if size is None or size > most:
            # The page says so in the reader's language, and writes it down; the body stays unread.
            browser.is_last = True
            await self._in_turn(browser, request, b"", cookie, "unknown" if size is None else str(size))
            # A connection that is closed with bytes unread is reset, and the browser then drops our answer.
            await _let_finish(browser.reader)
            return
        if not self._budget.take(size):
            raise RequestRefused(
                HTTPStatus.SERVICE_UNAVAILABLE, "too much is being sent at once; try again soon"
            )
        try:
            body = await self._body(browser, size)
            await self._in_turn(browser, request, body, cookie)
        finally:
            self._budget.give_back(size)

    @staticmethod
    def _declared(request: h11.Request) -> int | None:
        """Return how long the body is said to be, None when it is not said."""
        headers = dict(request.headers)
        if b"transfer-encoding" in headers:
            return None
        return int(headers.get(b"content-length", b"0"))  # h11 has checked that it is a number

    async def _in_turn(
        self, browser: Browser, request: h11.Request, body: bytes, cookie: str, too_large: str = ""
    ) -> None:
        self._seats.asks(browser.seat)
        added = [(TOO_LARGE, too_large.encode())] if too_large else []
        http, sent = as_sent(request, body, [(b"x-forwarded-for", browser.address.encode()), *added])
        if is_stream(request):
            if cookie not in self._known:  # a stranger holds no place for as long as they like
                raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "open the page itself first")
            async with self._stream():
                await _while_there(browser.reader, self._ask(browser, http, sent, cookie))
            return
        async with self._place(browser):
            await self._ask(browser, http, sent, cookie)

    @contextlib.asynccontextmanager
    async def _place(self, browser: Browser) -> AsyncIterator[None]:
        """Hold one of the few places of requests, waiting for it."""
        # The display at the gate has places of its own: browsers cannot keep it waiting.
        places = self._requests_of_device if is_device(browser.address) else self._requests
        try:
            await asyncio.wait_for(places.acquire(), self._limits.answer_seconds)
        except TimeoutError as error:
            raise RequestRefused(
                HTTPStatus.SERVICE_UNAVAILABLE, "the page is busy; try again soon"
            ) from error
        try:
            yield
        finally:
            places.release()

    @contextlib.asynccontextmanager
    async def _stream(self) -> AsyncIterator[None]:
        """Hold one of the places of streams. Nobody waits for one: the page goes on without."""
        if self._streams.locked():
            raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "too many pages are followed; look again")
        async with self._streams:
            yield

    async def _body(self, browser: Browser, size: int) -> bytes:
        if browser.http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[])
            await browser.send(go_on, self._limits.write_seconds)
        seconds = self._limits.body_seconds + size / self._limits.slowest_bytes_a_second
        return await asyncio.wait_for(_whole_body(browser), seconds)

    async def _ask(self, browser: Browser, http: h11.Connection, sent: bytes, cookie: str) -> None:
        """Hand a request on and pass the answer back as it comes."""
        answered = False
        try:
            async with _upstream(self._upstream) as (reader, writer):
                writer.write(sent)
                async for event in answer(http, reader, self._limits.answer_seconds):
                    passed = self._noted(event, cookie, browser) if isinstance(event, h11.Response) else event
                    await browser.send(passed, self._limits.write_seconds)
                    answered = True
        except (ConnectionRefusedError, FileNotFoundError, h11.RemoteProtocolError) as error:
            if answered:
                raise
            text = "the door's page does not answer; try again soon"
            raise RequestRefused(HTTPStatus.BAD_GATEWAY, text) from error

    def _noted(self, response: h11.Response, cookie: str, browser: Browser) -> h11.Response:
        headers = list(response.headers)
        said = next((value for name, value in headers if name == SESSION), None)
        if said is not None:
            # A login gets a new cookie; the answer that sets it says who is known by it.
            self._known.note(set_cookie_of(headers, self._cookie) or cookie, is_logged_in=said == b"known")
        kept = [(name, value) for name, value in headers if name not in HOP_BY_HOP and name != SESSION]
        if browser.is_last:
            kept.append((b"connection", b"close"))
        return h11.Response(status_code=response.status_code, headers=kept, reason=response.reason)

    async def _refuse(self, browser: Browser, refusal: RequestRefused) -> None:
        # Part of an answer has been sent, and HTTP allows no second one: the connection is closed.
        if browser.http.our_state is not h11.SEND_RESPONSE:
            return
        body = f"{refusal}\n".encode()
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=refusal.status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            await browser.send(event, self._limits.write_seconds)


@contextlib.asynccontextmanager
async def _secured(
    connection: socket.socket, tls: ssl.SSLContext, limits: Limits
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give the two ends of a connection after its handshake, and close it whatever happens."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=CHUNK_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            connection,
            ssl=tls,
            ssl_handshake_timeout=limits.handshake_seconds,
            ssl_shutdown_timeout=1.0,
        )
    except BaseException:
        connection.close()
        raise
    transport.set_write_buffer_limits(high=UNSENT_BYTES)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        yield reader, writer
    except BaseException:
        transport.abort()  # nothing more is owed to who stalled
        raise
    else:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), limits.write_seconds)
        transport.abort()


@contextlib.asynccontextmanager
async def _upstream(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _while_there(reader: asyncio.StreamReader, asking: Coroutine[None, None, None]) -> None:
    """Pass a stream on until it ends or the browser leaves: its place is wanted by others."""
    passing, leaving = asyncio.create_task(asking), asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait((passing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not passing.done():
            raise ConnectionResetError("the browser left while it was told news")
        await passing
    finally:
        passing.cancel()
        leaving.cancel()
        await asyncio.gather(passing, leaving, return_exceptions=True)


async def _let_finish(reader: asyncio.StreamReader) -> None:
    """Take what is still being sent and forget it: a browser that is cut off never reads our answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while await reader.read(CHUNK_BYTES):
                pass


async def _whole_body(browser: Browser) -> bytes:
    parts: list[bytes] = []
    while isinstance(event := await browser.next_event(), h11.Data):
        parts.append(bytes(event.data))
    if not isinstance(event, h11.EndOfMessage):
        raise ConnectionResetError("the browser left in the middle of a request")
    return b"".join(parts)


async def _until_parent_ends() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    await reader.read()


async def _run(listener: socket.socket, front: Front) -> None:
    serving = asyncio.create_task(front.serve(listener))
    parent = asyncio.create_task(_until_parent_ends())
    await asyncio.wait((serving, parent), return_when=asyncio.FIRST_COMPLETED)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _give_way() -> None:
    """Bound this process and let the door's go first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    # None of these needs a right, but a sandbox may forbid the call: then the counts here still bound us.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


def main() -> None:
    """Serve the listening socket that the parent handed over, until the parent ends."""
    parser = argparse.ArgumentParser(prog="facegate page", description=__doc__)
    parser.add_argument("--listener", type=int, required=True, help="descriptor of the listening socket")
    parser.add_argument("--upstream", type=Path, required=True, help="Unix socket of the answering process")
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--cookie", default=COOKIE, help="name of the session's cookie")
    wish = parser.parse_args()
    set_up_log()
    _give_way()
    tls = LiveCertificate(wish.certificate, wish.key)
    with socket.socket(fileno=wish.listener) as listener, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(listener, Front(tls, wish.upstream, cookie=wish.cookie)))


if __name__ == "__main__":
    main()
