"""`facegate panel`: the web page of one door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from edge.cli.data_dir import data_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--camera", default="0", show_default=True, help="0, /dev/video0, rtsp://..., picamera, a clip."
)
@click.option("--door", default="door", show_default=True, help="Name of this door.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: the LAN."
)
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535))
@click.option("--model", default="sface", show_default=True, help="Embedder of the manifest.")
@click.option(
    "--fpir", default=1e-3, show_default=True, help="Strangers let in per visit, as the door has it."
)
@click.option(
    "--liveness",
    type=click.Choice(["passive", "off"]),
    default="passive",
    show_default=True,
    help="Enrol only living people at the camera; off: somebody must watch.",
)
@click.option("--minors", is_flag=True, help="Enrol people under 14 when a guardian agrees.")
@data_option
def panel(
    camera: str,
    door: str,
    host: str,
    port: int,
    model: str,
    fpir: float,
    liveness: Literal["passive", "off"],
    minors: bool,
    data: Path,
) -> None:
    """Serve the panel over HTTPS: enrol, look, withdraw. Prints a one-time code at the first start.

    Compare the fingerprint that is printed with the one the browser shows.

    Example: facegate panel --camera 0 --host 0.0.0.0
    """
    from contextlib import ExitStack

    from edge.camera.source import CameraSpec, camera_opener
    from edge.panel.app import make_app
    from edge.panel.feed import CameraFeed
    from edge.panel.server import serve
    from edge.panel.tls import own_certificate
    from edge.runtime.clock import SystemClock
    from edge.service.panel import PanelWish, liveness_maker, open_desk
    from edge.service.recognition import Sureness, open_models

    clock = SystemClock()
    feed = CameraFeed(camera_opener(CameraSpec(camera, loop=True), clock), clock)
    with ExitStack() as stack:
        stack.callback(feed.close)
        models = open_models(model)
        watch = liveness_maker(liveness, models, lambda line: click.echo(line, err=True))
        wish = PanelWish(door, data, Sureness(fpir), minors, watch)
        desk = open_desk(wish, models, feed, clock, stack)
        certificate, key, fingerprint = own_certificate(data, {host, "localhost", "127.0.0.1"} - {"0.0.0.0"})  # noqa: S104 - left out
        click.echo(f"panel: https://{host}:{port}/")
        click.echo(f"certificate SHA-256: {fingerprint}")
        if desk.accounts.first_code:
            click.echo(f"one-time code for the first account: {desk.accounts.first_code}")
        serve(make_app(desk), (host, port), certificate, key)
