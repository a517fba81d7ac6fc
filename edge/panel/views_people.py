"""Residents: found, changed, exported, and their consent withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from edge.consent.receipt import Receipt, printed, signed
from edge.errors import PanelRefused
from edge.store.consents import erase_face

if TYPE_CHECKING:
    from edge.domain import Consent, Resident
    from edge.panel.asking import Ask

MOST_SHOWN = 200
"""Rows of one page; the search narrows a longer list."""


def residents(ask: Ask) -> Response:
    """Return the residents whose number or name contains what is searched for."""
    wanted = ask.request.query_params.get("q", "")[:80].lower()
    found = [
        one for one in ask.desk.residents.list() if wanted in one.id.lower() or wanted in one.name.lower()
    ]
    again = ask.desk.residents.other_models(ask.desk.recogniser.model_id)
    return ask.page("residents.html", found=found[:MOST_SHOWN], total=len(found), q=wanted, again=again)


def resident(ask: Ask) -> Response:
    """Return everything known about one resident, but never a picture: there is none."""
    person = _person(ask)
    templates = ask.desk.residents.templates_of(person.id)
    consents = ask.desk.consents.of(person.id)
    return ask.page("resident.html", person=person, templates=templates, consents=consents)


def change(ask: Ask) -> Response:
    """Change validity and access levels; the templates stay as they are."""
    person = _person(ask)
    levels = tuple(level.strip()[:64] for level in ask.form.get("levels", "").split(",") if level.strip())
    changed = replace(person, access_levels=levels, valid_until=_time(ask.form.get("valid_until", "")))
    ask.desk.note(
        "resident.changed", about=person.id, by=ask.session.user, access_levels=list(levels),
        valid_until=changed.valid_until.isoformat() if changed.valid_until else None,
    )  # fmt: skip
    ask.desk.residents.put(changed, ask.desk.residents.templates_of(person.id))
    return ask.to(f"/residents/{person.id}")


def withdraw(ask: Ask) -> Response:
    """Withdraw the consent: key destroyed, templates erased, receipt signed; then show the receipt."""
    person = _person(ask)
    desk, at = ask.desk, ask.desk.clock.now()
    desk.note("consent.withdrawn", about=person.id, by=ask.session.user)
    ended = desk.consents.withdraw(person.id, at)
    erasure = erase_face(desk.residents, person.id)
    key = erasure.key_fingerprint or "-"
    receipt = Receipt(desk.door_id, person.id, at.isoformat(), erasure.templates, ended, key)
    line = signed(receipt, desk.receipt_key)
    desk.consents.keep_receipt(person.id, line)
    desk.note("face.erased", about=person.id, templates=erasure.templates, key=key)
    page = printed(receipt, line, ask.language)
    return ask.page("receipt.html", text=page, qr=_qr(line), person=person)


def export(ask: Ask) -> Response:
    """Return all that is stored about one person, as a file."""
    person = _person(ask)
    ask.desk.note("resident.exported", about=person.id, by=ask.session.user)
    data = {
        "resident": ask.desk.residents.export(person.id),
        "consents": [_shown(consent) for consent in ask.desk.consents.of(person.id)],
        "receipt": ask.desk.consents.receipt_of(person.id),
    }
    headers = {"Content-Disposition": 'attachment; filename="facegate-person.json"'}
    return JSONResponse(data, headers=headers)


def _person(ask: Ask) -> Resident:
    identity = ask.request.path_params["resident_id"]
    person = ask.desk.residents.get(identity)
    if person is None:
        raise PanelRefused(f"{identity[:64]!r}: no such resident")
    return person


def _shown(consent: Consent) -> dict[str, object]:
    return {
        "id": consent.id,
        "given_at": consent.given_at.isoformat(),
        "notice": consent.notice,
        "language": consent.language,
        "purpose": consent.purpose,
        "recorded_by": consent.recorded_by,
        "is_minor": consent.is_minor,
        "guardian": consent.guardian,
        "withdrawn_at": consent.withdrawn_at.isoformat() if consent.withdrawn_at else None,
    }


def _time(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise PanelRefused(f"{text[:40]!r} is not a time; write 2026-12-31T18:00") from error


def _qr(line: str) -> str:
    """Return the signed line as a QR code, an image for `src=`."""
    import segno  # noqa: PLC0415 - only a withdrawal draws one

    return str(segno.make(line, error="m").svg_data_uri(scale=3))
