"""A certificate that is renewed while a page runs: browsers get the new one, without a restart."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from edge.web.front import Front
from edge.web.limits import Limits
from edge.web.live_certificate import LiveCertificate
from edge.web.tls import own_certificate
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def renew(folder: Path, name: str) -> str:
    """Put another pair in place of the one that `folder` has, the key first; return its fingerprint."""
    (folder / name).mkdir()
    certificate, key, _ = own_certificate(folder / name, [name])
    key.replace(folder / "panel.key")
    certificate.replace(folder / "panel.crt")
    return shown_by_file(folder / "panel.crt")


def shown_by_file(path: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """Give the port of the half of a page that faces the network; what it would hand on to is not there."""
    listener = socket.create_server(("127.0.0.1", 0))
    tls = LiveCertificate(folder / "panel.crt", folder / "panel.key")
    front = Front(tls, folder / "nobody", Limits(certificate_seconds=0.05))
    loop = asyncio.new_event_loop()
    serving = loop.create_task(front.serve(listener))

    def serve() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(PATIENCE)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        listener.close()


def shown_by(port: int) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line,
        context.wrap_socket(line) as secured,
    ):
        return hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()


def test_browsers_get_a_certificate_that_was_renewed_while_the_page_runs(tmp_path):
    first = renew(tmp_path, "a.example")
    with running(tmp_path) as port:
        assert shown_by(port) == first
        second = renew(tmp_path, "b.example")
        wait_until(lambda: shown_by(port) == second, "the new certificate")


def test_a_pair_that_is_only_half_there_leaves_the_former_in_place_and_says_so_once(tmp_path, caplog):
    renew(tmp_path, "a.example")
    live = LiveCertificate(tmp_path / "panel.crt", tmp_path / "panel.key")
    before = live.context
    (tmp_path / "b.example").mkdir()
    certificate, key, _ = own_certificate(tmp_path / "b.example", ["b.example"])
    key.replace(tmp_path / "panel.key")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            live.look()
    assert live.context is before
    assert len(caplog.records) == 1
    certificate.replace(tmp_path / "panel.crt")
    live.look()
    assert live.context is not before


def test_a_certificate_that_is_gone_for_a_moment_changes_nothing(tmp_path):
    renew(tmp_path, "a.example")
    live = LiveCertificate(tmp_path / "panel.crt", tmp_path / "panel.key")
    before = live.context
    (tmp_path / "panel.crt").rename(tmp_path / "away")
    live.look()
    (tmp_path / "away").rename(tmp_path / "panel.crt")
    live.look()
    assert live.context is before
