"""Answers that go on while a page is open: few at once, given up when nobody reads, ended with the server."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.web.between import COOKIE, SESSION_HEADER
from edge.web.limits import Limits
from edge.web.server import PanelThread, Served
from edge.web.tls import own_certificate
from tests.loopback import free_port
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

FOLLOWS = {"Accept": "text/event-stream"}
CHUNK = b"x" * 65_536


class Street:
    """An application that tells news, and remembers how each telling went."""

    def __init__(self) -> None:
        self.told = 0
        self.ends: list[str] = []
        routes = [Route(f"/{act.__name__}", act) for act in (self.ticks, self.flood, self.hello)]
        self.app = Starlette(routes=routes)

    async def hello(self, _: Request) -> Response:
        """Say hello to somebody who is logged in from then on, as the page would."""
        return PlainTextResponse(
            "hello", headers={SESSION_HEADER: "known", "Set-Cookie": f"{COOKIE}=anna; Path=/; Secure"}
        )

    async def ticks(self, request: Request) -> Response:
        return StreamingResponse(self._telling(request, b"data: tick\n\n", 0.02))

    async def flood(self, request: Request) -> Response:
        return StreamingResponse(self._telling(request, CHUNK, 0))

    async def _telling(self, request: Request, line: bytes, seconds: float) -> AsyncIterator[bytes]:
        how = "left"
        try:
            while not getattr(request.app.state, "is_ending", False):
                self.told += 1
                yield line
                await asyncio.sleep(seconds)
            how = "server ended"
        finally:
            self.ends.append(how)


class Corner:
    """The street's page on the network."""

    def __init__(self, folder) -> None:
        certificate, key, _ = own_certificate(folder, ["127.0.0.1"])
        self.street = Street()
        address = ("127.0.0.1", free_port())
        self.thread = PanelThread(address, lambda _: Served(self.street.app, certificate, key), print)
        self.thread.start()
        limits = httpx.Limits(max_connections=None)
        base = f"https://127.0.0.1:{address[1]}"
        self.client = httpx.Client(base_url=base, verify=False, timeout=PATIENCE, limits=limits)
        wait_until(self.answers, "the page answers")

    def answers(self) -> bool:
        try:
            return self.client.get("/hello").text == "hello"
        except httpx.TransportError:
            return False

    def follow(self, stack: ExitStack, path: str = "/ticks") -> httpx.Response:
        return stack.enter_context(self.client.stream("GET", path, headers=FOLLOWS))


@pytest.fixture
def corner(tmp_path) -> Iterator[Corner]:
    made = Corner(tmp_path)
    yield made
    made.client.close()
    made.thread.stop()


def test_news_arrive_as_they_come(corner):
    with ExitStack() as stack:
        lines = corner.follow(stack).iter_lines()
        assert [next(lines) for _ in range(3)] == ["data: tick", "", "data: tick"]


def test_few_are_told_at_once_and_all_others_are_answered(corner):
    """Whoever gets no place hears so at once; requests have places of their own."""
    most = Limits().streams
    with ExitStack() as stack:
        assert [corner.follow(stack).status_code for _ in range(most)] == [200] * most
        assert corner.client.get("/ticks", headers=FOLLOWS).status_code == 503
        assert corner.answers()


def test_a_stranger_is_told_nothing_and_takes_no_place(corner):
    corner.client.cookies.clear()
    for _ in range(2 * Limits().streams):
        assert corner.client.get("/ticks", headers=FOLLOWS).status_code == 503
    assert corner.street.told == 0
    assert corner.answers()
    with ExitStack() as stack:
        assert corner.follow(stack).status_code == 200


def test_a_browser_that_leaves_frees_its_place(corner):
    most = Limits().streams
    with ExitStack() as stack:
        for _ in range(most):
            corner.follow(stack)
    wait_until(lambda: corner.street.ends == ["left"] * most, "all are let go")
    with ExitStack() as stack:
        assert corner.follow(stack).status_code == 200


def test_a_browser_that_reads_nothing_holds_up_nobody(corner):
    """What it does not take is not made: the telling waits with it, and nothing else does."""
    with ExitStack() as stack:
        corner.follow(stack, "/flood")
        told = -1
        while told != corner.street.told:
            told = corner.street.told
            assert corner.answers()
            corner.client.get("/hello")
        assert told * len(CHUNK) < 32 * 1024 * 1024


def test_the_server_does_not_wait_for_who_is_told_news(corner):
    with ExitStack() as stack:
        corner.follow(stack)
        wait_until(lambda: corner.street.told > 0, "it is told")
        corner.thread.stop()
        assert corner.street.ends == ["server ended"]
