"""One person's sheet: face, PIN, card, visitor pass, rights, consent, history; and what changes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from edge.consent.notice import GREETING_NOTICE, notice_text
from edge.consent.receipt import printed
from edge.consent.rules import GREETING, PURPOSE, Statement, consent_from
from edge.enrol.few_shots import advice
from edge.enrol.leaving import LeavingDesk
from edge.enrol.renumbering import RenumberingDesk, check_renumbering
from edge.enrol.withdrawal import WithdrawalDesk
from edge.entry_facts import EntryFacts
from edge.errors import PanelRefused, StoreError
from edge.events import Kind
from edge.identity import person_name, resident_id, tidied
from edge.panel.asking import PEOPLE
from edge.panel.pictures import qr_of
from edge.panel.rights import choices, require_unchanged, rights_from, rights_mark
from edge.panel.telling import seen_events, told
from edge.panel.views_people import held_by, is_valid, sheet
from edge.store.person import export_person
from edge.store.roster import SOURCE
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from edge.domain import Consent, DoorEvent, Resident
    from edge.panel.asking import Ask
    from edge.store.credentials import IssuedPass
    from edge.words import Message

HISTORY_ROWS = 8
CARD_MINUTES = 10
"""How long ago an unknown card may have been held to the reader to be offered."""

MOST_LOOKED = 300
"""Entries looked through for unknown cards."""

PASS_HOURS = (2, 8, 24, 72, 168)
PASS_USES = (1, 2, 5, 10, 0)


def resident(ask: Ask) -> Response:
    """Return everything known about one person, but never a picture: there is none."""
    person = person_of(ask)
    desk, held = ask.desk, held_by(ask.desk)
    if ask.session.role in PEOPLE:
        # Whoever has a sheet open may hold a new card to the reader: the next unknown one is no guess.
        desk.expect_card()
    consents = desk.consents.of(person.id)
    history = _history(seen_events(ask, None), person.id)
    return ask.page(
        "resident.html",
        person=person,
        has_page=bool(desk.residents_page),
        is_valid=is_valid(person, desk.clock.now()),
        face_at=desk.residents.last_enrolled().get(person.id),
        templates=desk.residents.templates_of(person.id),
        consents=consents,
        has_consent=any(one.purpose == PURPOSE and one.withdrawn_at is None for one in consents),
        unmatched=desk.unmatched().get(person.id),
        again=person.id in desk.residents.other_models(desk.recogniser.model_id),
        few_advice=_few_advice(ask, person),
        reach=desk.sharing.reach(person.id) if desk.sharing else {},
        is_welcomed=bool(_greetings(ask, person)),
        greeting_notice=notice_text(GREETING_NOTICE, ask.language, desk.operator),
        held=held,
        number=held.pins.get(person.id, "") if held else "",
        suggested_number=_suggested_number(person.id),
        cards=held.cards.get(person.id, ()) if held else (),
        shown_cards=unknown_cards(ask),
        passes=[one for one in _passes(ask, person.id) if one.until > desk.clock.now()],
        pass_hours=PASS_HOURS,
        pass_uses=PASS_USES,
        choices=choices(ask, person.access_levels),
        seen=rights_mark(person),
        is_of_property=desk.residents.source_of(person.id) == SOURCE,
        shown=told(ask, list(islice(history, HISTORY_ROWS))),
    )


def _few_advice(ask: Ask, person: Resident) -> Message | None:
    is_one = person.id in ask.desk.residents.single_shots(ask.desk.recogniser.model_id)
    return advice(1, len(ask.desk.residents.list())) if is_one else None


def _history(newest_first: Iterator[DoorEvent], identity: str) -> Iterator[DoorEvent]:
    """Yield what is about a person: before they got their id, what is about the one they had then."""
    for event in newest_first:
        if identity in {event.resident_id, event.data.get("host")}:
            yield event
            was = event.data.get("was")
            if event.kind == Kind.RESIDENT_RENUMBERED and isinstance(was, str):
                # From here backwards they had another id.
                identity = was


def _suggested_number(identity: str) -> str:
    """Return the digits of an id that may be the flat's number: the longest run of them."""
    runs = "".join(sign if sign.isascii() and sign.isdigit() else " " for sign in identity).split()
    return max(runs, key=len, default="")[:8]


def _passes(ask: Ask, identity: str) -> list[IssuedPass]:
    try:
        return ask.desk.ways.passes_of(identity) if ask.desk.ways else []
    except StoreError:
        return []


def unknown_cards(ask: Ask) -> list[dict[str, str]]:
    """Return the cards that nobody has and that were held to the reader just now, the newest first."""
    now = ask.desk.clock.now()
    known = (
        {card for cards in held.cards.values() for card in cards} if (held := held_by(ask.desk)) else set()
    )
    seen: dict[str, str] = {}
    for event in islice(seen_events(ask, None), MOST_LOOKED):
        # On either side: the clock may have been set since. One odd entry hides none before it.
        if abs(now - event.at) > timedelta(minutes=CARD_MINUTES):
            continue
        card = EntryFacts.read(event.data).card
        if event.kind == Kind.ACCESS_DENIED and card is not None and card not in known:
            seen.setdefault(card, ask.local(event.at, "%H:%M:%S"))
    return [{"card": card, "time": time} for card, time in seen.items()]


def change(ask: Ask) -> Response:
    """Change name, validity, access levels and the length of the opening; the templates stay as they are."""
    person = person_of(ask)
    require_unchanged(ask, person)
    name = person_name(ask.form["name"]) if ask.form.get("name", "").strip() else person.name
    changed = rights_from(ask, replace(person, name=name))
    told_of = {
        "by": ask.session.user,
        "access_levels": list(changed.access_levels),
        "valid_from": _text(changed.valid_from),
        "valid_until": _text(changed.valid_until),
        "extended_unlock": changed.extended_unlock,
    }
    with ask.desk.doing(Kind.RESIDENT_CHANGED, about=person.id, **told_of):
        ask.desk.residents.put_people([changed], {person.id: person})
    return ask.to(f"{sheet(person.id)}#rights", message("panel.rights_saved", who=changed.name))


def welcome(ask: Ask) -> Response:
    """Record that a person agrees to be welcomed by name on the display, or end that."""
    person = person_of(ask)
    desk, by = ask.desk, ask.session.user
    if ask.form.get("do") == "end":
        for consent in _greetings(ask, person):
            about = {"by": by, "consent": consent.id, "purpose": GREETING}
            with desk.doing(Kind.CONSENT_ENDED, about=person.id, **about):
                desk.consents.end(consent.id, desk.clock.now())
        return ask.to(f"{sheet(person.id)}#consent")
    statement = Statement(
        person.id, agrees=True, language=ask.language, notice=GREETING_NOTICE, purpose=GREETING
    )
    consent = consent_from(statement, by, desk.clock.now())
    about = {"by": by, "consent": consent.id, "purpose": GREETING}
    with desk.doing(Kind.CONSENT_RECORDED, about=person.id, **about):
        desk.consents.record(consent)
    return ask.to(f"{sheet(person.id)}#consent")


def withdraw(ask: Ask) -> Response:
    """Withdraw the consent: key destroyed, templates erased, receipt signed; then show the receipt."""
    person = person_of(ask)
    require_typed(ask, person.id)
    desk = ask.desk
    office = WithdrawalDesk(
        desk.door_id, desk.residents, desk.consents, desk.receipt_key, desk.clock, desk.log
    )
    if desk.sharing is not None:
        office = replace(office, elsewhere=desk.sharing.end)
    receipt, line = office.withdraw(person.id, ask.session.user)
    page = printed(receipt, line, ask.language, ask.desk.zone)
    return ask.page("receipt.html", text=page, qr=qr_of(line), person=person)


def move_out(ask: Ask) -> Response:
    """Remove a person with everything they open the door with."""
    person = person_of(ask)
    require_typed(ask, person.id)
    desk = ask.desk
    if desk.ways is None:
        raise PanelRefused(message("panel.no_ways"))
    office = LeavingDesk(desk.residents, desk.consents, desk.ways, desk.clock, desk.log.commit)
    if desk.sharing is not None:
        office = replace(office, elsewhere=desk.sharing.end)
    office.move_out(person.id, ask.session.user)
    return ask.to("/residents", message("panel.moved_out", who=person.name))


def renumber(ask: Ask) -> Response:
    """Give a person another number; face, consents, PINs, cards and history go along."""
    person = person_of(ask)
    desk = ask.desk
    if desk.ways is None:
        raise PanelRefused(message("panel.no_ways"))
    with ask.about("new_id"):
        now = resident_id(ask.form.get("new_id", ""))
        reach = desk.sharing.reach if desk.sharing else lambda _: {}
        check_renumbering(desk.residents, person.id, now, desk.rules(), reach)
    office = RenumberingDesk(desk.residents, desk.consents, desk.ways)
    office.renumber(person.id, now, ask.session.user, desk.clock, desk.log)
    return ask.to(sheet(now), message("panel.renumbered", who=person.name, was=person.id, now=now))


def export(ask: Ask) -> Response:
    """Return all that is stored about one person, as a file."""
    person = person_of(ask)
    ask.desk.note(Kind.RESIDENT_EXPORTED, about=person.id, by=ask.session.user)
    data = export_person(ask.desk.residents, ask.desk.consents, person.id)
    headers = {"Content-Disposition": 'attachment; filename="facegate-person.json"'}
    return JSONResponse(data, headers=headers)


def require_typed(ask: Ask, identity: str) -> None:
    """Raise `PanelRefused` unless what cannot be undone was confirmed by typing the id."""
    if tidied(ask.form.get("typed", "")) != identity:
        ask.field = f"typed-{ask.request.url.path.rpartition('/')[2]}"
        raise PanelRefused(message("error.typed", who=identity))


def person_of(ask: Ask) -> Resident:
    """Return the person the page is about. Raises `PanelRefused` when there is none."""
    identity = ask.request.path_params["resident_id"]
    person = ask.desk.residents.get(identity)
    if person is None:
        raise PanelRefused(message("error.no_resident", id=identity[:64]))
    return person


def _greetings(ask: Ask, person: Resident) -> list[Consent]:
    """Return the consents in force to be welcomed by name."""
    found = ask.desk.consents.of(person.id)
    return [one for one in found if one.purpose == GREETING and one.withdrawn_at is None]


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
