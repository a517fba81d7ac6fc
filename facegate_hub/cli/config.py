"""`facegate hub config`: change what may be changed at a door from afar, and see what it made of it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import click

from edge.errors import SyncError
from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path

    from facegate_hub.configuration import ConfigView

WAIT_SECONDS = 10.0
"""A door that is there answers within a second; a slow card takes a few."""


@click.group(cls=ToldGroup)
def config() -> None:
    """Change a door's settings from here: only those its installer leaves open, and never to less safety.

    Example: facegate hub config set front lock.unlock_seconds=8
    """


@config.command(name="set")
@click.argument("door")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--reset", multiple=True, metavar="KEY", help="Back to what the door's own file says.")
@click.pass_obj
def set_(place: tuple[Path, str], door: str, pairs: tuple[str, ...], reset: tuple[str, ...]) -> None:
    """Ask a door for other settings and say what it made of them.

    Example: facegate hub config set front lock.unlock_seconds=8 recognition.fpir=0.0005
    """
    values = dict(_pair(text) for text in pairs)
    if not values and not reset:
        raise click.UsageError("name at least one KEY=VALUE, or --reset KEY")
    with closing(Staff(*place)) as desk:
        view = desk.configure(door, values, reset, WAIT_SECONDS)
    if view.reported is None or view.reported.rev < view.rev:
        click.echo(f"{door}: revision {view.rev} waits until the door is heard")
        return
    if view.reported.refused:
        raise SyncError(f"{door}: revision {view.rev} refused: {'; '.join(view.reported.refused)}")
    waiting = ", ".join(view.reported.pending)
    hint = f"; `facegate hub command reload {door}` for {waiting}" if waiting else ""
    click.echo(f"{door}: revision {view.rev} counts{hint}")


@config.command()
@click.argument("door")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def show(place: tuple[Path, str], door: str, as_json: bool) -> None:
    """Show every setting that may be changed from here: what counts at the door, and what was asked for.

    Example: facegate hub config show front
    """
    with closing(Staff(*place)) as desk:
        view = desk.configuration(door)
    for line in [json_line(view)] if as_json else _lines(view):
        click.echo(line)


@click.command()
@click.argument("door")
@click.option("--last", is_flag=True, help="What it said last, without asking it now.")
@click.option("--by", default="diagnostics", show_default=True, help="Who asks; journaled at the door.")
@click.pass_obj
def diagnostics(place: tuple[Path, str], door: str, last: bool, by: str) -> None:
    """Ask a door how it is, in full, as JSON.

    Example: facegate hub diagnostics front
    """
    with closing(Staff(*place)) as desk:
        at, found = desk.last_diagnostics(door) if last else desk.diagnose(door, by)
    click.echo(json.dumps({"device": door, "at": at, **found}, indent=2, ensure_ascii=True))


def _pair(text: str) -> tuple[str, str | int | float]:
    key, sign, value = text.partition("=")
    if not sign or not value:
        raise click.UsageError(f"{text!r}: write KEY=VALUE, such as lock.unlock_seconds=8")
    try:
        number = json.loads(value)
    except ValueError:
        return key.strip(), value
    return key.strip(), number if type(number) in {int, float} else value


def _lines(view: ConfigView) -> list[str]:
    report = view.reported
    if report is None:
        return [f"revision {view.rev} wanted; the door has not said anything yet", *_wishes(view)]
    lines = [f"revision {view.rev} wanted, {report.rev} seen by the door at {view.reported_at}"]
    lines += [f"refused: {why}" for why in report.refused]
    for key, value in sorted(report.values.items()):
        wish = f"   wanted: {view.wanted[key]}" if view.wanted.get(key, value) != value else ""
        later = "   from the next start" if key in report.pending else ""
        lines.append(f"{key:32} {'not set' if value is None else value}{wish}{later}")
    return lines


def _wishes(view: ConfigView) -> list[str]:
    return [f"{key:32} wanted: {value}" for key, value in sorted(view.wanted.items())]
