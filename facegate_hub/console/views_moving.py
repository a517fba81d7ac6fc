"""Somebody moves in or out: their flat, what the page shows them, and what opens doors, by one form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.identity import resident_id
from edge.words import message
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.console.roster_forms import record_from, require_meant
from facegate_hub.console.views_doors import told
from facegate_hub.signer.rights import Permission
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.community.people import Person
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.web.asking import PageAsk

TIES = tuple(TieKind)
MOST_OF_FLAT = 1000


class MovingPages:
    """The forms of moving in and out; `desk` reaches the doors, None: there are none."""

    def __init__(self, desk: DoorsDesk | None) -> None:
        self._desk = desk

    def new(self, ask: PageAsk) -> Response:
        """Return the form of somebody who moves in, or add them: first to the roster of the doors.

        What is refused there leaves nobody here either. Somebody of this number and name who is in the
        roster already, as after a power cut in between, is taken as the same one.
        """
        if ask.request.method == "GET":
            asked = ask.request.query_params
            return ask.page(
                "person_new.html",
                ties=TIES,
                given={name: asked.get(name, "")[:128] for name in ("flat", "name", "resident")},
                may_let_in=self._may_change(ask),
                actor=None if self._desk is None else self._desk.known(ask.token),
                has_doors=self._desk is not None,
            )
        somebody = ask.office.register.sound_one(_somebody(ask))
        if "namesake" not in ask.form and ask.office.register.namesake(somebody) is not None:
            about = {"name": somebody.name.strip(), "flat": somebody.flat}
            raise CommunityRefused(message("community.refused.namesake", **about))
        if self._desk is not None and "at_doors" in ask.form:
            try:
                somebody = replace(somebody, resident=self._let_in(ask, self._desk, somebody))
            except SyncError as error:
                return told(ask, ask.say("failed"), error, status=409)
        return ask.to(f"/people/{ask.office.register.add(ask.asker.doer, somebody)}")

    def person(self, ask: PageAsk) -> Response:
        """Return one person: flats and contact; that somebody looked is entered, and the person sees it."""
        found = ask.office.register.one(str(ask.request.path_params["person"]))
        ask.office.register.note_look(ask.asker.doer, found.id)
        known = None
        if self._desk is not None and found.resident:
            known = self._desk.looking.people.one(found.resident)
        return ask.page(
            "person.html",
            person=found,
            ties=TIES,
            phones=len(Devices(ask.office.book).all(Doer("person", found.id))),
            has_doors=self._desk is not None,
            at_doors=known,
            may_let_in=self._may_change(ask),
        )

    def end_tie(self, ask: PageAsk) -> Response:
        """Let somebody move out of a flat; from their last one, if ticked, also from the doors' roster.

        The doors are done first: if that fails, the person has not moved out here either. Whom to remove
        there comes from the form, which showed the roster's name, and not from the community's database: the
        residents' page can write that.
        """
        found = ask.office.register.one(str(ask.request.path_params["person"]))
        if self._desk is not None and "at_doors" in ask.form and _is_last(found, ask.form.get("tie", "")):
            there = self._desk.looking.people.one(ask.form.get("resident", "")[:128])
            try:
                if there is not None:
                    with self._desk.acting(ask.token) as staff:
                        staff.remove([there.id])
            except SyncError as error:
                return told(ask, ask.say("failed"), error, status=409)
        ask.office.register.end_tie(ask.asker.doer, ask.form.get("tie", ""))
        return ask.to(f"/people/{found.id}")

    def _may_change(self, ask: PageAsk) -> bool:
        known = None if self._desk is None else self._desk.known(ask.token)
        return known is not None and known.may(Permission.ROSTER)

    def _let_in(self, ask: PageAsk, desk: DoorsDesk, somebody: NewPerson) -> str:
        """Have the doors know somebody and return under which number."""
        people = desk.looking.people
        given = ask.form.get("resident", "").strip()
        identity = resident_id(given) if given else self._next_of(desk, somebody.flat)
        if (there := people.one(identity)) is not None:
            if there.record.get("name") != somebody.name.strip():
                raise CommunityRefused(message("community.refused.taken", id=identity))
            return identity
        record = record_from(ask, identity, {})
        require_meant(ask, people, [record])
        with desk.acting(ask.token) as staff:
            staff.import_people([record], before={identity: None})
        return identity

    def _next_of(self, desk: DoorsDesk, flat: str) -> str:
        """Return the first number of a flat that nobody has."""
        taken = {one.id for one in desk.looking.people.page(MOST_OF_FLAT, beginning=f"{flat}-")}
        return next(one for n in range(1, MOST_OF_FLAT + 2) if (one := f"{flat}-{n}") not in taken)


def _somebody(ask: PageAsk) -> NewPerson:
    form = ask.form
    kind = chosen(TieKind, form.get("kind", ""), TieKind.OWNER)
    return NewPerson(
        *(form.get("name", ""), form.get("flat", "").strip(), kind, form.get("language", "zh")),
        *(form.get("contact", ""), form.get("resident", "")),
    )


def _is_last(person: Person, tie: str) -> bool:
    return [one.id for one in person.ties if one.until is None] == [tie]
