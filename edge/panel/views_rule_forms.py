"""Schedules, levels and the calendar as forms: each change is tried on the past before it acts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from edge.errors import PanelRefused
from edge.events import Kind
from edge.identity import resident_id
from edge.panel.rights import schedule_name
from edge.panel.rule_trial import TRIED_DAYS, days_of, tried
from edge.panel.views_rules import file_of, shown_trial
from edge.policy.methods import Method
from edge.policy.rule_edit import Removal, edited
from edge.policy.rulebook import ANY, Level
from edge.policy.schedule import ALWAYS, NEVER, WEEKDAYS, Schedule
from edge.web.rule_forms import calendar_fields, days_from, kinds_of, level_edit, schedule_edit
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from edge.panel.asking import Ask
    from edge.panel.rule_trial import RulesTrial
    from edge.policy.rule_edit import Edit
    from edge.policy.rulebook import RuleBook

SHOWN_HOLDERS = 200


def schedule(ask: Ask) -> Response:
    """Return the form of a schedule (`?name=`, none for a new one), or try it on the past."""
    return _shown_or_tried(ask, _schedule_page, _schedule_edit)


def level(ask: Ask) -> Response:
    """Return the form of a level (`?name=`, none for a new one), or try it on the past."""
    return _shown_or_tried(ask, _level_page, _level_edit)


def days(ask: Ask) -> Response:
    """Return the form of holidays and special days, or try them on the past."""
    return _shown_or_tried(ask, _days_page, lambda ask, _: days_from(ask))


def holders(ask: Ask) -> Response:
    """Give a level to somebody or take it from them; it counts at once."""
    name, do = ask.form.get("level", ""), ask.form.get("do", "")
    if name not in {*ask.desk.rules().levels, *ask.desk.rules().groups}:
        raise PanelRefused(message("list.level", name=name[:40]))
    with ask.about("resident_id"):
        identity = resident_id(ask.form.get("resident_id", ""))
        person = ask.desk.residents.get(identity)
        if person is None:
            raise PanelRefused(message("error.no_resident", id=identity[:64]))
    others = tuple(one for one in person.access_levels if one != name)
    changed = replace(person, access_levels=(*others, name) if do == "give" else others)
    told = {"by": ask.session.user, "access_levels": list(changed.access_levels)}
    with ask.desk.doing(Kind.RESIDENT_CHANGED, about=identity, **told):
        ask.desk.residents.put_people([changed], {person.id: person})
    return ask.to(address("level", name), message("panel.rights_saved", who=person.name))


def address(kind: str, name: str) -> str:
    """Return the address of a schedule's or level's form."""
    return f"/rules/{kind}?{urlencode({'name': name})}"


def _shown_or_tried(
    ask: Ask,
    page: Callable[[Ask, str, RuleBook, RulesTrial | None], Response],  # of the book that is shown
    edit: Callable[[Ask, RuleBook], Edit],
) -> Response:
    file = file_of(ask)
    book = file.parsed(file.text())
    if ask.request.method == "GET" or ask.trouble:
        return page(ask, _name(ask), book, None)
    wanted = edit(ask, book)
    trial = tried(ask, file, edited(file.text(), wanted))
    shown = book if isinstance(wanted, Removal) else file.parsed(trial.text)
    return page(ask, getattr(wanted, "name", ""), shown, trial)


def _name(ask: Ask) -> str:
    """Return which schedule or level the form is about, "" for a new one."""
    return ask.request.query_params.get("name", "")


def _schedule_edit(ask: Ask, book: RuleBook) -> Edit:
    return schedule_edit(ask, book, _name(ask))


def _level_edit(ask: Ask, book: RuleBook) -> Edit:
    name = _name(ask)
    held = sum(name in person.access_levels for person in ask.desk.residents.list())
    return level_edit(ask, book, name, held)


def _schedule_page(ask: Ask, name: str, book: RuleBook, trial: RulesTrial | None) -> Response:
    return ask.page(
        "rules_schedule.html",
        name=name,
        is_new=not _name(ask),
        schedule=book.schedules.get(name, Schedule(name, {})),
        weekdays=WEEKDAYS,
        kinds=kinds_of(book),
        **_trying(ask, trial),
    )


def _level_page(ask: Ask, name: str, book: RuleBook, trial: RulesTrial | None) -> Response:
    found = book.levels.get(name)
    held = [one for one in ask.desk.residents.list() if found and name in one.access_levels]
    return ask.page(
        "rules_level.html",
        name=name,
        level=found or Level(name, schedule=NEVER),
        is_new=not _name(ask),
        every=ANY,
        methods=list(Method),
        schedules=[(one.name, schedule_name(ask, one)) for one in (ALWAYS, *book.schedules.values(), NEVER)],
        holders=held[:SHOWN_HOLDERS],
        held=len(held),
        groups=[one.name for one in book.groups.values() if name in one.levels],
        **_trying(ask, trial),
    )


def _days_page(ask: Ask, _name: str, book: RuleBook, trial: RulesTrial | None) -> Response:
    text = trial.text if trial else file_of(ask).text()
    return ask.page("rules_days.html", **calendar_fields(book, text), **_trying(ask, trial))


def _trying(ask: Ask, trial: RulesTrial | None) -> dict[str, Any]:
    return {
        "file": file_of(ask),
        "days": days_of(ask),
        "days_there_are": TRIED_DAYS,
        **shown_trial(ask, trial),
    }
