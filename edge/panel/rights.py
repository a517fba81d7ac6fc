"""What a person may, on a form: levels and groups from the list of the rules, dates of the site's clocks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.identity import access_levels, tidied
from edge.policy.rulebook import ANY
from edge.policy.schedule import ALWAYS, NEVER, WEEKDAYS
from edge.sheet_cells import has_short_year, moment_in
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Resident
    from edge.panel.asking import Ask
    from edge.policy.rulebook import Level, RightsGroup
    from edge.policy.schedule import Schedule


@dataclass(frozen=True, slots=True)
class RightsChoice:
    """A level or group that can be ticked. `told` says what it allows; "" for one the rules do not know."""

    name: str
    told: str
    is_known: bool = True


def choices(ask: Ask, held: Sequence[str] = ()) -> list[RightsChoice]:
    """Return what can be ticked: the levels and groups of the rules, and what this person holds besides."""
    book = ask.desk.rules()
    known = [
        *(RightsChoice(one.name, level_in_words(ask, one)) for one in book.levels.values()),
        *(RightsChoice(one.name, group_in_words(ask, one)) for one in book.groups.values()),
    ]
    names = {one.name for one in known}
    return [*known, *(RightsChoice(name, "", is_known=False) for name in held if name not in names)]


def level_in_words(ask: Ask, level: Level) -> str:
    """Return what a level allows, in the reader's language."""
    comma = ask.say_plain("list.comma")
    doors = ask.say("every_door") if ANY in level.doors else comma.join(sorted(level.doors))
    methods = [ask.say_plain(f"value.method.{one}") for one in sorted(level.methods - {ANY})]
    parts = [doors, schedule_name(ask, level.schedule), *([comma.join(methods)] if methods else [])]
    parts += [ask.say("level_lockdown")] * level.passes_lockdown + [ask.say("level_strict")] * level.is_strict
    return " · ".join(parts)


def group_in_words(ask: Ask, group: RightsGroup) -> str:
    """Return what a group gives, in the reader's language."""
    flags = {
        "group_pin": group.needs_pin_with_face,
        "extended": group.extended_unlock,
        "group_passback": group.may_pass_back,
    }
    parts = [ask.say("group_of", levels=list(group.levels) or ask.say("none"))]
    return " · ".join([*parts, *(ask.say(name) for name, is_so in flags.items() if is_so)])


def schedule_name(ask: Ask, schedule: Schedule) -> str:
    """Return what a schedule is called; the two that are built in by what they mean."""
    built_in = {ALWAYS.name: "schedule_always", NEVER.name: "schedule_never"}
    return ask.say(built_in[schedule.name]) if schedule.name in built_in else schedule.name


def schedule_in_words(ask: Ask, schedule: Schedule) -> list[tuple[str, str]]:
    """Return (days, hours) of a schedule; neighbouring days with the same hours stand together."""
    rows: list[tuple[list[str], str]] = []
    comma = ask.say_plain("list.comma")
    for kind in dict.fromkeys([*WEEKDAYS, *schedule.days]):
        spans = comma.join(str(span) for span in schedule.days.get(kind, ())) or ask.say("closed")
        day = ask.known(f"day_{kind}")
        if rows and rows[-1][1] == spans and kind in WEEKDAYS:
            rows[-1][0].append(day)
        else:
            rows.append(([day], spans))
    return [(days[0] if len(days) == 1 else f"{days[0]} – {days[-1]}", spans) for days, spans in rows]


def rights_from(ask: Ask, person: Resident) -> Resident:
    """Return `person` with the rights that the form gives. Raises `PanelRefused` or `IdentityRefused`."""
    form = ask.form
    with ask.about("levels"):
        levels = tuple(
            dict.fromkeys(one for text in ask.chosen.get("levels", ()) for one in access_levels(text))
        )
    begin, end = moment(ask, "valid_from"), moment(ask, "valid_until")
    if begin and end and begin >= end:
        with ask.about("valid_until"):
            raise PanelRefused(message("panel.times_crossed"))
    is_extended = "extended_unlock" in form
    return replace(
        person, access_levels=levels, valid_from=begin, valid_until=end, extended_unlock=is_extended
    )


def rights_mark(person: Resident) -> str:
    """Return what stands, in the form that shows them, for a person's name and rights."""
    spans = (person.valid_from, person.valid_until, person.extended_unlock)
    return hashlib.sha256(repr((person.name, person.access_levels, *spans)).encode()).hexdigest()[:16]


def require_unchanged(ask: Ask, person: Resident) -> None:
    """Raise `PanelRefused` where the form was made from other rights than `person` has now.

    It holds all of them: whoever saves a name would give a level back that somebody took meanwhile.
    """
    if ask.form.get("seen", rights_mark(person)) != rights_mark(person):
        raise PanelRefused(message("error.person_changed"))


def moment(ask: Ask, name: str) -> datetime | None:
    """Return the moment that the field names, by the site's clocks where it names no zone; None if empty.

    Of an hour that comes twice it is the first. A plain day is its beginning, as an end the day's own end.
    """
    text = tidied(ask.form.get(name, ""))
    if not text:
        return None
    with ask.about(name):
        try:
            return moment_in(text, ask.desk.zone, is_end=name == "valid_until").astimezone(UTC)
        except (ValueError, OverflowError) as error:
            refusal = "error.time_year" if has_short_year(text) else "error.time"
            raise PanelRefused(message(refusal, text=text[:40])) from error
