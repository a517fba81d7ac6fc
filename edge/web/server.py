"""The process that answers for a page, and its other half that faces the network (`edge.web.front`).

HTTPS only, few connections, no word about what serves it. What this process gets over its Unix
socket are whole requests of bounded size; whoever attacks the network's side cannot reach further.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from edge.errors import AddressTaken, FacegateError
from edge.runtime.worker import lower_priority
from edge.scratch import memory_folder
from edge.web.between import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 32
"""From the other half, which hands on at most a dozen requests at once."""

RETRY_SECONDS = 10.0
"""Between two tries to serve: an address may come up late, a certificate may be put right."""

RESTART_SECONDS = 1.0
"""After the half that faces the network ended: the display at the gate waits for it."""

STOP_SECONDS = 5.0

LESS_URGENT = 5
"""Niceness of the panel's threads: the recogniser and the relay go first on a busy board."""


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: the application, its certificate and key, who hears that it begins, its cookie's name.

    Cookies do not know ports: two applications on one host need two names. `renew` is called every
    `renew_seconds` for as long as it is served: a page may go on for longer than its certificate is valid.
    """

    app: Starlette
    certificate: Path
    key: Path
    on_ready: Callable[[], object] = lambda: None
    cookie: str = COOKIE
    renew: Callable[[], object] = lambda: None
    renew_seconds: float = 86_400.0


class PanelThread:
    """Serves a panel from a thread of its own, and again whenever that failed.

    `make` (stack) opens what is served; `stack` closes it afterwards. `on_problem` hears each new
    reason why nothing is served. Nothing that happens here reaches the caller.
    """

    def __init__(
        self,
        address: tuple[str, int],
        make: Callable[[ExitStack], Served],
        on_problem: Callable[[str], object],
    ) -> None:
        self._address = address
        self._make = make
        self._on_problem = on_problem
        self._stopping = threading.Event()
        self._server: uvicorn.Server | None = None
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)

    def start(self) -> None:
        """Begin to serve, or to try; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer; returns when the thread has ended, or after some seconds."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        lower_priority(LESS_URGENT)  # the threads that serve inherit it
        while not self._stopping.is_set():
            try:
                with ExitStack() as stack:
                    self._serve(self._make(stack))
            except FrontEnded as error:
                self._tell(str(error))
                self._stopping.wait(RESTART_SECONDS)
                continue
            except (FacegateError, OSError, ValueError) as error:
                self._tell(str(error))
            except Exception as error:  # the thread's outermost loop
                logger.exception("the panel failed in a way nobody expected")
                self._tell(f"internal error: {error!r}")
            self._stopping.wait(RETRY_SECONDS)

    def _serve(self, served: Served) -> None:
        config = configuration(served)
        config.load()
        with facing_network(served, self._address) as page:
            self._server = PageServer(config)
            # `stop` may have looked for the server before it was there.
            if self._stopping.is_set():
                return
            served.on_ready()
            self._problem = ""
            page.run(self._server, served)
        if not self._stopping.is_set():
            raise FrontEnded(f"the process that faces the network ended ({page.process.returncode})")

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)


def serve(served: Served, address: tuple[str, int]) -> None:
    """Serve until SIGTERM or SIGINT. Call from the main thread. Raises OSError for a busy port."""
    with facing_network(served, address) as page:
        served.on_ready()
        page.run(PageServer(configuration(served)), served)


class PageServer(uvicorn.Server):
    """A server that tells its application when it ends, so that nothing goes on and holds it up."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: what streams sees `is_ending` in the application's state."""
        self.config.app.state.is_ending = True  # type: ignore[union-attr]  # `Served` has a Starlette
        await super().shutdown(sockets)


class FrontEnded(OSError):
    """The process that faces the network is gone; another can be started."""


@dataclass(frozen=True, slots=True)
class PageProcesses:
    """A page's two ends: the Unix socket to answer at, and the process that faces the network."""

    inner: socket.socket
    process: subprocess.Popen[bytes]

    def run(self, server: uvicorn.Server, served: Served) -> None:
        """Answer until `server` is told to exit, or the other half has ended."""

        def watch() -> None:
            while self.process.poll() is None:
                try:
                    self.process.wait(served.renew_seconds)
                except subprocess.TimeoutExpired:
                    _renew(served)
            server.should_exit = True

        threading.Thread(target=watch, name="page-front", daemon=True).start()
        server.run(sockets=[self.inner])


@contextmanager
def facing_network(served: Served, address: tuple[str, int]) -> Iterator[PageProcesses]:
    """Give a page whose other half listens at `address`. Raises OSError for a busy port."""
    with ExitStack() as stack:
        # Bound here and inherited by the other half: a busy port is reported to our caller, and the other
        # half needs no permission to bind.
        public = stack.enter_context(listening(address))
        # Mode 0700, and in memory: staff look at the page when the card is full or read-only.
        in_memory = tempfile.TemporaryDirectory(prefix="facegate-page-", dir=memory_folder())
        folder = stack.enter_context(in_memory)
        path = os.path.join(folder, "page")  # noqa: PTH118 - a string, as the socket wants it
        inner = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        inner.bind(path)
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "edge.web.front", "--listener", str(public.fileno())),
                *("--upstream", path, "--certificate", str(served.certificate), "--key", str(served.key)),
                *("--cookie", served.cookie),
            ],
            stdin=subprocess.PIPE,
            pass_fds=(public.fileno(),),
        )
        stack.callback(_end, process)
        public.close()  # the other half has it; a connection that nobody accepts must not wait here
        yield PageProcesses(inner, process)


def _renew(served: Served) -> None:
    try:
        served.renew()
    except Exception as error:  # noqa: BLE001 - the thread that calls has to see the other half end, too
        logger.warning("page: the certificate %s cannot be renewed: %s", served.certificate, error)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listening(address: tuple[str, int]) -> socket.socket:
    """Return a socket bound to `address`. Raises `AddressTaken`, which names it."""
    host, port = address
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        problem = os.strerror(error.errno) if error.errno else error
        way_out = "choose another: panel.host and panel.port of a door, the options of a command"
        raise AddressTaken(f"{host}:{port}: {problem}; {way_out}") from error


def configuration(served: Served) -> uvicorn.Config:
    """Return how a panel is served: what uvicorn offers beyond that is off."""
    return uvicorn.Config(
        served.app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=True,  # only the other half reaches the Unix socket; it strips what browsers claim
        forwarded_allow_ips="*",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=16 * 1024,
        lifespan="off",
        ws="none",
        http="h11",
    )
