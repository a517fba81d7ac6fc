"""`facegate hub faces`: which faces several doors may know. No face is here; only certificates of them."""

from __future__ import annotations

import getpass
from contextlib import closing
from typing import TYPE_CHECKING

import click

from edge.lazy_group import ToldGroup
from edge.runtime.json_lines import json_line
from facegate_hub.cli.options import json_option
from facegate_hub.faces import LISTED, WAITING, SharedFaces
from facegate_hub.staff import Staff
from facegate_hub.tables import open_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from facegate_hub.faces import SharedFace


@click.group(cls=ToldGroup)
def faces() -> None:
    """Look at faces that several doors know, and list those that wait for it.

    Example: facegate hub faces list
    """


@faces.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also those that are listed, refused or ended.")
@json_option
@click.pass_obj
def list_(place: tuple[Path, str], everything: bool, as_json: bool) -> None:
    """List the faces that wait: enrolled at a door while no enrolment window was open there.

    Example: facegate hub faces list
    """
    found = SharedFaces(open_tables(place[1])).found(status=None if everything else WAITING)
    _show(found, as_json=as_json)


@faces.command()
@click.argument("person")
@json_option
@click.pass_obj
def show(place: tuple[Path, str], person: str, as_json: bool) -> None:
    """Show at which doors PERSON is known, and at which not yet.

    Example: facegate hub faces show flat-1203
    """
    _show(SharedFaces(open_tables(place[1])).found(person=person), as_json=as_json)


@faces.command()
@click.argument("people", nargs=-1)
@click.option("--waiting", is_flag=True, help="Everybody who waits.")
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who confirms.")
@click.pass_obj
def confirm(place: tuple[Path, str], people: tuple[str, ...], waiting: bool, by: str) -> None:
    """Let the faces of PEOPLE go to the doors that their consents name.

    Example: facegate hub faces confirm flat-1203
    """
    _decide(place, people, by, is_everybody=waiting, lists=True)


@faces.command()
@click.argument("people", nargs=-1, required=True)
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who refuses.")
@click.pass_obj
def refuse(place: tuple[Path, str], people: tuple[str, ...], by: str) -> None:
    """Keep the faces of PEOPLE where they were taken.

    Example: facegate hub faces refuse flat-1203
    """
    _decide(place, people, by, is_everybody=False, lists=False)


@faces.command()
@click.argument("door")
@click.pass_obj
def known(place: tuple[Path, str], door: str) -> None:
    """List everybody whose face DOOR knew or enrolled: who must be told when it was stolen.

    Example: facegate hub faces known garage
    """
    for person in SharedFaces(open_tables(place[1])).known_at(door):
        click.echo(person)


def _decide(
    place: tuple[Path, str], people: Sequence[str], by: str, *, is_everybody: bool, lists: bool
) -> None:
    with closing(Staff(*place, by=by)) as desk:
        if is_everybody:
            people = sorted({one.person for one in desk.faces.found(status=WAITING)})
        if not people:
            raise click.UsageError("name people, or give --waiting")
        done = desk.decide_faces(people, lists=lists)
    for person in people:
        what = ("listed" if lists else "refused") if person in done else "no face waits"
        click.echo(f"{person}: {what}")


def _show(found: Sequence[SharedFace], *, as_json: bool) -> None:
    for one in found:
        if as_json:
            click.echo(json_line(one))
            continue
        click.echo(f"{one.person}  {one.status}  enrolled at {one.device}  consent {one.consent}")
        for door in one.doors:
            state = one.places.get(door, "pending" if one.status == LISTED else "-")
            click.echo(f"  {door}: {state}")
