"""Rules tried on past entries before they act: other holidays, other hours, other levels of one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from edge.domain import Reason
from edge.errors import CommunityRefused, ConfigError, JournalTampered, SyncError
from edge.identity import access_levels
from edge.policy.explain import explain_reason
from edge.policy.rules_toml import parse_rules
from edge.policy.simulate import ACCESS, simulate
from edge.store.chain import ChainRow, to_event
from edge.wire.records import parse_record
from edge.wire.rules import digest_of
from edge.words import message
from facegate_hub.console.views_doors import told as told_page
from facegate_hub.reading import EventFilter

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.domain import DoorEvent, Resident
    from edge.policy.simulate import DecisionChange, Simulation
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_rules import RulesView
    from facegate_hub.web.asking import PageAsk

MOST_EVENTS = 10_000
"""Entries that are looked at, the newest ones: a page must not keep the others waiting."""
MOST_DAYS, DAYS = 31, 7
SHOWN = 50
KEPT = "rules.toml"
"""A copy of the doors' rules in the site's folder `hub`, where somebody put one: the form begins with it."""


class RulesPages:
    """The page that tries rules, and sends those that were tried, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk
        self._kept = desk.folder / "hub" / KEPT

    def form(self, ask: PageAsk) -> Response:
        """Return the form, with the doors' own rules and one person's levels where they are known."""
        person = ask.request.query_params.get("person", "")[:128]
        known = self._desk.looking.people.one(person) if person else None
        levels = "" if known is None else ", ".join(known.record.get("access_levels", ["resident"]))
        door = ask.request.query_params.get("door", "")
        rules = next((one.reported.text for one in self._views() if one.device == door), None)
        if rules is None:
            return self._page(ask, self._rules(), person, levels)
        return self._page(ask, rules, person, levels, base=digest_of(rules))

    def attempt(self, ask: PageAsk) -> Response:
        """Return what would have gone otherwise, had these rules and levels been in force."""
        text = ask.files[0].decode("utf-8-sig", "replace") if ask.files else ask.form.get("rules", "")
        text = text.replace("\r\n", "\n")
        person, levels = ask.form.get("person", "").strip()[:128], ask.form.get("levels", "")[:400]
        days = ask.form.get("days", "")
        days_back = min(int(days), MOST_DAYS) if days.isdecimal() and len(days) < 4 else DAYS
        if not text.strip():  # no rules are rules, too: everybody of level resident, always
            return self._page(ask, text, person, levels, status=422, is_empty=True)
        try:
            book = parse_rules(text, ask.say("rules.yours"), ask.office.terms.zone.key)
        except ConfigError as error:
            return self._page(ask, text, person, levels, status=422, wrong=str(error))
        events, is_cut = self._events(ask, person, days_back)
        residents = self._residents({one.resident_id for one in events if one.resident_id})
        if person in residents and levels.strip():
            residents[person] = replace(residents[person], access_levels=access_levels(levels))
        result = simulate(events, book, residents.get)
        return self._page(ask, text, person, levels, result=result, days=days_back, is_cut=is_cut)

    def send(self, ask: PageAsk) -> Response:
        """Send rules that were tried just before to the doors that are chosen."""
        text, base = ask.form.get("rules", "").replace("\r\n", "\n"), ask.form.get("base", "")
        if ask.form.get("tried") != digest_of(text):
            raise CommunityRefused(message("panel.rules_untried"))
        doors = [one.device for one in self._views() if f"door_{one.device}" in ask.form]
        if not doors:
            raise CommunityRefused(message("community.refused.no_door"))
        try:
            with self._desk.acting(ask.token) as staff:
                for door in doors:
                    staff.want_rules(door, base, text)
        except SyncError as error:
            return told_page(ask, ask.say("failed"), str(error), status=409)
        return ask.to("/rules")

    def _views(self) -> list[RulesView]:
        return self._desk.looking.rules.views()

    def _page(
        self, ask: PageAsk, rules: str, person: str, levels: str, *, status: int = 200, **told: object
    ) -> Response:
        result = told.pop("result", None)
        base = str(told.pop("base", "") or ask.form.get("base", ""))[:64]
        views = self._views()
        blank = {"wrong": "", "is_empty": False, "days": DAYS, "is_cut": False}
        return ask.page(
            "rules.html",
            status,
            rules=rules,
            person=person,
            levels=levels,
            most=MOST_EVENTS,
            base=base,
            tried=digest_of(rules),
            views=views,
            alike=[one for one in views if one.reported.takes and digest_of(one.reported.text) == base],
            actor=self._desk.known(ask.token),
            result=result,
            changes=[] if result is None else _rows(ask, result),  # type: ignore[arg-type]
            **(blank | told),
        )

    def _rules(self) -> str:
        try:
            return self._kept.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def _events(self, ask: PageAsk, person: str, days: int) -> tuple[list[DoorEvent], bool]:
        """Return the newest entries and refusals, oldest first, and whether there were more."""
        since = datetime.fromtimestamp(ask.now, UTC) - timedelta(days=days)
        found: list[DoorEvent] = []
        is_cut = False
        for kind in ACCESS:
            wanted = EventFilter(
                kind=str(kind), since=since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), resident=person or None
            )
            page = self._desk.looking.page(wanted, MOST_EVENTS // len(ACCESS))
            is_cut = is_cut or page.then is not None
            for event in page.events:
                try:
                    found.append(to_event(ChainRow(event.seq, "", event.body, "")))
                except (JournalTampered, ValueError, TypeError):
                    continue  # erased with the person it told of
        return sorted(found, key=lambda one: one.at), is_cut

    def _residents(self, ids: set[str]) -> dict[str, Resident]:
        found: dict[str, Resident] = {}
        for identity, one in self._desk.looking.people.some(sorted(ids)).items():
            try:
                found[identity] = parse_record(dict(one.record))[0]
            except SyncError:
                continue
        return found


def _rows(ask: PageAsk, result: Simulation) -> list[dict[str, str]]:
    """Return those that would have gone otherwise, who would have stood outside first."""
    order = (*result.newly_refused, *result.newly_allowed)
    return [_row(ask, one) for one in order[:SHOWN]]


def _row(ask: PageAsk, change: DecisionChange) -> dict[str, str]:
    event, answer = change.event, change.answer
    then = str(event.reason or Reason.GRANTED)
    return {
        "time": ask.local(int(event.at.timestamp())),
        "door": event.door_id,
        "person": event.resident_id or "",
        "then": explain_reason(then, ask.language),
        "now": explain_reason(str(answer.reason), ask.language),
        "tone": "good" if answer.allowed else "bad",
    }
