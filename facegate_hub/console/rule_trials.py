"""Rules tried on what happened at a site's doors, and what a page shows of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.domain import Reason
from edge.errors import JournalTampered, SyncError
from edge.identity import access_levels
from edge.policy.explain import explain_reason
from edge.policy.rule_edit import differences
from edge.policy.rules_toml import parse_rules
from edge.policy.simulate import ACCESS, simulate
from edge.store.chain import ChainRow, to_event
from edge.wire.records import parse_record
from edge.wire.rules import digest_of
from facegate_hub.reading import EventFilter

if TYPE_CHECKING:
    from edge.domain import DoorEvent, Resident
    from edge.policy.simulate import DecisionChange, Simulation
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_rules import RulesView
    from facegate_hub.web.asking import PageAsk

MOST_EVENTS = 10_000
"""Entries that are looked at, the newest ones: a page must not keep the others waiting."""
MOST_DAYS, DAYS = 31, 7
SHOWN = 50


@dataclass(frozen=True, slots=True)
class RulesTried:
    """What rules would have changed. `doors` (id, name) have those they were made from, and take others."""

    result: Simulation
    is_cut: bool
    days: int
    rules: str
    base: str
    lines: list[tuple[str, str]]
    doors: list[tuple[str, str]]

    @property
    def mark(self) -> str:
        """What stands for the rules in the form that sends them."""
        return digest_of(self.rules)


class RuleTrials:
    """Tries rules over the desk of a site's doors; nothing is altered."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def views(self) -> list[RulesView]:
        """Return every door that told its rules, by id."""
        return self._desk.looking.rules.views()

    def names(self) -> dict[str, str]:
        """Return what people call each door, by id."""
        return {door.id: door.name or door.id for door in self._desk.looking.doors()}

    def tried(self, ask: PageAsk, rules: str, base: str, person: str = "", levels: str = "") -> RulesTried:
        """Return what would have gone otherwise, had these rules been in force (and these levels one's own).

        `base` is the digest of the rules that they were made from. Raises `ConfigError` listing mistakes.
        """
        asked = ask.form.get("days", "")
        days = min(int(asked), MOST_DAYS) if asked.isdecimal() and len(asked) < 4 else DAYS
        book = parse_rules(rules, ask.say("rules.yours"), ask.office.terms.zone.key)
        events, is_cut = self._events(ask, person, days)
        residents = self._residents({one.resident_id for one in events if one.resident_id})
        if person in residents and levels.strip():
            residents[person] = replace(residents[person], access_levels=access_levels(levels))
        alike = [one for one in self.views() if digest_of(one.reported.text) == base]
        names = self.names()
        return RulesTried(
            simulate(events, book, residents.get),
            is_cut,
            days,
            rules,
            base,
            differences(alike[0].reported.text, rules) if alike else [],
            [(one.device, names.get(one.device, one.device)) for one in alike if one.reported.takes],
        )

    def shown(self, ask: PageAsk, tried: RulesTried | None) -> dict[str, Any]:
        """Return what the template of a trial needs."""
        return {
            "trial": tried,
            "changes": [] if tried is None else self._rows(ask, tried.result),
            "most": MOST_EVENTS,
            "days": DAYS if tried is None else tried.days,
            "actor": self._desk.known(ask.token),
        }

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

    def _rows(self, ask: PageAsk, result: Simulation) -> list[dict[str, str]]:
        """Return those that would have gone otherwise, who would have stood outside first."""
        names = self.names()
        order = (*result.newly_refused, *result.newly_allowed)
        return [_row(ask, one, names) for one in order[:SHOWN]]


def _row(ask: PageAsk, change: DecisionChange, names: dict[str, str]) -> dict[str, str]:
    event, answer = change.event, change.answer
    then = str(event.reason or Reason.GRANTED)
    return {
        "time": ask.local(int(event.at.timestamp())),
        "door": names.get(event.door_id, event.door_id),
        "person": event.resident_id or "",
        "then": explain_reason(then, ask.language),
        "now": explain_reason(str(answer.reason), ask.language),
        "tone": "good" if answer.allowed else "bad",
    }
