"""The process that faces the network: floods, stalls and lies end there."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.web.between import COOKIE, SESSION_HEADER, TOO_LARGE_HEADER
from edge.web.limits import Limits
from edge.web.server import PanelThread, Served
from edge.web.tls import own_certificate
from tests.loopback import free_port
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

MEBIBYTE = 1024 * 1024


async def echo(request: Request) -> Response:
    body = await request.body()
    client = request.client.host if request.client else None
    told = {"client": client, "scheme": request.url.scheme, "size": len(body), **dict(request.headers)}
    return JSONResponse(told)


async def login(_: Request) -> Response:
    response = PlainTextResponse("in", headers={SESSION_HEADER: "known"})
    response.set_cookie(COOKIE, "token", path="/", secure=True)
    return response


async def long(_: Request) -> Response:
    return Response(b"x" * (3 * MEBIBYTE))


APP = Starlette(
    routes=[Route(f"/{act.__name__}", act, methods=["GET", "POST"]) for act in (echo, login, long)]
)


class Site:
    """A page in two processes: ours answers, the other faces the network."""

    def __init__(self, folder: Path) -> None:
        certificate, key, _ = own_certificate(folder, ["127.0.0.1"])
        self.port = free_port()
        self.problems: list[str] = []
        self.thread = PanelThread(
            ("127.0.0.1", self.port), lambda _: Served(APP, certificate, key), self.problems.append
        )
        self.thread.start()
        self.client = httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=False, timeout=PATIENCE)
        self.until_it_answers()

    def until_it_answers(self) -> None:
        """Return when the page answers; a busy machine may need several tries."""

        def answers() -> bool:
            try:
                self.client.get("/echo")
            except httpx.TransportError:
                return False
            return True

        wait_until(answers, "the page answers")

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def secured(self) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the world's authorities: 22 ms each time
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(self.connection())

    def front(self) -> Path:
        """Return the folder in /proc of the half that faces the network, the newest one."""
        found = [
            Path("/proc") / child
            for children in Path(f"/proc/{os.getpid()}/task").glob("*/children")
            for child in children.read_text(encoding="ascii").split()
            if b"edge.web.front" in (Path("/proc") / child / "cmdline").read_bytes()
        ]
        return max(found, key=lambda process: int(process.name))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("page"))
    yield made
    made.client.close()
    made.thread.stop()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_request_arrives_whole_with_the_address_and_the_scheme(site):
    told = site.client.post("/echo", content=b"x" * 1000).json()
    assert (told["client"], told["scheme"], told["size"]) == ("127.0.0.1", "https", 1000)


def test_what_browsers_say_about_proxies_is_not_believed(site):
    lies = {
        "X-Forwarded-For": "10.9.9.9",
        "X-Forwarded-Proto": "http",
        TOO_LARGE_HEADER: "1",
        "Forwarded": "for=1",
    }
    told = site.client.get("/echo", headers=lies).json()
    assert told["client"] == "127.0.0.1"
    assert told["scheme"] == "https"
    assert not {TOO_LARGE_HEADER, "forwarded"} & set(told)


def test_only_who_is_logged_in_gets_a_place_for_as_long_as_a_page_is_open(site):
    """Six strangers with an `EventSource` each would keep everybody else from news."""
    follows = {"Accept": "text/event-stream"}
    with httpx.Client(base_url=site.client.base_url, verify=False, timeout=PATIENCE) as stranger:
        assert stranger.get("/echo", headers=follows).status_code == 503
        assert stranger.post("/echo", headers=follows).status_code == 503
        stranger.get("/login")
        assert stranger.get("/echo", headers=follows).status_code == 200


def test_only_who_is_logged_in_sends_large_bodies_and_is_not_told_so(site):
    large = b"x" * MEBIBYTE
    refused = site.client.post("/echo", content=large)
    assert refused.json()[TOO_LARGE_HEADER] == str(MEBIBYTE)  # the page answers, the body stays unread
    assert refused.json()["size"] == 0

    answer = site.client.get("/login")
    assert SESSION_HEADER not in answer.headers
    told = site.client.post("/echo", content=large, headers={"Cookie": f"{COOKIE}=token"}).json()
    assert told["size"] == MEBIBYTE


@pytest.mark.parametrize("other", ['prefs={"rows":20}', "table[page]=2", "dark", "café=1"])
def test_another_programs_cookie_on_this_host_hides_no_login(site, other):
    """Cookies know no ports: with one that Python's reader stops at, nobody logged in could send a photo."""
    cookies = f"{other}; {COOKIE}=token".encode()
    with httpx.Client(base_url=site.client.base_url, verify=False, timeout=PATIENCE) as browser:
        browser.get("/login")
        browser.cookies.clear()
        told = browser.post("/echo", content=b"x" * MEBIBYTE, headers=[(b"cookie", cookies)]).json()
    assert told["size"] == MEBIBYTE


def test_a_body_without_a_length_is_told_to_the_page_and_not_read(site):
    told = site.client.post("/echo", content=iter([b"a", b"b"])).json()
    assert (told[TOO_LARGE_HEADER], told["size"]) == ("unknown", 0)


def test_a_long_answer_arrives_whole(site):
    assert len(site.client.get("/long").content) == 3 * MEBIBYTE


def test_silent_connections_keep_nobody_out(site):
    with ExitStack() as silent:
        for _ in range(Limits().for_device):
            silent.enter_context(site.secured())
        site.until_it_answers()


def test_connections_that_never_begin_keep_nobody_out_and_cost_this_process_nothing(site):
    before = open_files()
    with ExitStack() as flood:
        for _ in range(300):
            flood.enter_context(site.connection())
        site.until_it_answers()
        assert open_files() - before - 300 < 20


def test_a_phone_that_leaves_in_the_middle_of_a_request_leaves_no_trace(site):
    for _ in range(100):
        with site.secured() as phone:
            phone.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc")
    site.until_it_answers()


def test_uploads_of_strangers_take_no_memory(site):
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (8 * MEBIBYTE)

    def upload() -> None:
        with contextlib.suppress(OSError), site.secured() as browser:
            browser.sendall(head)
            browser.sendall(b"x" * (8 * MEBIBYTE))

    uploads = [threading.Thread(target=upload) for _ in range(20)]
    for one in uploads:
        one.start()
    for one in uploads:
        one.join()
    status = (site.front() / "status").read_text(encoding="ascii")
    peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0])
    assert peak < 100 * 1024  # kB; the bodies together were 160 MiB
    site.until_it_answers()


@pytest.mark.parametrize(
    "nonsense", [b"\0" * 200, b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\n\r\n", b"a" * 40_000, b"\x80\r\n\r\n"]
)
def test_nonsense_ends_its_own_connection_alone(site, nonsense):
    with site.secured() as browser, contextlib.suppress(OSError):
        browser.sendall(nonsense)
        while browser.recv(4096):
            pass
    site.until_it_answers()


def test_the_half_that_faces_the_network_is_started_again(tmp_path):
    site = Site(tmp_path)
    os.kill(int(site.front().name), signal.SIGKILL)
    site.until_it_answers()
    wait_until(lambda: any("ended" in problem for problem in site.problems), "the page says so")
    site.client.close()
    site.thread.stop()


def test_it_ends_with_its_parent(tmp_path):
    site = Site(tmp_path)
    front = site.front()
    site.client.close()
    site.thread.stop()
    assert not front.exists()


def test_a_page_looks_after_its_certificate_for_as_long_as_it_is_served(tmp_path):
    """One of the page's own is good for two years and a quarter, and a door may run for longer."""
    certificate, key, _ = own_certificate(tmp_path, ["127.0.0.1"])
    looks: list[int] = []

    def renew() -> None:
        looks.append(len(looks))
        raise OSError("the card fails")  # once more all the same

    served = Served(APP, certificate, key, renew=renew, renew_seconds=0.05)
    thread = PanelThread(("127.0.0.1", free_port()), lambda _: served, print)
    thread.start()
    wait_until(lambda: len(looks) > 1, "a second look")
    thread.stop()
