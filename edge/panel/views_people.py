"""Residents: found, changed, exported, and their consent withdrawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from edge.consent.notice import GREETING_NOTICE, notice_text
from edge.consent.receipt import printed
from edge.consent.rules import GREETING, PURPOSE, Statement, consent_from
from edge.enrol.few_shots import advice
from edge.enrol.withdrawal import WithdrawalDesk
from edge.errors import PanelRefused
from edge.events import EventGroup, Kind
from edge.identity import access_levels
from edge.panel.telling import seen_events
from edge.panel.troubles import troubles
from edge.store.person import export_person
from edge.words import message

if TYPE_CHECKING:
    from edge.domain import Consent, Resident
    from edge.panel.asking import Ask
    from edge.panel.desk import PanelServices
    from edge.words import Message

MOST_SHOWN = 200
"""Rows of one page; the search narrows a longer list."""


def residents(ask: Ask) -> Response:
    """Return the residents whose number or name contains what is searched for, or one of the lists."""
    wanted = ask.request.query_params.get("q", "")[:80].lower()
    view = ask.request.query_params.get("show", "all")
    model_id = ask.desk.recogniser.model_id
    again, few = ask.desk.residents.other_models(model_id), ask.desk.residents.single_shots(model_id)
    now = ask.desk.clock.now()
    people = ask.desk.residents.list()
    unmatched = ask.desk.unmatched()
    lists = {
        "all": people,
        "unmatched": [one for one in people if one.id in unmatched],
        "again": [one for one in people if one.id in again],
        "few": [one for one in people if one.id in few],
        "over": [one for one in people if not _is_valid(one, now)],
    }
    found = [one for one in lists.get(view, people) if wanted in one.id.lower() or wanted in one.name.lower()]
    return ask.page(
        "residents.html",
        found=found[:MOST_SHOWN],
        total=len(found),
        q=wanted,
        view=view,
        counts={name: len(rows) for name, rows in lists.items()},
        again=again,
        few=few,
        few_advice=advice(1, len(people)) if view == "few" and few else None,
        unmatched=unmatched,
        over={one.id for one in lists["over"]},
        enrolled=enrolled(ask.desk),
    )


def enrolled(desk: PanelServices) -> set[str]:
    """Return who agreed to the use of their face here: with nobody else's face does the door compare."""
    return {one.resident_id for one in desk.consents.in_force().values() if one.purpose == PURPOSE}


def failed(ask: Ask) -> Response:
    """Return whom the door fails: refused by face, let in by PIN or card right after."""
    found = troubles(list(seen_events(ask, None, EventGroup.ENTRIES)))
    names = {one.id: one.name for one in ask.desk.residents.list()}
    return ask.page("failed.html", found=found[:MOST_SHOWN], names=names)


def resident(ask: Ask) -> Response:
    """Return everything known about one resident, but never a picture: there is none."""
    person = _person(ask)
    return ask.page(
        "resident.html",
        person=person,
        templates=ask.desk.residents.templates_of(person.id),
        consents=ask.desk.consents.of(person.id),
        unmatched=ask.desk.unmatched().get(person.id),
        again=person.id in ask.desk.residents.other_models(ask.desk.recogniser.model_id),
        few_advice=_few_advice(ask, person),
        reach=ask.desk.sharing.reach(person.id) if ask.desk.sharing else {},
        is_welcomed=bool(_greetings(ask, person)),
        greeting_notice=notice_text(GREETING_NOTICE, ask.language, ask.desk.operator),
    )


def _few_advice(ask: Ask, person: Resident) -> Message | None:
    is_one = person.id in ask.desk.residents.single_shots(ask.desk.recogniser.model_id)
    return advice(1, len(ask.desk.residents.list())) if is_one else None


def change(ask: Ask) -> Response:
    """Change validity, access levels and the length of the opening; the templates stay as they are."""
    person = _person(ask)
    form = ask.form
    levels = access_levels(form.get("levels", ""))
    changed = replace(
        person,
        access_levels=levels,
        valid_from=_time(ask, form.get("valid_from", "")),
        valid_until=_time(ask, form.get("valid_until", "")),
        extended_unlock="extended_unlock" in form,
    )
    if changed.valid_from and changed.valid_until and changed.valid_from >= changed.valid_until:
        raise PanelRefused(message("panel.times_crossed"))
    with ask.desk.doing(
        Kind.RESIDENT_CHANGED,
        about=person.id,
        by=ask.session.user,
        access_levels=list(levels),
        valid_from=_text(changed.valid_from),
        valid_until=_text(changed.valid_until),
        extended_unlock=changed.extended_unlock,
    ):
        ask.desk.residents.put(changed, ask.desk.residents.templates_of(person.id))
    return ask.to(f"/residents/{quote(person.id)}")


def welcome(ask: Ask) -> Response:
    """Record that a resident agrees to be welcomed by name on the display, or end that."""
    person = _person(ask)
    desk, by = ask.desk, ask.session.user
    if ask.form.get("do") == "end":
        for consent in _greetings(ask, person):
            told = {"by": by, "consent": consent.id, "purpose": GREETING}
            with desk.doing(Kind.CONSENT_ENDED, about=person.id, **told):
                desk.consents.end(consent.id, desk.clock.now())
        return ask.to(f"/residents/{quote(person.id)}")
    statement = Statement(
        person.id, agrees=True, language=ask.language, notice=GREETING_NOTICE, purpose=GREETING
    )
    consent = consent_from(statement, by, desk.clock.now())
    told = {"by": by, "consent": consent.id, "purpose": GREETING}
    with desk.doing(Kind.CONSENT_RECORDED, about=person.id, **told):
        desk.consents.record(consent)
    return ask.to(f"/residents/{quote(person.id)}")


def withdraw(ask: Ask) -> Response:
    """Withdraw the consent: key destroyed, templates erased, receipt signed; then show the receipt."""
    person = _person(ask)
    desk = ask.desk
    office = WithdrawalDesk(
        desk.door_id, desk.residents, desk.consents, desk.receipt_key, desk.clock, desk.log
    )
    if desk.sharing is not None:
        office = replace(office, elsewhere=desk.sharing.end)
    receipt, line = office.withdraw(person.id, ask.session.user)
    page = printed(receipt, line, ask.language, ask.desk.zone)
    return ask.page("receipt.html", text=page, qr=_qr(line), person=person)


def export(ask: Ask) -> Response:
    """Return all that is stored about one person, as a file."""
    person = _person(ask)
    ask.desk.note(Kind.RESIDENT_EXPORTED, about=person.id, by=ask.session.user)
    data = export_person(ask.desk.residents, ask.desk.consents, person.id)
    headers = {"Content-Disposition": 'attachment; filename="facegate-person.json"'}
    return JSONResponse(data, headers=headers)


def _person(ask: Ask) -> Resident:
    identity = ask.request.path_params["resident_id"]
    person = ask.desk.residents.get(identity)
    if person is None:
        raise PanelRefused(message("error.no_resident", id=identity[:64]))
    return person


def _greetings(ask: Ask, person: Resident) -> list[Consent]:
    """Return the consents in force to be welcomed by name."""
    found = ask.desk.consents.of(person.id)
    return [one for one in found if one.purpose == GREETING and one.withdrawn_at is None]


def _is_valid(person: Resident, now: datetime) -> bool:
    begun = person.valid_from is None or person.valid_from <= now
    return begun and (person.valid_until is None or now < person.valid_until)


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _time(ask: Ask, text: str) -> datetime | None:
    """Return the moment when the site's clocks show `text`; of an hour that comes twice, the first."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ask.desk.zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PanelRefused(message("error.time", text=text[:40])) from error


def _qr(line: str) -> str:
    """Return the signed line as a QR code, an image for `src=`."""
    import segno  # noqa: PLC0415 - only a withdrawal draws one

    return str(segno.make(line, error="m").svg_data_uri(scale=3))
