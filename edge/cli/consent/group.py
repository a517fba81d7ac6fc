"""`facegate consent`: who agreed to the use of the face, on what, and how it ends."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.consent.agreement import Agreement, agreement_options, recorded
from edge.cli.consent.papers import export, receipt_key, verify_receipt
from edge.cli.data_dir import data_option
from edge.cli.door_files import looked_at, opened
from edge.cli.identity import RESIDENT_ID, nobody_called
from edge.cli.json_option import json_option
from edge.cli.run import DEFAULT_CONFIG
from edge.events import Kind
from edge.lazy_group import ToldGroup
from edge.words import LANGUAGES

if TYPE_CHECKING:
    from edge.domain import Consent
    from edge.store.residents import ResidentStore


@click.group(cls=ToldGroup)
def consent() -> None:
    """Record, list and withdraw consents: a face without one is never matched.

    Example: facegate consent record flat-1203 --consent signed-paper-2026-03
    """


@consent.command()
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the notice.",
)
@click.option("--greeting", is_flag=True, help="The one for being welcomed by name.")
@click.option("--sign", is_flag=True, help="The line for a sign beside the camera.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Settings that name the operator. [default: {DEFAULT_CONFIG} if there]",
)
def notice(language: str, greeting: bool, sign: bool, config: Path | None) -> None:
    """Print the notice to read and sign before a face is enrolled, or the sign beside the camera.

    Who is responsible stands in the table [site] of the settings.

    Example: facegate consent notice --language zh
    """
    from edge.config.load import load_settings
    from edge.consent.notice import CURRENT, GREETING_NOTICE, notice_text, sign_text
    from edge.service.panel.operator import operator_of

    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    operator = None if path is None else operator_of(load_settings(path))
    if sign:
        click.echo(sign_text(language, operator))
        return
    version = GREETING_NOTICE if greeting else CURRENT
    click.echo(f"{notice_text(version, language, operator)}\n\n({version})")


@consent.command()
@click.argument("residents", nargs=-1, required=True, type=RESIDENT_ID)
@click.option("--greeting", is_flag=True, help="Agreed to be welcomed by name on the display at the gate.")
@agreement_options
@data_option
def record(residents: tuple[str, ...], greeting: bool, agreement: Agreement, data: Path) -> None:
    """Record that RESIDENTS agreed; faces they are enrolled with are matched within a second.

    A consent to the same that is on record already ends: the last one counts.

    For doors older than the ledger: facegate consent record $(facegate consent list --missing) ...

    Example: facegate consent record flat-1203 flat-1204 --consent signed-paper --consent-on 2026-03-14
    """
    from dataclasses import replace

    from edge.consent.rules import GREETING
    from edge.enrol.earlier import end_older
    from edge.runtime.clock import SystemClock
    from edge.store.consents import bind_consent

    if agreement.where is None:
        raise click.UsageError("--consent: say where the agreement is kept, such as signed-paper-2026-03")
    told = replace(agreement, purpose=GREETING) if greeting else agreement
    with opened(data) as (store, ledger, note):
        for resident_id in residents:
            _require(store, resident_id)
            given = recorded(told.settle(resident_id, ledger), ledger)
            note(Kind.CONSENT_RECORDED, resident_id, by=told.by, consent=given.id, purpose=given.purpose)
            bound = 0 if greeting else bind_consent(store, given)
            end_older(ledger, given, told.by, SystemClock(), note.record)
            click.echo(f"{resident_id}: recorded; {bound} template(s) under it")


@consent.command("list")
@click.option("--missing", is_flag=True, help="Only the ids of those enrolled and not matched.")
@json_option
@data_option
def list_(missing: bool, as_json: bool, data: Path) -> None:
    """List every resident's consents, and who is enrolled without one.

    Example: facegate consent list --missing
    """
    from edge.consent.rules import matchable

    with looked_at(data) as (store, ledger):
        in_force = ledger.in_force()
        for resident in store.list():
            kept, objections = matchable(store.templates_of(resident.id), in_force)
            reason = next(iter(objections.values()), None)
            if missing and reason is not None:
                click.echo(resident.id)
            if not missing:
                status = "matched" if kept else reason.value if reason else "no face"
                click.echo(_shown(resident.id, status, ledger.of(resident.id), as_json=as_json))


@consent.command()
@click.argument("resident_id", type=RESIDENT_ID)
@click.option("--by", default=getpass.getuser, show_default="your login", help="Who takes it down.")
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="Language of the receipt.",
)
@data_option
def withdraw(resident_id: str, by: str, language: str, data: Path) -> None:
    """End RESIDENT_ID's consents: templates erased, key destroyed; prints the signed receipt to keep.

    A running door refuses the face within a second. PIN and card go on working.

    Example: facegate consent withdraw flat-1203
    """
    from dataclasses import replace
    from functools import partial

    from edge.consent.receipt import printed
    from edge.enrol.withdrawal import WithdrawalDesk
    from edge.runtime.clock import SystemClock
    from edge.service.panel.office import RECEIPT_KEY_FILE
    from edge.service.sharing.desk import opened_records
    from edge.web.tls import signing_key

    with opened(data) as (store, ledger, note):
        _require(store, resident_id)
        key = partial(signing_key, data / RECEIPT_KEY_FILE)
        desk = WithdrawalDesk(note.door_id, store, ledger, key, SystemClock(), note)
        with opened_records(note.door_id, store, ledger) as shared:
            desk = desk if shared is None else replace(desk, elsewhere=shared.end)
            receipt, line = desk.withdraw(resident_id, by)
    click.echo(printed(receipt, line, language))


for command in (export, verify_receipt, receipt_key):
    consent.add_command(command)


def _require(store: ResidentStore, resident_id: str) -> None:
    if store.get(resident_id) is None:
        raise nobody_called(resident_id, (one.id for one in store.list()))


def _shown(resident_id: str, status: str, consents: tuple[Consent, ...], *, as_json: bool) -> str:
    rows = [
        {
            "purpose": one.purpose,
            "given": f"{one.given_at:%Y-%m-%d}",
            "notice": one.notice,
            "recorded_by": one.recorded_by,
            "guardian": one.guardian,
            "withdrawn": f"{one.withdrawn_at:%Y-%m-%d}" if one.withdrawn_at else None,
        }
        for one in consents
    ]
    if as_json:
        return json.dumps({"id": resident_id, "face": status, "consents": rows}, ensure_ascii=False)
    words = "; ".join(f"{r['purpose']} {r['given']} by {r['recorded_by']}" + _end(r) for r in rows)
    return f"{resident_id:20s} {status:18s} {words or 'no consent on record'}"


def _end(row: dict[str, str | None]) -> str:
    return f", withdrawn {row['withdrawn']}" if row["withdrawn"] else ""
