"""A new PIN or card, given at the desk to the doors that are chosen; the PIN is shown once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge.credentials.card import card_id
from edge.errors import CommunityRefused, EnrolmentRefused, SyncError
from edge.identity import narrow
from edge.policy.pin import random_pin
from edge.words import message
from facegate_hub.console.views_doors import told
from facegate_hub.given_ways import ASKED, REFUSED, TAKEN, WAITING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_view import DoorView
    from facegate_hub.given_ways import GivenWay
    from facegate_hub.people import RosterPerson
    from facegate_hub.staff import Staff
    from facegate_hub.web.asking import PageAsk

MOST_NUMBER = 8
"""Digits that a keypad takes before the PIN."""
_WHO = re.compile(r"(?<=[0-9]{3})[^0-9]+[0-9]{1,2}$")
"""What parts the people of a flat: the second one's number behind that of the flat."""


@dataclass(frozen=True, slots=True)
class ShownWay:
    """A PIN or card as the page shows it; `rest` are doors that do not have it, each with why."""

    number: int
    way: str
    by: str
    at: str
    taken: int
    doors: int
    rest: tuple[tuple[str, str], ...]
    is_asked: bool
    """It waits for a second person."""


class WayPages:
    """What gives PINs and cards, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def pin(self, ask: PageAsk) -> Response:
        """Draw a PIN, give it, and show it this one time."""
        person, number = self._person(ask), narrow(ask.form.get("number", ""))
        try:
            pin = random_pin(number)
        except EnrolmentRefused as error:
            raise CommunityRefused(error.message) from error
        if (refused := self._give(ask, person, {"number": number, "pin": pin})) is not None:
            return refused
        # The PIN itself is shown from this request: what is stored of it only its doors can open.
        newest = self._desk.looking.ways.of(person.id)[0]
        is_asked = ASKED in {status for status, _ in newest.doors.values()}
        return ask.page("pin_given.html", person=person, number=number, pin=pin, is_asked=is_asked)

    def card(self, ask: PageAsk) -> Response:
        """Give a card by its number."""
        person, text = self._person(ask), ask.form.get("card", "").strip()
        try:
            card = card_id(text)
        except ValueError as error:
            raise CommunityRefused(message("error.card_name", card=text[:40])) from error
        refused = self._give(ask, person, {"card": card})
        return ask.to(f"/access/{quote(person.id)}") if refused is None else refused

    def agree(self, ask: PageAsk) -> Response:
        """Agree, as the second person, with a PIN or card that somebody else gave."""
        person, number = self._person(ask), ask.form.get("number", "")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise CommunityRefused(message("community.refused.act"))
        try:
            with self._desk.acting(ask.token) as staff:
                about = {"person": person.id, "number": int(number)}
                staff.ways.agree(int(number), lambda orders: staff.signer.approve_ways(orders, about))
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to(f"/access/{quote(person.id)}")

    def _give(self, ask: PageAsk, person: RosterPerson, secret: Mapping[str, str]) -> Response | None:
        known = self._desk.looking.ways.doors()
        doors = [door for door in known if f"door_{door}" in ask.form]
        if not doors:
            raise CommunityRefused(message("community.refused.no_door"))
        try:
            with self._desk.acting(ask.token) as staff:
                staff.give_way(person.id, secret, doors)
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return None

    def _person(self, ask: PageAsk) -> RosterPerson:
        identity = str(ask.request.path_params["person"])
        found = self._desk.looking.people.one(identity)
        if found is None:
            raise CommunityRefused(message("error.no_resident", id=identity[:64]))
        return found


def keypad_number(person: str) -> str:
    """Return the number to type before the PIN that somebody's own number suggests: that of their flat.

    Residents are told to type their flat's number. 3-1203-2 is the second person of it, and types 31203 too.
    """
    return re.sub(r"\D", "", _WHO.sub("", person), flags=re.ASCII)[:MOST_NUMBER]


def shown_ways(ask: PageAsk, staff: Staff, person: str) -> list[ShownWay]:
    """Return what somebody was given from here, with the doors that do not have it."""
    given = staff.ways.of(person)
    if not given:
        return []
    views = {door.id: door for door in staff.doors()}
    return [_shown(ask, one, views) for one in given]


def _shown(ask: PageAsk, given: GivenWay, views: Mapping[str, DoorView]) -> ShownWay:
    rest = [
        (views[door].name or door if door in views else door, _why(ask, status, why, views.get(door)))
        for door, (status, why) in given.doors.items()
        if status != TAKEN
    ]
    at = ask.local(int(given.at))
    is_asked = ASKED in {status for status, _ in given.doors.values()}
    counts = (given.taken, len(given.doors))
    return ShownWay(given.number, given.way, given.by, at, *counts, tuple(rest), is_asked)


def _why(ask: PageAsk, status: str, why: str | None, view: DoorView | None) -> str:
    """Return why a door does not have something, in the reader's words."""
    if status == REFUSED:
        return ask.say("access.way_refused", why=ask.known(f"access.way_why.{why}"))
    if status != WAITING:
        return ask.say(f"access.way_{status}")
    if view is None or view.availability != "online":
        return ask.say("access.offline")
    return ask.say("access.on_its_way")
