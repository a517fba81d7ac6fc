"""`facegate hub`: the property's side, where staff see doors, open them, and keep the roster."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

import click

from edge.errors import ConfigError
from edge.extras import way_to_install
from edge.runtime.json_lines import json_line
from edge.runtime.log_limit import set_up_log

try:
    import sqlalchemy  # noqa: F401 - said here in words that help
except ImportError as error:
    raise ConfigError(f"the hub needs SQLAlchemy; {way_to_install('hub')}") from error

from edge.site.provision import Site
from edge.wire.commands import CommandType
from facegate_hub.cli.alerts import alerts
from facegate_hub.cli.attached import attached_option, is_left_alone
from facegate_hub.cli.audit import audit
from facegate_hub.cli.community import community, console, page
from facegate_hub.cli.config import config, diagnostics
from facegate_hub.cli.events import events
from facegate_hub.cli.faces import faces
from facegate_hub.cli.inbox import alarms, person
from facegate_hub.cli.keys import keys
from facegate_hub.cli.signer import group, principal, signer
from facegate_hub.cli.staff import by_option, give, json_option, staff
from facegate_hub.crew import DATABASE_VARIABLE, Crew, launcher
from facegate_hub.service import EventWorker, Hub, database_url
from facegate_hub.sheets import read_people
from facegate_hub.signer.child import SignerChild
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from collections.abc import Callable


@click.group()
@click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Folder made by `facegate provision site`.",
)
@click.option(
    "--database",
    envvar=DATABASE_VARIABLE,
    show_envvar=True,
    help="SQLAlchemy URL; default: SQLite in the site's hub folder.",
)
@click.pass_context
def hub(ctx: click.Context, site: Path, database: str | None) -> None:
    """Keep the roster, store every door's events, and give doors commands.

    Example: facegate hub --site ./site run
    """
    ctx.obj = (site, database or database_url(site))


@hub.command()
@click.option(
    "--workers",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Processes that store events; 0: this one. Each needs `facegate provision worker`.",
)
@click.option("--share", help="Name of the workers' group at the broker; default: the site's secret one.")
@click.option("--keep-days", type=click.FloatRange(min=1), help="Delete older events every day.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve numbers to Prometheus, such as 127.0.0.1:9465.")
@click.pass_obj
def run(
    place: tuple[Path, str], workers: int, share: str | None, keep_days: float | None, metrics: str | None
) -> None:
    """Serve the doors until stopped; starts the signer, too, where none runs and the key may be read.

    Example: facegate hub run --workers 3
    """
    ended = _ended_by_a_signal()
    with ExitStack() as stack:
        signing = SignerChild(place[0])
        stack.callback(signing.stop)
        signing.start()
        _run(place, (workers, share), keep_days, metrics, ended)


def _run(
    place: tuple[Path, str],
    crew_of: tuple[int, str | None],
    keep_days: float | None,
    metrics: str | None,
    ended: threading.Event,
) -> None:
    workers, share = crew_of
    service = Hub(*place, stores_events=not workers, keep_days=keep_days)
    if workers and share is None:
        Site(place[0]).share(make=True)
    crew = Crew(workers, launcher(*place, share))
    with ExitStack() as stack:
        if metrics is not None:
            stack.callback(_publish(service, metrics))
        crew.start()
        _serve(service, "hub running", ended)
        crew.stop()


@hub.command()
@click.argument("number", type=click.IntRange(1, 999))
@click.option("--share", help="Name of the workers' group at the broker; default: the site's secret one.")
@attached_option
@click.pass_obj
def worker(place: tuple[Path, str], number: int, share: str | None, attached: int | None) -> None:
    """Store events, one of several that divide them; beside `hub run --workers`, or on another machine.

    Example: facegate hub worker 4
    """
    ended = _ended_by_a_signal()
    _serve(EventWorker(*place, number, share), f"worker {number} running", ended, attached)


def _publish(service: Hub, listen: str) -> Callable[[], None]:
    """Serve the hub's metrics and return what ends that. Raises `ConfigError`."""
    try:
        from edge.runtime.metrics_page import MetricsPage
        from facegate_hub.metrics import HubCollector

        ingest = service.ingest.status if service.ingest else None
        collector = HubCollector(
            service.engine, service.roster.rev, service.client.status, ingest, service.waiting
        )
        return MetricsPage(listen, collector).close
    except ImportError as error:
        raise ConfigError(f"--metrics needs a package; {way_to_install('metrics')}") from error
    except (OSError, OverflowError, ValueError) as error:
        raise ConfigError(f"--metrics {listen}: {error}; give HOST:PORT with a port that is free") from error


def _ended_by_a_signal() -> threading.Event:
    """Return what a signal to end sets; first of all, so that one during the start leaves no child behind."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    return ended


def _serve(
    service: Hub | EventWorker,
    said: str,
    ended: threading.Event,
    attached: int | None = None,
) -> None:
    """Serve until `ended` is set, or until whoever started us is gone."""
    set_up_log(with_time=True)
    service.start()
    click.echo(said)
    while not is_left_alone(attached) and not ended.wait(1.0):
        pass
    service.stop()


@hub.command()
@json_option
@click.pass_obj
def doors(place: tuple[Path, str], as_json: bool) -> None:
    """Show every door: there or not, and how far behind its roster is.

    Example: facegate hub doors
    """
    with closing(Staff(*place)) as desk:
        running = desk.hub()
        if running is not None and not running.is_serving:
            why = running.problem or f"it was last heard {running.age_seconds:.0f} s ago"
            click.echo(f"the hub does not serve the doors: {why}; they are shown as they were", err=True)
        for door in desk.doors():
            if as_json:
                click.echo(json_line(door))
                continue
            roster = f"roster {door.behind} revisions behind" if door.behind else "roster up to date"
            heard = f"heard {door.seen_at}" if door.seen_at else "never heard"
            line = f"{door.id:20} {door.availability or 'unknown':8} {roster}, {heard}"
            click.echo(f"{line}  {door.problem}" if door.problem else line)


@hub.command(name="shut-out")
@click.argument("door")
@click.option("--because", default="told so", show_default=True, help="Why; shown beside the door.")
@click.option("--end", is_flag=True, help="Listen to it again.")
@click.pass_obj
def shut_out(place: tuple[Path, str], door: str, because: str, end: bool) -> None:
    """Listen to a door no more that was broken into; it keeps its events.

    Example: facegate hub shut-out garage --because "panel was opened"
    """
    with closing(Staff(*place)) as desk:
        if end:
            desk.let_in_again(door)
            click.echo(f"{door}: listened to again")
            return
        desk.shut_out(door, because)
    click.echo(
        f"{door}: shut out; now make its certificate worthless: facegate provision revoke {place[0]} {door}"
    )


@hub.command(name="allow-unproven")
@click.argument("door")
@click.option("--because", default="an older version", show_default=True, help="Why; noted in the audit.")
@click.option("--end", is_flag=True, help="Doubt its events again while it proves none.")
@click.pass_obj
def allow_unproven(place: tuple[Path, str], door: str, because: str, end: bool) -> None:
    """Take the events of a door that does not sign them: one of an older version, or without certificate.

    It ends by itself with the first event that the door signs.

    Example: facegate hub allow-unproven garage --because "updated next week"
    """
    with closing(Staff(*place)) as desk:
        desk.allow_unproven(door, None if end else because)
    click.echo(f"{door}: events without proof are {'doubted' if end else 'taken'}")


@hub.command(name="name-door")
@click.argument("door")
@click.argument("name")
@click.option("--at", "where", default="", help="Where it is.")
@click.pass_obj
def name_door(place: tuple[Path, str], door: str, name: str, where: str) -> None:
    """Give a door a name and a place for people.

    Example: facegate hub name-door front "Front door" --at "House 3, ground floor"
    """
    with closing(Staff(*place)) as desk:
        desk.name_door(door, name, where)
    click.echo(f"{door}: {name}")


@hub.command()
@click.argument("door")
@click.pass_obj
def retire(place: tuple[Path, str], door: str) -> None:
    """Take a door that is no longer there off the list; its events stay.

    Example: facegate hub retire garage
    """
    with closing(Staff(*place)) as desk:
        desk.retire(door)
    click.echo(f"{door}: retired")


@hub.command()
@click.argument(
    "kind", type=click.Choice([kind.value for kind in CommandType if kind != CommandType.CHALLENGE])
)
@click.argument("doors", nargs=-1, required=True, metavar="DOOR...")
@click.option("--minutes", type=click.FloatRange(1, 60), help="For enrol_window: how long; default 10.")
@by_option
@click.pass_obj
def command(
    place: tuple[Path, str], kind: str, doors: tuple[str, ...], minutes: float | None, by: str
) -> None:
    """Give doors or groups of doors a command, such as lockdown; each answers when it has done it.

    Example: facegate hub command enrol_window front --minutes 20
    """
    if minutes is not None and kind != CommandType.ENROL_WINDOW:
        raise click.UsageError(f"--minutes means nothing to {kind}")
    give(place, doors, CommandType(kind), by, {} if minutes is None else {"minutes": minutes})


hub.add_command(staff)
hub.add_command(events)
hub.add_command(faces)
hub.add_command(audit)
hub.add_command(config)
hub.add_command(diagnostics)
hub.add_command(keys)
hub.add_command(signer)
hub.add_command(principal)
hub.add_command(alarms)
hub.add_command(alerts)
hub.add_command(person)
hub.add_command(group)
hub.add_command(community)
hub.add_command(console)
hub.add_command(page)


def _zone(_context: click.Context, _parameter: click.Parameter, name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r}: no such zone; use a name like Asia/Shanghai") from error


@hub.group()
def roster() -> None:
    """Keep who may enter.

    Example: facegate hub roster import residents.csv
    """


@roster.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--encoding", default="utf-8", show_default=True, help="Excel in China writes gb18030.")
@click.option("--replace", is_flag=True, help="Also remove everybody who is not in FILE.")
@click.option("--removing", type=int, help="How many people --replace removes, when it is most of them.")
@click.option("--timezone", "zone", callback=_zone, help="Of times and days in FILE that name none.")
@click.option("--new-level", "levels", multiple=True, help="Access level that is new, and no slip.")
@click.pass_obj
def import_(
    place: tuple[Path, str],
    *,
    file: BinaryIO,
    encoding: str,
    replace: bool,
    removing: int | None,
    zone: ZoneInfo | None,
    levels: tuple[str, ...],
) -> None:
    """Add and change people from a workbook (.xlsx) or CSV: id, name, access_levels...

    Every bad line is named, and then nothing is changed.

    Example: facegate hub roster import residents.csv
    """
    records = read_people(file.read(), encoding, zone)
    with closing(Staff(*place)) as desk:
        desk.require_known_levels(records, levels)
        done = desk.import_people(records, replace=replace, removing=removing)
    click.echo(f"{done.read} read, {done.removed} removed; the roster is at revision {done.rev}")


@roster.command()
@click.argument("ids", nargs=-1, required=True)
@click.pass_obj
def remove(place: tuple[Path, str], ids: tuple[str, ...]) -> None:
    """Remove people; every door erases their faces.

    Example: facegate hub roster remove anna-17
    """
    with closing(Staff(*place)) as desk:
        click.echo(f"the roster is at revision {desk.remove(ids)}")


@roster.command(name="end-ways")
@click.argument("person")
@click.pass_obj
def end_ways(place: tuple[Path, str], person: str) -> None:
    """Have every door take back the PINs and cards PERSON has by now: a lost card, a PIN that was told on.

    Faces stay. A new PIN or card is given at a door that has heard of it (`facegate hub doors`).

    Example: facegate hub roster end-ways anna-17
    """
    with closing(Staff(*place)) as desk:
        click.echo(f"the roster is at revision {desk.end_ways(person)}")


@roster.command()
@click.pass_obj
def status(place: tuple[Path, str]) -> None:
    """Show revision, number of people and digest.

    Example: facegate hub roster status
    """
    with closing(Staff(*place)) as desk:
        state = desk.roster()
    click.echo(f"epoch {state.epoch}, revision {state.rev}, {state.count} people, digest {state.digest}")


@roster.command(name="begin-anew")
@click.pass_obj
def begin_anew(place: tuple[Path, str]) -> None:
    """Make doors take the roster as it is here, after a database was lost or restored from a backup.

    Until then doors refuse it, because to them it is an old one. Import the people first.

    Example: facegate hub roster begin-anew
    """
    with closing(Staff(*place)) as desk:
        click.echo(f"the roster is at epoch {desk.begin_anew()}")
