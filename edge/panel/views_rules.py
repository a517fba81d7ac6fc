"""Who may pass when: looked at by everybody, tried on the past and changed by an installer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.rights import group_in_words, level_in_words, schedule_in_words, schedule_name
from edge.panel.rule_file import MADE, NAMED
from edge.panel.rule_trial import TRIED_DAYS, days_of, mark_of, told, tried
from edge.words import message

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.panel.asking import Ask
    from edge.panel.rule_file import RuleFile
    from edge.panel.rule_trial import RulesTrial
    from edge.policy.rulebook import RuleBook
    from edge.policy.schedule import Schedule


def rules(ask: Ask, trial: RulesTrial | None = None) -> Response:
    """Return levels, groups, schedules and how the door stands, and for an installer the file itself."""
    book, file = ask.desk.rules(), ask.desk.rule_file
    usual = book.usual_modes.get(ask.desk.door_id)
    return ask.page(
        "rules.html",
        levels=[(one.name, level_in_words(ask, one)) for one in book.levels.values()],
        groups=[(one.name, group_in_words(ask, one)) for one in book.groups.values()],
        schedules=[
            (one.name, schedule_name(ask, one), schedule_in_words(ask, one)) for one in _schedules(book)
        ],
        own={*book.schedules},
        special=sorted(book.calendar.special.items()),
        mode=ask.say_plain(f"value.mode.{usual.mode}") if usual else ask.say_plain("value.mode.normal"),
        opening=schedule_name(ask, usual.schedule) if usual and usual.schedule.days else "",
        holders=_holders(ask),
        levelless=book.levelless(ask.desk.residents.list()),
        file=file,
        no_file=f"{MADE}\n{NAMED}",
        text=_shown_text(ask, file, trial),
        former=file.former() if file else None,
        days=days_of(ask),
        days_there_are=TRIED_DAYS,
        **shown_trial(ask, trial),
    )


def shown_trial(ask: Ask, trial: RulesTrial | None) -> dict[str, Any]:
    """Return what a page needs to show a trial, or that there was none."""
    return {"trial": trial, "changes": told(ask, trial) if trial else []}


def look(ask: Ask) -> Response:
    """Try rules on the events of the last days; nothing is altered."""
    file, text = file_of(ask), ask.form.get("text", "").replace("\r\n", "\n")
    with ask.about("text"):
        return rules(ask, tried(ask, file, text))


def put(ask: Ask) -> Response:
    """Bring rules into force that were tried just before."""
    file, text = file_of(ask), ask.form.get("text", "").replace("\r\n", "\n")
    if ask.form.get("tried") != mark_of(text):
        raise PanelRefused(message("panel.rules_untried"))
    seen = file.text()
    if ask.form.get("base") != mark_of(seen):
        raise PanelRefused(message("panel.rules_moved"))
    if not file.is_writable:
        raise PanelRefused(file.read_only)
    with ask.about("text"):
        file.parsed(text)
        with ask.desk.doing(Kind.PANEL_RULES_CHANGED, by=ask.session.user, digest=mark_of(text)[:16]):
            file.put(text, seen)
    return ask.to("/rules", message("panel.rules_saved"))


def file_of(ask: Ask) -> RuleFile:
    """Return the door's file of rules. Raises `PanelRefused` when it has none."""
    if ask.desk.rule_file is None:
        raise PanelRefused(message("panel.rules_no_file"))
    return ask.desk.rule_file


def _shown_text(ask: Ask, file: RuleFile | None, trial: RulesTrial | None) -> str:
    if ask.trouble:
        return ask.form.get("text", "")
    if trial:
        return trial.text
    if file and "former" in ask.request.query_params:
        return file.former() or file.text()
    return file.text() if file else ""


def _schedules(book: RuleBook) -> list[Schedule]:
    found = [*book.schedules.values(), *(level.schedule for level in book.levels.values())]
    found += [usual.schedule for usual in book.usual_modes.values() if usual.schedule.days]
    return list({one.name: one for one in found}.values())


def _holders(ask: Ask) -> dict[str, int]:
    counts: dict[str, int] = {}
    for person in ask.desk.residents.list():
        for name in person.access_levels:
            counts[name] = counts.get(name, 0) + 1
    return counts
