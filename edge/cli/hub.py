"""`facegate hub`: the property's side, where staff see doors, open them, and keep the roster."""

from __future__ import annotations

import csv
import getpass
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.errors import ConfigError, SyncError

try:
    import sqlalchemy as sa
except ImportError as error:
    raise ConfigError("the hub needs SQLAlchemy; run: pip install 'facegate[hub]'") from error

from edge.sync.commands import CommandType
from edge.sync.site import Site
from hub.commands import ANSWER_SECONDS, ask, outcome
from hub.roster import RosterLog, read_csv
from hub.service import Hub, database_url
from hub.tables import DEVICES, DOUBTS, EVENTS, open_tables

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

FINAL = {"done", "failed", "rejected", "duplicate"}
KINDS = [kind.value for kind in CommandType if kind is not CommandType.CHALLENGE]
COLUMNS = ("device", "seq", "at", "kind", "resident", "reason")


@click.group()
@click.option(
    "--site",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Folder made by `facegate provision site`.",
)
@click.option("--database", help="SQLAlchemy URL; default: SQLite in the site's hub folder.")
@click.pass_context
def hub(ctx: click.Context, site: Path, database: str | None) -> None:
    """Keep the roster, store every door's events, and give doors commands.

    Example: facegate hub --site ./site run
    """
    ctx.obj = (site, database or database_url(site))


@hub.command()
@click.pass_obj
def run(place: tuple[Path, str]) -> None:
    """Serve the doors until stopped.

    Example: facegate hub run
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    service = Hub(*place)
    service.start()
    click.echo("hub running")
    ended.wait()
    service.stop()


@hub.command()
@click.pass_obj
def doors(place: tuple[Path, str]) -> None:
    """Show every door: there or not, and how far behind its roster is.

    Example: facegate hub doors
    """
    engine = open_tables(place[1])
    newest = RosterLog(engine, Site(place[0]).signer()).rev()
    with engine.connect() as connection:
        for row in connection.execute(sa.select(DEVICES).order_by(DEVICES.c.id)).mappings():
            behind = newest - (row["rev"] or 0)
            roster = "roster up to date" if behind <= 0 else f"roster {behind} revisions behind"
            line = f"{row['id']:20} {row['avail'] or 'unknown':8} {roster}, heard {row['seen_at']}"
            click.echo(f"{line}  {row['problem']}" if row["problem"] else line)


@hub.command(name="open")
@click.argument("door")
@click.option("--seconds", type=click.FloatRange(1, 30), help="How long; default: the door's own setting.")
@click.option("--by", default=getpass.getuser, help="Who opens; journaled at the door.")
@click.pass_obj
def open_(place: tuple[Path, str], door: str, seconds: float | None, by: str) -> None:
    """Open a door from here and say what physically came of it.

    Example: facegate hub open front --by "Front desk"
    """
    _command(open_tables(place[1]), door, CommandType.UNLOCK, by, {"seconds": seconds} if seconds else {})


@hub.command()
@click.argument(
    "kind", type=click.Choice([kind.value for kind in CommandType if kind != CommandType.CHALLENGE])
)
@click.argument("door")
@click.option("--by", default=getpass.getuser, help="Who asks; journaled at the door.")
@click.pass_obj
def command(place: tuple[Path, str], kind: str, door: str, by: str) -> None:
    """Give a door another command, such as lockdown.

    Example: facegate hub command lockdown front
    """
    _command(open_tables(place[1]), door, CommandType(kind), by, {})


@hub.command()
@click.option("--follow", "-f", is_flag=True, help="Keep printing as events arrive.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def watch(place: tuple[Path, str], follow: bool, as_json: bool) -> None:
    """Show the doors' events as they were stored, oldest first.

    Example: facegate hub watch --follow
    """
    engine, seen = open_tables(place[1]), set[tuple[str, str, int]]()
    while True:
        for row in _events(engine):
            key = (row["device"], row["stream"], row["seq"])
            if key not in seen:
                seen.add(key)
                click.echo(row["body"] if as_json else "  ".join(str(row[name] or "-") for name in COLUMNS))
        if not follow:
            return
        time.sleep(0.5)


@hub.command()
@click.pass_obj
def export(place: tuple[Path, str]) -> None:
    """Write all events as CSV to standard output.

    Example: facegate hub export > events.csv
    """
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for row in _events(open_tables(place[1])):
        writer.writerow([row[name] for name in COLUMNS])


@hub.command()
@click.pass_obj
def doubts(place: tuple[Path, str]) -> None:
    """Show signs of tampering or loss in the doors' journals; exit code 1 when there are any.

    Example: facegate hub doubts
    """
    with open_tables(place[1]).connect() as connection:
        rows = connection.execute(sa.select(DOUBTS).order_by(DOUBTS.c.id)).mappings().all()
    for row in rows:
        click.echo(f"{row['device']}: entry {row['seq']} of {row['stream']}: {row['what']}")
    if rows:
        raise SyncError(f"{len(rows)} doubts about the doors' journals")


@hub.group()
def roster() -> None:
    """Keep who may enter.

    Example: facegate hub roster import residents.csv
    """


@roster.command(name="import")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--replace", is_flag=True, help="Also remove everybody who is not in FILE.")
@click.pass_obj
def import_(place: tuple[Path, str], file: Any, replace: bool) -> None:
    """Add and change people from CSV: id, name, access_levels, valid_from, valid_until...

    Example: facegate hub roster import residents.csv
    """
    log, records = _log(place), read_csv(file)
    keep = {record["id"] for record in records}
    gone = [identity for identity in log.ids() if identity not in keep] if replace else []
    rev = log.change(records, gone)
    click.echo(f"{len(records)} read, {len(gone)} removed; the roster is at revision {rev}")


@roster.command()
@click.argument("ids", nargs=-1, required=True)
@click.pass_obj
def remove(place: tuple[Path, str], ids: tuple[str, ...]) -> None:
    """Remove people; every door erases their faces.

    Example: facegate hub roster remove anna-17
    """
    click.echo(f"the roster is at revision {_log(place).change(removals=ids)}")


@roster.command()
@click.pass_obj
def status(place: tuple[Path, str]) -> None:
    """Show revision, number of people and digest.

    Example: facegate hub roster status
    """
    state = _log(place).state()
    click.echo(f"epoch {state.epoch}, revision {state.rev}, {state.count} people, digest {state.digest}")


def _log(place: tuple[Path, str]) -> RosterLog:
    return RosterLog(open_tables(place[1]), Site(place[0]).signer())


def _events(engine: Engine) -> list[Any]:
    query = sa.select(EVENTS).order_by(EVENTS.c.at, EVENTS.c.device, EVENTS.c.seq)
    with engine.connect() as connection:
        return list(connection.execute(query).mappings())


def _command(engine: Engine, door: str, kind: CommandType, by: str, args: dict[str, float]) -> None:
    request_id = ask(engine, door, kind, by, args)
    status, text = "asked", ""
    deadline = time.monotonic() + ANSWER_SECONDS + 5  # later than the hub itself gives up
    while status not in FINAL:
        if time.monotonic() > deadline:
            raise SyncError(f"{door}: the hub did not take the request; is `facegate hub run` running?")
        time.sleep(0.1)
        status, text = outcome(engine, request_id)
    if status != "done":
        raise SyncError(f"{door}: {status}: {text}")
    click.echo(f"{door}: {text}" if text else json.dumps({"door": door, "status": status}))
