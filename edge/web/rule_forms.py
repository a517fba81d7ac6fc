"""What the forms of a schedule, a level and the calendar hold, read as people type it."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import PanelRefused
from edge.identity import tidied
from edge.policy.methods import Method
from edge.policy.rule_edit import DaysEdit, LevelEdit, Removal, ScheduleEdit
from edge.policy.rulebook import ANY
from edge.policy.schedule import ALWAYS, HOLIDAY, NEVER, WEEKDAYS, Span
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from edge.policy.rulebook import RuleBook

MOST_NAME = 40
MOST_DATES, BLANK_DATES = 80, 4
# Hours as people part and write them: commas of both scripts or a blank before the next hour, and 8:00 for
# the 08:00 that `Span.parse` takes.
_BETWEEN = re.compile(r"[,;、，；]|\s+(?=\d)")
_HOUR = re.compile(r"(?<!\d)(\d)(?=[:：])")


class TypedForm(Protocol):
    """A form as somebody sent it, at the door's page or the property's console."""

    @property
    def form(self) -> Mapping[str, str]:
        """The text of each field."""

    @property
    def chosen(self) -> Mapping[str, Sequence[str]]:
        """Every value of each field: several boxes may have one name."""

    def about(self, name: str) -> AbstractContextManager[None]:
        """Have what is refused inside told at the field of this name."""


def schedule_edit(ask: TypedForm, book: RuleBook, name: str) -> ScheduleEdit | Removal:
    """Return what a schedule's form wants, which may be that it goes away; what is in use stays."""
    if ask.form.get("do") != "remove":
        return schedule_from(ask, book, name)
    used = [one.name for one in book.levels.values() if one.schedule.name == name]
    used += [door for door, usual in book.usual_modes.items() if usual.schedule.name == name]
    if used or book.strict_liveness.name == name:
        raise PanelRefused(message("panel.schedule_used", names=used or ["strict_liveness"]))
    return Removal("schedules", name)


def level_edit(ask: TypedForm, book: RuleBook, name: str, held: int) -> LevelEdit | Removal:
    """Return what a level's form wants, which may be that it goes away; `held` people have it."""
    if ask.form.get("do") != "remove":
        return level_from(ask, book, name)
    used = [one.name for one in book.groups.values() if name in one.levels]
    if used or held:
        raise PanelRefused(message("panel.level_used", names=used or ["–"], count=held))
    return Removal("levels", name)


def kinds_of(book: RuleBook) -> list[str]:
    """Return the kinds of day that are no weekday: holidays, then the site's own."""
    named = {kind for schedule in book.schedules.values() for kind in schedule.days}
    own = {*named, *book.calendar.special.values()} - {*WEEKDAYS, HOLIDAY}
    return [HOLIDAY, *sorted(own)]


def calendar_fields(book: RuleBook, text: str) -> dict[str, Any]:
    """Return what the calendar's form shows of rules: `country`, `subdivision`, `rows` of dates, `kinds`.

    Raises `PanelRefused` where there are more dates than a form has lines.
    """
    rows = [(day.isoformat(), kind) for day, kind in sorted(book.calendar.special.items())]
    if len(rows) > MOST_DATES - BLANK_DATES:
        raise PanelRefused(message("panel.days_many", most=MOST_DATES - BLANK_DATES))
    holidays = tomllib.loads(text).get("holidays", {})
    return {
        "country": holidays.get("country", ""),
        "subdivision": holidays.get("subdivision", ""),
        "rows": [*rows, *[("", HOLIDAY)] * BLANK_DATES],
        "kinds": [*kinds_of(book), *WEEKDAYS],
    }


def hours(text: str) -> tuple[Span, ...]:
    """Return the spans of `8:00-12:00, 13:30 – 18:00`. Raises `PanelRefused` naming the wrong one."""
    plain = re.sub(r"\s*[-－–—~～至到]\s*", "-", tidied(text)).replace("：", ":")
    spans = []
    for part in (one.strip() for one in _BETWEEN.split(plain)):
        if part:
            try:
                spans.append(Span.parse(_HOUR.sub(r"0\1", part)))
            except ValueError as error:
                raise PanelRefused(message("panel.hours_wrong", text=part[:40])) from error
    return tuple(spans)


def schedule_from(ask: TypedForm, book: RuleBook, name: str) -> ScheduleEdit:
    """Return the schedule that a form describes; `name` is "" for a new one."""
    days: dict[str, tuple[Span, ...]] = {}
    for day in WEEKDAYS:
        if spans := _hours_at(ask, f"hours_{day}"):
            days[day] = spans
    for kind in kinds_of(book):
        if f"closed_{kind}" in ask.form:
            days[kind] = ()
        elif spans := _hours_at(ask, f"hours_{kind}"):
            days[kind] = spans
    new_days: dict[date, str] = {}
    if kind := tidied(ask.form.get("kind", "")):
        with ask.about("kind_day"):
            new_days[_day(ask.form.get("kind_day", ""))] = kind
        days[kind] = _hours_at(ask, "kind_hours")
    taken = {*book.schedules, ALWAYS.name, NEVER.name}
    return ScheduleEdit(name if name in book.schedules else _new_name(ask, taken), days, new_days)


def level_from(ask: TypedForm, book: RuleBook, name: str) -> LevelEdit:
    """Return the level that a form describes; `name` is "" for a new one."""
    doors = tuple(one for one in re.split(r"[\s,;、，；]+", tidied(ask.form.get("doors", ""))) if one)
    if "every_door" in ask.form:
        doors = (ANY,)
    elif not doors:
        with ask.about("doors"):
            raise PanelRefused(message("panel.level_doors_none"))
    schedule = ask.form.get("schedule", "")
    with ask.about("schedule"):
        if schedule not in {*book.schedules, ALWAYS.name, NEVER.name}:
            raise PanelRefused(message("panel.level_schedule_none"))
    return LevelEdit(
        name if name in book.levels else _new_name(ask, {*book.levels, *book.groups}),
        schedule,
        doors,
        tuple(one for one in Method if one.value in ask.chosen.get("methods", ())),
        passes_lockdown="passes_lockdown" in ask.form,
        is_first_person="is_first_person" in ask.form,
        is_strict="is_strict" in ask.form,
    )


def days_from(ask: TypedForm) -> DaysEdit:
    """Return the calendar that a form describes; a line without a date is no line."""
    special: dict[date, str] = {}
    for place in range(MOST_DATES):
        text = ask.form.get(f"day_{place}", "").strip()
        if text:
            with ask.about(f"day_{place}"):
                day = _day(text)
                if day in special:
                    raise PanelRefused(message("panel.day_twice", day=day.isoformat()))
                special[day] = ask.form.get(f"kind_{place}", HOLIDAY)
    country = tidied(ask.form.get("country", "")).upper()
    return DaysEdit(country, tidied(ask.form.get("subdivision", "")) if country else "", special)


def _hours_at(ask: TypedForm, name: str) -> tuple[Span, ...]:
    with ask.about(name):
        return hours(ask.form.get(name, ""))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise PanelRefused(message("error.time", text=text[:40])) from error


def _new_name(ask: TypedForm, taken: Iterable[str]) -> str:
    with ask.about("name"):
        name = tidied(ask.form.get("name", ""))
        if not name or len(name) > MOST_NAME or not name.isprintable() or re.search(r"[\s,;]", name):
            raise PanelRefused(message("panel.rule_name", most=MOST_NAME))
        if name in taken:
            raise PanelRefused(message("panel.rule_name_taken", name=name))
        return name
