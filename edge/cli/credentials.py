"""`facegate pin` and `facegate card`: the ways in beside the face."""

from __future__ import annotations

import secrets
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import data_option
from edge.cli.identity import RESIDENT_ID
from edge.credentials.card import card_id as card_named
from edge.errors import EnrolmentRefused, StoreError
from edge.identity import resident_id as named
from edge.policy.pin import MIN_DIGITS, PinBook, PinEntry, check_pin
from edge.store.credentials import CREDENTIALS_FILE, PIN_KEY_FILE, CredentialStore, PinRow
from edge.store.sealer import file_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened(data: Path) -> Iterator[CredentialStore]:
    """Open the credentials in the data folder `data`."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(CredentialStore(data / CREDENTIALS_FILE)) as store:
        yield store


def read_pins(store: CredentialStore, data: Path) -> PinBook:
    """Return all PINs as the door uses them."""
    entries = [PinEntry(row.number, row.resident_id, row.digest, row.is_duress) for row in store.pins()]
    return PinBook(file_key(data / PIN_KEY_FILE), entries)


def write_pins(store: CredentialStore, book: PinBook) -> None:
    """Store all PINs of `book`."""
    store.replace_pins(PinRow(e.number, e.resident_id, e.is_duress, e.digest) for e in book.entries)


def random_pin(number: str) -> str:
    """Return a PIN that nobody chose, so nobody guesses it."""
    while True:
        pin = f"{secrets.randbelow(10**MIN_DIGITS):0{MIN_DIGITS}}"
        try:
            check_pin(number, pin)
        except ValueError:
            continue
        return pin


@click.group()
def pin() -> None:
    """Give, list and take back PINs: typed as NUMBER * PIN # at the door.

    Example: facegate pin set flat-1203-2 --number 1203
    """


@pin.command("set")
@click.argument("resident_id", type=RESIDENT_ID)
@click.option("--number", required=True, help="What is typed before the PIN: the flat number, say.")
@click.option("--duress", is_flag=True, help="A second PIN that opens as ever and alarms silently.")
@click.option("--ask", is_flag=True, help="Type the PIN instead of getting a random one.")
@data_option
def set_(resident_id: str, number: str, duress: bool, ask: bool, data: Path) -> None:
    """Give RESIDENT_ID a PIN in place of the former one, and show it once.

    Example: facegate pin set flat-1203-2 --number 1203
    """
    try:
        check_pin(number, "483920")
        typed = click.prompt("PIN", hide_input=True, confirmation_prompt=True) if ask else random_pin(number)
        with opened(data) as store:
            write_pins(store, read_pins(store, data).with_pin(number, resident_id, typed, is_duress=duress))
    except ValueError as error:
        raise EnrolmentRefused(f"{resident_id}: {error}") from error
    click.echo(f"{resident_id}: {number} * {'(as typed)' if ask else typed} #")


@pin.command("list")
@data_option
def list_pins(data: Path) -> None:
    """Show who has a PIN, and under which number; never the PIN.

    Example: facegate pin list
    """
    with opened(data) as store:
        for row in store.pins():
            click.echo(f"{row.number:>8}  {row.resident_id}{'  (duress)' if row.is_duress else ''}")


@click.group()
def card() -> None:
    """Give, list and take back cards.

    Example: facegate card add w26:17:4711 flat-1203-2
    """


@card.command()
@click.argument("card_id")
@click.argument("resident_id", type=RESIDENT_ID)
@data_option
def add(card_id: str, resident_id: str, data: Path) -> None:
    """Give CARD_ID to RESIDENT_ID; a refused card's id is in `facegate events`.

    Example: facegate card add w26:17:4711 flat-1203-2
    """
    card_id = _checked(card_id)
    with opened(data) as store:
        store.put_card(card_id, resident_id)
    click.echo(f"{card_id}: {resident_id}")


@card.command("list")
@data_option
def list_cards(data: Path) -> None:
    """Show every card and its holder.

    Example: facegate card list
    """
    with opened(data) as store:
        for card_id, resident_id in sorted(store.cards().items()):
            click.echo(f"{card_id}  {resident_id}")


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
    with opened(data) as store:
        holder = store.remove_card(card_id)
    if holder is None:
        raise StoreError(f"{card_id}: nobody has this card; facegate card list shows them all")
    click.echo(f"{card_id}: taken back from {holder}")


def _remove(resident_id: str, data: Path) -> None:
    with opened(data) as store:
        count = store.remove(resident_id)
    if not count:
        raise StoreError(f"{resident_id}: has no PIN and no card; facegate pin list, facegate card list")
    click.echo(f"{resident_id}: {count} PIN(s) and card(s) removed")


def _checked(card_id: str) -> str:
    try:
        return card_named(card_id)
    except ValueError as error:
        raise EnrolmentRefused(str(error)) from error
