"""Clients of a page that is served in this process, on one event loop for all of them."""

from __future__ import annotations

import atexit
from functools import cache
from typing import TYPE_CHECKING, Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.testclient import TestClient

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@cache
def _loop() -> BlockingPortal:
    loop = start_blocking_portal()
    atexit.register(loop.__exit__, None, None, None)
    return loop.__enter__()


def client_of(app: ASGIApp, **options: Any) -> TestClient:
    """Return a client; by itself each of its requests would start a loop and two threads, and end them."""
    client = TestClient(app, **options)
    client.portal = _loop()
    return client
