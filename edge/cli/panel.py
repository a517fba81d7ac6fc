"""`facegate panel`: the web page of one door."""

from __future__ import annotations

import uuid
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from edge.cli.data_dir import data_option
from edge.cli.rates import RATE
from edge.here import EVERYWHERE, own_addresses, reached_at

if TYPE_CHECKING:
    from pathlib import Path

    from edge.event_log.log import EventLog
    from edge.service.panel.office import PanelOptions
    from edge.store.journal import SqliteJournal


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r} is no time zone; write one such as Asia/Shanghai") from error


def _camera(_context: click.Context, _option: click.Parameter, source: str) -> str:
    """Refuse a recording that is not there; a camera may be plugged in later, so say so and go on."""
    from edge.camera.source import is_device, missing_path

    path = missing_path(source)
    if path is not None and not is_device(source):
        known = "0, /dev/video0, rtsp://... or picamera"
        raise click.BadParameter(f"{source}: no such file, and no camera: {known}")
    if path is not None:
        click.echo(f"warning: {path}: no camera there; no live view until one is plugged in", err=True)
    return source


def _telling(wish: PanelOptions, log: EventLog) -> PanelOptions:
    """Return the options of a panel that tells what is taken back; what was left untold is told now."""
    from edge.runtime.clock import SystemClock
    from edge.service.untold import UntoldAccounts, UntoldWays

    ways = UntoldWays(wish.data, log.record, SystemClock())
    accounts = UntoldAccounts(wish.data, log.record, SystemClock())
    ways.tell_again()
    accounts.tell_again()
    return replace(wish, tell_ways=ways.tell_or_later, tell_accounts=accounts.tell_or_later)


@click.command()
@click.option(
    "--camera",
    default="0",
    show_default=True,
    callback=_camera,
    help="0, /dev/video0, rtsp://..., picamera, a clip.",
)
@click.option("--door", default="door", show_default=True, help="Name of this door.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: the LAN."
)
@click.option(
    "--port", default=8443, show_default=True, type=click.IntRange(1, 65535), help="Port of the page."
)
@click.option(
    "--model", default="sface", show_default=True, help="Face network, as in `facegate models list`."
)
@click.option(
    "--fpir",
    type=RATE,
    default=1e-3,
    show_default=True,
    help="Strangers let in per visit, as the door has it.",
)
@click.option(
    "--liveness",
    type=click.Choice(["passive", "off"]),
    default="passive",
    show_default=True,
    help="Enrol only living people at the camera; off: somebody must watch.",
)
@click.option(
    "--timezone", "zone", default="UTC", show_default=True, callback=_zone, help="Such as Asia/Shanghai."
)
@click.option("--operator", default="", help="Who is responsible for the faces, by full name.")
@click.option("--contact", default="", help="How to reach them. Nobody is enrolled without both.")
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
    zone: ZoneInfo,
    operator: str,
    contact: str,
    minors: bool,
    data: Path,
) -> None:
    """Serve the panel beside no door: at an enrolment desk, or before the door is wired.

    It has a camera of its own and opens nothing. A running door serves its panel itself, see [panel]
    in its settings; on that door's data folder this command refuses to start.

    Example: facegate panel --camera 0 --host 0.0.0.0 --operator "Hill House" --contact 0571-1234
    """
    from contextlib import ExitStack

    from edge.camera.source import CameraSpec, camera_opener
    from edge.consent.notice import Operator
    from edge.event_log.log import EventLog
    from edge.panel.app import make_app
    from edge.panel.feed import CameraFeed
    from edge.runtime.clock import SystemClock
    from edge.service.chores.retention import finish_withdrawals
    from edge.service.own_folder import require_no_door
    from edge.service.panel.backup import backup_maker
    from edge.service.panel.network import network_reader
    from edge.service.panel.office import PanelContext, PanelOptions, liveness_maker, open_desk
    from edge.service.recognition.recogniser import ErrorRate, open_models
    from edge.web.server import Served, serve
    from edge.web.tls import own_certificate

    require_no_door(data, "it serves the panel itself: write [panel] enabled = true into its settings")
    clock = SystemClock()
    feed = CameraFeed(camera_opener(CameraSpec(camera, loop=True), clock), clock)
    with ExitStack() as stack:
        stack.callback(feed.close)
        models = open_models(model)
        watch = liveness_maker(liveness, models, lambda line: click.echo(line, err=True))
        named = Operator(operator, contact)
        log = stack.enter_context(closing(EventLog(_journal(data, door), clock)))
        wish = PanelOptions(door, data, ErrorRate(fpir), minors, new_liveness=watch, operator=named)
        desk = open_desk(_telling(wish, log), models, PanelContext(feed, clock, log), stack)
        finish_withdrawals(desk.residents, desk.consents)
        names = {host, "localhost", "127.0.0.1", *own_addresses()} - EVERYWHERE
        certificate, key, fingerprint = own_certificate(data, sorted(names))
        desk = replace(desk, zone=zone, network=network_reader(data, host), back_up=backup_maker(data, clock))

        def ready() -> None:
            click.echo(f"panel: https://{reached_at(host)}:{port}/")
            click.echo(f"certificate SHA-256: {fingerprint}")
            if desk.accounts.first_code:
                click.echo(f"first-start code (首次启用码) for the first account: {desk.accounts.first_code}")

        serve(Served(make_app(desk), certificate, key, ready), (host, port))


def _journal(data: Path, door: str) -> SqliteJournal:
    from edge.store.journal import SqliteJournal
    from edge.store.reader import JOURNAL_FILE

    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    boot = str(uuid.uuid4())
    return SqliteJournal(data / JOURNAL_FILE, door, boot=boot, clock_trust=lambda: "unknown")
