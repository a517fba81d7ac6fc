"""The people of the door: found by name, flat and what they lack, in pages; somebody new."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from edge.consent.rules import PURPOSE
from edge.domain import Resident
from edge.enrol.few_shots import advice
from edge.errors import EnrolmentRefused, StoreError
from edge.events import EventGroup, Kind
from edge.identity import person_name, resident_id, tidied
from edge.panel.rights import choices, rights_from
from edge.panel.telling import seen_events
from edge.panel.troubles import troubles
from edge.spellings import flat_key, reads_like
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from starlette.responses import Response

    from edge.enrol.ways_in import HeldCredentials
    from edge.panel.asking import Ask
    from edge.panel.desk import PanelServices

PAGE_ROWS = 50
MOST_FAILED = 200
LISTS = ("all", "faceless", "pinless", "unmatched", "again", "few", "over")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person in a list: what they open the door with, and what is wrong."""

    person: Resident
    has_face: bool
    number: str
    cards: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Lacking:
    """Who lacks what, by id; asked once for a page."""

    faces: Collection[str]
    held: HeldCredentials | None
    unmatched: Collection[str]
    again: Collection[str]
    few: Collection[str]
    now: datetime

    def row(self, person: Resident) -> PersonRow:
        number = self.held.pins.get(person.id, "") if self.held else ""
        cards = len(self.held.cards.get(person.id, ())) if self.held else 0
        lists = {"unmatched": self.unmatched, "again": self.again, "list_few": self.few}
        named = {name: person.id in those for name, those in lists.items()}
        faults = [name for name, is_so in named.items() if is_so]
        faults += [] if is_valid(person, self.now) else ["not_valid"]
        return PersonRow(person, person.id in self.faces, number, cards, tuple(faults))

    def has(self, view: str, person: Resident) -> bool:
        """Return whether a person belongs into the list `view`."""
        lists = {"unmatched": self.unmatched, "again": self.again, "few": self.few}
        if view in lists:
            return person.id in lists[view]
        if view == "faceless":
            return person.id not in self.faces
        if view == "pinless":
            return self.held is not None and person.id not in self.held.pins
        return view != "over" or not is_valid(person, self.now)


def residents(ask: Ask) -> Response:
    """Return a page of the people whose number, name, PIN number or card contains what is searched for."""
    params = ask.request.query_params
    wanted, view = tidied(params.get("q", ""))[:80], params.get("show", "all")
    view = view if view in LISTS else "all"
    lacking = _lacking(ask)
    people = ask.desk.residents.list()
    listed = [one for one in people if lacking.has(view, one)]
    found = [one for one in listed if _is_found(one, wanted.lower(), lacking.held)]
    if not found and (key := flat_key(wanted)):  # 3-1203 for 3栋1203
        found = [one for one in listed if flat_key(one.id) == key]
    pages = max(1, math.ceil(len(found) / PAGE_ROWS))
    page = min(max(_number(params.get("page", "")), 1), pages)
    begin = (page - 1) * PAGE_ROWS
    return ask.page(
        "residents.html",
        rows=[lacking.row(one) for one in found[begin : begin + PAGE_ROWS]],
        total=len(found),
        span=(begin + 1, min(begin + PAGE_ROWS, len(found))),
        page=page,
        pages=pages,
        q=wanted,
        view=view,
        where=urlencode({"show": view, "q": wanted}),
        few_advice=advice(1, len(people)) if view == "few" and lacking.few else None,
        counts={name: sum(lacking.has(name, one) for one in people) for name in LISTS},
    )


def _lacking(ask: Ask) -> _Lacking:
    desk = ask.desk
    model_id, held = desk.recogniser.model_id, held_by(desk)
    again, few = desk.residents.other_models(model_id), desk.residents.single_shots(model_id)
    return _Lacking(enrolled(desk), held, desk.unmatched(), again, few, desk.clock.now())


def held_by(desk: PanelServices) -> HeldCredentials | None:
    """Return who holds which PIN and cards, None while that cannot be read."""
    try:
        return desk.ways.held() if desk.ways else None
    except StoreError:
        return None


def _is_found(person: Resident, wanted: str, held: HeldCredentials | None) -> bool:
    if not wanted or wanted in person.id.lower() or wanted in person.name.lower():
        return True
    return held is not None and (
        wanted == held.pins.get(person.id) or wanted in " ".join(held.cards.get(person.id, ())).lower()
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


def enrolled(desk: PanelServices) -> set[str]:
    """Return who agreed to the use of their face here: with nobody else's face does the door compare."""
    return {one.resident_id for one in desk.consents.in_force().values() if one.purpose == PURPOSE}


def failed(ask: Ask) -> Response:
    """Return whom the door fails: refused by face, let in by PIN or card right after."""
    found = troubles(list(seen_events(ask, None, EventGroup.ENTRIES)))
    names = {one.id: one.name for one in ask.desk.residents.list()}
    return ask.page("failed.html", found=found[:MOST_FAILED], names=names)


def new(ask: Ask) -> Response:
    """Return the form for somebody new, or make their sheet: who they are and what they may."""
    if ask.request.method == "GET" or ask.trouble:
        return ask.page("person_new.html", wanted=ask.request.query_params, choices=choices(ask))
    desk, form = ask.desk, ask.form
    identity = resident_id(form.get("resident_id", ""))
    name = person_name(form["name"]) if form.get("name", "").strip() else str(identity)
    if desk.residents.get(identity) is not None:
        raise EnrolmentRefused(message("error.person_there", who=identity))
    if "apart" not in form:
        _require_apart(desk, identity)
    person = rights_from(ask, Resident(identity, name))
    told = {"by": ask.session.user, "access_levels": list(person.access_levels)}
    with desk.doing(Kind.RESIDENT_ADDED, about=identity, **told):
        desk.residents.put_people([person], {identity: None})
    return ask.to(sheet(identity), message("panel.person_made", who=name))


def _require_apart(desk: PanelServices, identity: str) -> None:
    """Refuse a new number that reads like somebody's who is here: they may be one person."""
    names = {one.id: one.name for one in desk.residents.list()}
    if other := reads_like(identity, names):
        raise EnrolmentRefused(message("error.person_alike", id=identity, other=other, name=names[other]))


def sheet(identity: str) -> str:
    """Return the address of a person's sheet."""
    return f"/residents/{quote(identity)}"


def is_valid(person: Resident, now: datetime) -> bool:
    """Return whether a person's validity has begun and not ended."""
    begun = person.valid_from is None or person.valid_from <= now
    return begun and (person.valid_until is None or now < person.valid_until)
