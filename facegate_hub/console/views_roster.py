"""Who may enter: found by number or name, moved in and out, extended, imported with a look first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from edge.errors import CommunityRefused, PanelRefused, SyncError
from edge.identity import resident_id, tidied
from edge.words import message
from facegate_hub.console.roster_forms import (
    list_mark,
    record_from,
    require_apart,
    require_meant,
    require_unchanged,
    rights_mark,
    shown_day,
)
from facegate_hub.console.views_doors import told
from facegate_hub.console.views_ways import keypad_number, shown_ways
from facegate_hub.console.way_doors import doors_for
from facegate_hub.list_encoding import encoding_of
from facegate_hub.sheets import WRITTEN, read_people, words_beyond_ascii, write_people

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from edge.spellings import Spellings
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_view import DoorView
    from facegate_hub.list_encoding import ListEncoding
    from facegate_hub.people import RosterPerson
    from facegate_hub.sheets import PeopleRead
    from facegate_hub.web.asking import PageAsk

PAGE_ROWS = 50
SHOWN = 20
"""Of those that an import adds or changes, as many are named."""
DEFAULTS: Mapping[str, object] = MappingProxyType({"access_levels": ["resident"], "extended_unlock": False})
"""What counts where a record does not say it."""
MOST_LEFT_OUT = 200
"""Of a list's lines that are nobody, as many are shown."""


@dataclass(frozen=True, slots=True)
class GivenList:
    """A list of people that somebody brought, what it means, and whom of it the roster knows now."""

    taken: ListEncoding
    read: PeopleRead
    records: list[dict[str, Any]]
    whom: Spellings
    known: Mapping[str, RosterPerson]

    @property
    def before(self) -> dict[str, Mapping[str, Any] | None]:
        """The records of its people as they are, None of who is new."""
        known = self.known
        return {one["id"]: known[one["id"]].record if one["id"] in known else None for one in self.records}

    @property
    def mark(self) -> str:
        """What stands on the page that shows what it would change."""
        return list_mark(self.before)

    @property
    def kept(self) -> list[tuple[str, str]]:
        """Whose number is written otherwise in the roster, and how."""
        kept = self.whom.kept
        return [(one["id"], kept[one["id"]]) for one in self.read.records if one["id"] in kept]


class RosterPages:
    """The pages of a site's roster, over the desk of its doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def people(self, ask: PageAsk) -> Response:
        """Return people whose number or name contains what is looked for, a page at a time."""
        wanted = tidied(ask.request.query_params.get("q", ""))[:64]
        after = ask.request.query_params.get("after", "")[:128]
        found = self._desk.looking.people.search(wanted, PAGE_ROWS + 1, after)
        return ask.page(
            "roster.html",
            people=found[:PAGE_ROWS],
            wanted=wanted,
            then=found[PAGE_ROWS - 1].id if len(found) > PAGE_ROWS else "",
            count=self._desk.looking.roster().count,
            waiting=[] if wanted or after else self._desk.looking.faces.found(status="waiting")[:PAGE_ROWS],
            actor=self._desk.known(ask.token),
            is_over=lambda one: _is_over(ask, one.record.get("valid_until")),
        )

    def person(self, ask: PageAsk) -> Response:
        """Return one person: rights, where their face is known, and their newest events."""
        found, looking = self._person(ask), self._desk.looking
        return ask.page(
            "roster_person.html",
            ways=shown_ways(ask, looking, found.id),
            way_doors={method: doors_for(ask, looking, found, method) for method in ("pin", "card")},
            keypad=keypad_number(found.id),
            person=found,
            faces=self._desk.looking.faces.found(person=found.id),
            since=shown_day(ask, found.record.get("valid_from"), 0),
            seen=rights_mark(found.record),
            until=shown_day(ask, found.record.get("valid_until"), 1),
            unheard=self._unheard(found),
            actor=self._desk.known(ask.token),
        )

    def save(self, ask: PageAsk) -> Response:
        """Add somebody, or change their name, levels and days; the signer is asked in the actor's name."""
        identity = resident_id(ask.form.get("id", ""))
        before = self._desk.looking.people.one(identity)
        if before is not None and "is_new" in ask.form:
            raise CommunityRefused(message("community.refused.taken", id=identity))
        if before is None and "apart" not in ask.form:
            require_apart(self._desk.looking.people, identity)
        if before is not None:
            require_unchanged(ask, before.record)
        record = record_from(ask, identity, {} if before is None else before.record)
        require_meant(ask, self._desk.looking.people, [record])
        try:
            with self._desk.acting(ask.token) as staff:
                staff.import_people([record], before={identity: None if before is None else before.record})
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to(f"/access/{quote(identity)}")  # a flat's number may hold a # or a ?

    def faces(self, ask: PageAsk) -> Response:
        """Let a face that waits go to the doors that its consent names, or keep it where it was taken."""
        person, lists = ask.form.get("person", "")[:128], ask.form.get("do") == "list"
        try:
            with self._desk.acting(ask.token) as staff:
                staff.decide_faces([person], lists=lists)
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to("/access")

    def end_ways(self, ask: PageAsk) -> Response:
        """Take back a lost card or a PIN that was told on: all of this person's, at every door."""
        found = self._person(ask)
        try:
            with self._desk.acting(ask.token) as staff:
                staff.end_ways(found.id)
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        changed = self._person(ask)
        return ask.page("ways_ended.html", person=changed, unheard=self._unheard(changed))

    def remove(self, ask: PageAsk) -> Response:
        """Let somebody move out: every door erases their face. Their number is typed once more."""
        found = self._person(ask)
        if ask.form.get("again", "").strip() != found.id:
            raise CommunityRefused(message("community.refused.again", id=found.id))
        try:
            with self._desk.acting(ask.token) as staff:
                staff.remove([found.id])
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to("/access")

    def load(self, ask: PageAsk) -> Response:
        """Show what a list would change, or do it."""
        text = ask.files[0] if ask.files else ask.form.get("text", "").encode()
        try:
            given = self._given(ask, text)
            is_sure = "sure" in ask.form
            was_changed = is_sure and ask.form.get("seen", given.mark) != given.mark
            if is_sure and not was_changed:
                require_meant(ask, self._desk.looking.people, given.records)
                with self._desk.acting(ask.token) as staff:
                    done = staff.import_people(given.records, before=given.before)
                return told(ask, ask.say("access.loaded", count=done.read), "", went_well=True)
        except PanelRefused as error:  # no workbook that can be read, in the reader's words
            raise CommunityRefused(error.message) from error
        except SyncError as error:
            return told(ask, ask.say("access.not_loaded"), error, status=422)
        return self._look(ask, given, was_changed=was_changed)

    def _given(self, ask: PageAsk, text: bytes) -> GivenList:
        taken = encoding_of(text)
        read = read_people(text, taken.name, ask.office.terms.zone)
        records, whom = self._desk.looking.people.meant(read.records, read.silent)
        known = self._desk.looking.people.some([one["id"] for one in records])
        return GivenList(taken, read, records, whom, known)

    def _look(self, ask: PageAsk, given: GivenList, *, was_changed: bool) -> Response:
        records, people = given.records, self._desk.looking.people
        fresh = [one for one in records if one["id"] not in given.known]
        changed = [one for one in records if _differs(one, given.known.get(one["id"]))]
        return ask.page(
            "roster_load.html",
            409 if was_changed else 200,
            was_changed=was_changed,
            seen=given.mark,
            read=len(records),
            left_out=given.read.left_out[:MOST_LEFT_OUT],
            unread=list(given.read.unread),
            taken=given.taken,
            guessed=words_beyond_ascii(records, SHOWN) if given.taken.is_guess else [],
            fresh=fresh[:SHOWN],
            fresh_count=len(fresh),
            changed=changed[:SHOWN],
            changed_count=len(changed),
            renamed=list(people.renamed(records).items())[:SHOWN],
            kept=given.kept[:SHOWN],
            alike=list(given.whom.alike.items())[:SHOWN],
            doubtful=people.doubtful_levels(records),
            # The page sends back what was read and shown, not the file: what is done is what somebody has
            # looked at.
            text=write_people(given.read),
            actor=self._desk.known(ask.token),
        )

    def _unheard(self, person: RosterPerson) -> list[DoorView]:
        """Return the doors that have not heard of the last change of somebody."""
        last = self._desk.looking.roster().rev
        return [door for door in self._desk.looking.doors() if last - door.behind < person.rev]

    def _person(self, ask: PageAsk) -> RosterPerson:
        identity = str(ask.request.path_params["person"])
        found = self._desk.looking.people.one(identity)
        if found is None:
            raise CommunityRefused(message("error.no_resident", id=identity[:64]))
        return found


def _differs(record: Mapping[str, Any], known: RosterPerson | None) -> bool:
    """Return whether a list changes somebody, also by an empty cell where something is."""
    return known is not None and any(_said(known.record, one) != _said(record, one) for one in WRITTEN)


def _said(record: Mapping[str, Any], name: str) -> object:
    return record.get(name, DEFAULTS.get(name))


def _is_over(ask: PageAsk, until: str | None) -> bool:
    return until is not None and datetime.fromisoformat(until).timestamp() <= ask.now
