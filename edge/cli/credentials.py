"""`facegate pin` and `facegate card`: the ways in beside the face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.cli.data_dir import data_option
from edge.cli.door_files import COMMAND_LINE, opened, tell_journal, tell_taken_back
from edge.cli.identity import PERSON_NAME, RESIDENT_ID
from edge.cli.json_option import json_option
from edge.credentials.card import card_id as card_named
from edge.domain import Resident
from edge.enrol.ways_in import WaysIn
from edge.errors import EnrolmentRefused, StoreError
from edge.events import Kind
from edge.identity import narrow
from edge.identity import resident_id as named
from edge.lazy_group import ToldGroup
from edge.policy.pin import check_pin, random_pin
from edge.runtime.json_lines import json_line
from edge.spellings import reads_like

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F = TypeVar("F", bound="Callable[..., Any]")


def name_option(command: F) -> F:
    """Add `--name`: of somebody who is not known here yet."""
    return click.option(
        "--name", type=PERSON_NAME, default="", help="Of somebody who is not known here yet: they are added."
    )(command)


def require_known(data: Path, resident_id: str, name: str) -> None:
    """Raise `StoreError` for a number that nobody has here, unless a name adds them: nobody else gets in."""
    with opened(data) as files:
        store, *_ = files
        if store.get(resident_id) is not None:
            return
        if not name:
            other = reads_like(resident_id, (one.id for one in store.list()))
            meant = "" if other is None else f"did you mean {other}? "
            raise StoreError(
                f"{resident_id}: nobody has this number here; {meant}facegate enrol list shows everybody,"
                " --name NAME adds them"
            )
        tell_journal(data, Kind.RESIDENT_ADDED, resident_id)
        store.put_people([Resident(resident_id, name)], {resident_id: None})


@click.group(cls=ToldGroup)
def pin() -> None:
    """Give, list and take back PINs: typed as NUMBER * PIN # at the door.

    Example: facegate pin set flat-1203-2 --number 1203
    """


@pin.command("set")
@click.argument("resident_id", type=RESIDENT_ID)
@click.option("--number", required=True, help="What is typed before the PIN: the flat number, say.")
@click.option("--duress", is_flag=True, help="A second PIN that opens as ever and alarms silently.")
@click.option("--ask", is_flag=True, help="Type the PIN instead of getting a random one.")
@name_option
@data_option
def set_(resident_id: str, number: str, duress: bool, ask: bool, name: str, data: Path) -> None:
    """Give RESIDENT_ID a PIN in place of the former one, and show it once.

    Example: facegate pin set flat-1203-2 --number 1203
    """
    try:
        number = narrow(number)
        check_pin(number, "483920")
        require_known(data, resident_id, name)
        typed = _asked_pin() if ask else random_pin(number)
        with WaysIn.of(data) as ways:
            ways.check_pin(resident_id, number, typed)
            # What is given is written down first: a way in that the journal does not know must not exist.
            tell_journal(data, Kind.CREDENTIAL_GIVEN, resident_id, method="pin", number=number)
            ways.set_pin(resident_id, number, typed, is_duress=duress)
    except EnrolmentRefused as error:
        raise EnrolmentRefused(f"{resident_id}: {error}") from error
    click.echo(f"{resident_id}: {number} * {'(as typed)' if ask else typed} #")


def _asked_pin() -> str:
    return narrow(click.prompt("PIN", hide_input=True, confirmation_prompt=True))


@pin.command("list")
@json_option
@data_option
def list_pins(data: Path, as_json: bool) -> None:
    """Show who has a PIN, and under which number; never the PIN.

    Example: facegate pin list
    """
    with WaysIn.of(data) as ways:
        for row in ways.pin_rows():
            line = f"{row.number:>8}  {row.resident_id}{'  (duress)' if row.is_duress else ''}"
            told = {"number": row.number, "person": row.resident_id, "is_duress": row.is_duress}
            click.echo(json_line(told) if as_json else line)


@click.group(cls=ToldGroup)
def card() -> None:
    """Give, list and take back cards.

    Example: facegate card add w26:17:4711 flat-1203-2
    """


@card.command()
@click.argument("card_id")
@click.argument("resident_id", type=RESIDENT_ID)
@name_option
@data_option
def add(card_id: str, resident_id: str, name: str, data: Path) -> None:
    """Give CARD_ID to RESIDENT_ID; a refused card's id is in `facegate events`.

    Example: facegate card add w26:17:4711 flat-1203-2
    """
    card_id = _checked(card_id)
    require_known(data, resident_id, name)
    with WaysIn.of(data) as ways:
        former = ways.cards().get(card_id)
        if former not in {None, resident_id}:
            tell_journal(data, Kind.CREDENTIAL_REMOVED, str(former), method="card")
        # The journal is plain text, and who reads a card's number can copy the card: only that there is one.
        tell_journal(data, Kind.CREDENTIAL_GIVEN, resident_id, method="card")
        ways.give_card(card_id, resident_id, takes_over=True)
    click.echo(f"{card_id}: {resident_id}")


@card.command("list")
@json_option
@data_option
def list_cards(data: Path, as_json: bool) -> None:
    """Show every card and its holder.

    Example: facegate card list
    """
    with WaysIn.of(data) as ways:
        for card_id, resident_id in sorted(ways.cards().items()):
            told = {"card": card_id, "person": resident_id}
            click.echo(json_line(told) if as_json else f"{card_id}  {resident_id}")


@pin.command("remove")
@click.argument("resident_id", type=RESIDENT_ID)
@data_option
def remove_pin(resident_id: str, data: Path) -> None:
    """Take every PIN and card back from RESIDENT_ID.

    Example: facegate pin remove flat-1203-2
    """
    _remove(resident_id, data)


@card.command("remove")
@click.argument("card_or_resident_id")
@data_option
def remove_card(card_or_resident_id: str, data: Path) -> None:
    """Take back one lost card, or every PIN and card of a resident.

    Example: facegate card remove w26:17:4711
    """
    try:
        card_id = card_named(card_or_resident_id)
    except ValueError:  # an id, which may hold a colon, too
        _remove(named(card_or_resident_id), data)
        return
    with WaysIn.of(data) as ways:
        try:
            holder = ways.take_card(card_id, COMMAND_LINE)
        except EnrolmentRefused as error:
            raise StoreError(f"{card_id}: nobody has this card; facegate card list shows them all") from error
    # What is taken back goes first: a lost card must not open while the journal cannot be written.
    click.echo(f"{card_id}: taken back from {holder}")
    tell_taken_back(data)


def _remove(resident_id: str, data: Path) -> None:
    with WaysIn.of(data) as ways:
        count = ways.take_all(resident_id, by=COMMAND_LINE)
    if count:
        click.echo(f"{resident_id}: {count} PIN(s) and card(s) removed")
    tell_taken_back(data)
    if not count:
        raise StoreError(f"{resident_id}: has no PIN and no card; facegate pin list, facegate card list")


def _checked(card_id: str) -> str:
    try:
        return card_named(card_id)
    except ValueError as error:
        raise EnrolmentRefused(str(error)) from error
