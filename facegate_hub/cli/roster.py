"""`facegate hub roster`: who may enter."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO
from zoneinfo import ZoneInfo

import click

from edge.errors import SyncError
from edge.lazy_group import ToldGroup
from facegate_hub.cli.options import encoding_option
from facegate_hub.list_encoding import ListEncoding, encoding_of
from facegate_hub.sheets import read_people, words_beyond_ascii
from facegate_hub.staff import Staff

if TYPE_CHECKING:
    from pathlib import Path

    from edge.spellings import Spellings
    from facegate_hub.sheets import PeopleRead


def _zone(_context: click.Context, _parameter: click.Parameter, name: str | None) -> ZoneInfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise click.BadParameter(f"{name!r}: no such zone; use a name like Asia/Shanghai") from error


MOST_RENAMED = 10


@click.group(cls=ToldGroup)
def roster() -> None:
    """Keep who may enter.

    Example: facegate hub roster import residents.csv
    """


@roster.command(name="import")
@click.argument("file", type=click.File("rb"))
@encoding_option
@click.option("--replace", is_flag=True, help="Also remove everybody who is not in FILE.")
@click.option("--removing", type=int, help="How many people --replace removes, when it is most of them.")
@click.option("--timezone", "zone", callback=_zone, help="Of times and days in FILE that name none.")
@click.option("--new-level", "levels", multiple=True, help="Access level that is new, and no slip.")
@click.pass_obj
def import_(
    place: tuple[Path, str],
    *,
    file: BinaryIO,
    encoding: str | None,
    replace: bool,
    removing: int | None,
    zone: ZoneInfo | None,
    levels: tuple[str, ...],
) -> None:
    """Add and change people from a workbook (.xlsx) or CSV; a line names the columns, such as id and name.

    Every bad line is named, and then nothing is changed. Where FILE does not say how it was saved, it may be
    guessed: names are shown then, and nobody is renamed or removed.

    Example: facegate hub roster import residents.csv
    """
    data = file.read()
    taken = encoding_of(data) if encoding is None else ListEncoding(encoding)
    read = read_people(data, encoding or taken.name, zone)
    _tell_left_out(read)
    with closing(Staff(*place)) as desk:
        records, whom = desk.people.meant(read.records, read.silent)
        desk.require_known_levels(records, levels)
        renamed = desk.people.renamed(records)
        if taken.is_guess:
            _tell_guess(taken, records, changes=replace or bool(renamed))
        done = desk.import_people(records, replace=replace, removing=removing)
    for identity, (was, now) in list(renamed.items())[:MOST_RENAMED]:
        click.echo(f"warning: {identity}: {was} is {now} now, and keeps face, PIN and cards", err=True)
    if renamed:
        said = "remove whoever is somebody else now (facegate hub roster remove), and import again"
        click.echo(f"warning: {len(renamed)} names changed; {said}", err=True)
    _tell_spellings(whom, [str(one["id"]) for one in read.records])
    click.echo(f"{done.read} read, {done.removed} removed; the roster is at revision {done.rev}")


def _tell_left_out(read: PeopleRead) -> None:
    """Show which lines and columns of a list are not in what is imported."""
    for one in read.left_out:
        click.echo(f"left out: line {one.line}: {one.text}", err=True)
    if read.unread:
        click.echo(f"left out: columns {', '.join(read.unread)}", err=True)


def _tell_spellings(whom: Spellings, listed: list[str]) -> None:
    """Show whose number is kept in another spelling, and who may be one person under two numbers."""
    kept = [f"{one} is {whom.kept[one]}" for one in listed if one in whom.kept]
    if kept:
        click.echo(f"{len(kept)} numbers are kept as they were: {', '.join(kept[:MOST_RENAMED])}", err=True)
    alike = [f"{one} reads like {other}" for one, other in whom.alike.items()]
    if alike:
        said = "if that is one person, remove one (facegate hub roster remove): each opens doors by itself"
        click.echo(f"warning: {len(alike)} new: {', '.join(alike[:MOST_RENAMED])}; {said}", err=True)


def _tell_guess(taken: ListEncoding, records: list[dict[str, Any]], *, changes: bool) -> None:
    """Show how names are read; refuse where a wrong guess would rename or remove people."""
    names = ", ".join(words_beyond_ascii(records, MOST_RENAMED))
    if changes:
        raise SyncError(
            f"this list is no UTF-8, and as {taken.name} it says {names}; it would rename or remove people:"
            f" if that is what it should say, give --encoding {taken.name.lower()}"
        )
    click.echo(f"warning: read as {taken.name}: {names}", err=True)


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
