"""`facegate hub keys`: the site's key server, for doors whose card must not hold their key."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from edge.lazy_group import ToldGroup
from edge.runtime.log_limit import set_up_log
from edge.runtime.stop_signals import stop_on_signals
from facegate_hub.key_server import KeyCabinet, KeyServer

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=ToldGroup)
def keys() -> None:
    """Hand each door the key that opens its faces, so that a stolen card holds none.

    Example: facegate hub keys serve --host keys.example.lan
    """


@keys.command()
@click.option("--listen", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104
@click.option(
    "--port", default=8470, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on."
)
@click.option("--host", "hosts", multiple=True, help="Name or address at which doors reach it.")
@click.pass_obj
def serve(place: tuple[Path, str], listen: str, port: int, hosts: tuple[str, ...]) -> None:
    """Serve keys until stopped. Guard this machine as you guard the faces.

    Example: facegate hub keys serve --host keys.example.lan
    """
    set_up_log()
    server = KeyServer(place[0], (listen, port), list(hosts))
    thread = threading.Thread(target=server.serve_forever, name="key-server")
    ended = threading.Event()
    stop_on_signals(ended, signal.SIGTERM, signal.SIGINT)
    thread.start()
    click.echo(f"keys for doors: port {server.server_address[1]}")
    ended.wait()
    server.shutdown()
    thread.join()
    server.server_close()


@keys.command()
@click.argument("door_id")
@click.pass_obj
def rotate(place: tuple[Path, str], door_id: str) -> None:
    """Make a new key for DOOR_ID beside the present one; then run `facegate keys rotate` at the door.

    Example: facegate hub keys rotate front
    """
    KeyCabinet(place[0]).change(door_id)
    click.echo(f"{door_id}: a new key; run at the door: facegate keys rotate")
