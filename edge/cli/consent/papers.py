"""What a person may ask for: all that is stored about them, and whether their receipt is genuine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TextIO

import click

from edge.cli.data_dir import data_option
from edge.cli.identity import RESIDENT_ID, nobody_called
from edge.events import Kind

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("resident_id", type=RESIDENT_ID)
@click.option("--out", type=click.File("w", encoding="utf-8", lazy=True), default="-", help="File to write.")
@data_option
def export(resident_id: str, out: TextIO, data: Path) -> None:
    """Write all that is stored about RESIDENT_ID as JSON: rights, templates, consents, events.

    It goes to the person and to nobody else: the templates are in it.

    Example: facegate consent export flat-1203 --out flat-1203.json
    """
    import getpass

    from edge.cli.door_files import opened
    from edge.store.person import export_person

    with opened(data) as (store, ledger, note):
        found = export_person(store, ledger, resident_id)
        if found is None:
            raise nobody_called(resident_id, (one.id for one in store.list()))
        note(Kind.RESIDENT_EXPORTED, resident_id, by=getpass.getuser())
    json.dump(found, out, ensure_ascii=False, indent=1)
    out.write("\n")


@click.command("verify-receipt")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--key", help="Public key of the door (facegate consent receipt-key); default: this door's.")
@data_option
def verify_receipt(file: TextIO, key: str | None, data: Path) -> None:
    """Check the receipt in FILE: the page, its signed line, or - for what the QR code says.

    Example: facegate consent verify-receipt receipt.txt
    """
    from edge.consent.receipt import line_in, public_key, verified

    receipt = verified(line_in(file.read()), public_key(key or _own_key(data)))
    click.echo(
        f"genuine: {receipt.door} erased {receipt.templates} template(s) of {receipt.resident_id}"
        f" at {receipt.withdrawn_at}, key {receipt.key}"
    )


@click.command("receipt-key")
@data_option
def receipt_key(data: Path) -> None:
    """Print the public key of this door's receipts, for whoever wants to check one without the door.

    Example: facegate consent receipt-key
    """
    click.echo(_own_key(data))


def _own_key(data: Path) -> str:
    from edge.consent.receipt import public_text
    from edge.errors import ConsentRefused
    from edge.service.panel.office import RECEIPT_KEY_FILE
    from edge.web.tls import signing_key

    if not (data / RECEIPT_KEY_FILE).exists():
        raise ConsentRefused(
            f"{data}: this door has signed no receipt; name its folder with --data, or --key"
        )
    return public_text(signing_key(data / RECEIPT_KEY_FILE).public_key())
