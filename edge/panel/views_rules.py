"""Who may pass when: looked at by everybody, tried on the past and changed by an installer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.rights import group_in_words, level_in_words, schedule_in_words, schedule_name
from edge.policy.simulate import simulate
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from starlette.responses import Response

    from edge.domain import DoorEvent
    from edge.panel.asking import Ask
    from edge.panel.rule_file import RuleFile
    from edge.policy.rulebook import RuleBook
    from edge.policy.schedule import Schedule
    from edge.policy.simulate import Simulation

TRIED_DAYS = 7
MOST_EVENTS, BATCH = 20_000, 500
SHOWN_CHANGES = 50


@dataclass(frozen=True, slots=True)
class RulesTrial:
    """What new rules would have changed: `text` as it was tried, and its mark that stands in the form."""

    text: str
    mark: str
    result: Simulation


def rules(ask: Ask, trial: RulesTrial | None = None) -> Response:
    """Return levels, groups, schedules and how the door stands, and for an installer the file itself."""
    book, file = ask.desk.rules(), ask.desk.rule_file
    shown = ask.form.get("text", "") if ask.trouble else trial.text if trial else _text_of(file)
    usual = book.usual_modes.get(ask.desk.door_id)
    return ask.page(
        "rules.html",
        levels=[(one.name, level_in_words(ask, one)) for one in book.levels.values()],
        groups=[(one.name, group_in_words(ask, one)) for one in book.groups.values()],
        schedules=[(schedule_name(ask, one), schedule_in_words(ask, one)) for one in _schedules(book)],
        mode=ask.say_plain(f"value.mode.{usual.mode}") if usual else ask.say_plain("value.mode.normal"),
        opening=schedule_name(ask, usual.schedule) if usual and usual.schedule.days else "",
        holders=_holders(ask),
        file=file,
        text=shown,
        trial=trial,
        changes=_told(ask, trial) if trial else [],
        days=TRIED_DAYS,
    )


def look(ask: Ask) -> Response:
    """Try rules on the events of the last week; nothing is altered."""
    file, text = _file(ask), ask.form.get("text", "").replace("\r\n", "\n")
    with ask.about("text"):
        book = file.parsed(text)
    since = ask.desk.clock.now() - timedelta(days=TRIED_DAYS)
    result = simulate(reversed(list(_events(ask, since))), book, ask.desk.residents.get)
    return rules(ask, RulesTrial(text, _mark(text), result))


def put(ask: Ask) -> Response:
    """Bring rules into force that were tried just before."""
    file, text = _file(ask), ask.form.get("text", "").replace("\r\n", "\n")
    if ask.form.get("tried") != _mark(text):
        raise PanelRefused(message("panel.rules_untried"))
    if not file.is_writable:
        raise PanelRefused(message("panel.rules_read_only", path=str(file.path)))
    with ask.about("text"):
        file.parsed(text)
        with ask.desk.doing(Kind.PANEL_RULES_CHANGED, by=ask.session.user, digest=_mark(text)[:16]):
            file.put(text)
    return ask.to("/rules", message("panel.rules_saved"))


def _file(ask: Ask) -> RuleFile:
    if ask.desk.rule_file is None:
        raise PanelRefused(message("panel.rules_no_file"))
    return ask.desk.rule_file


def _text_of(file: RuleFile | None) -> str:
    return file.text() if file else ""


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _events(ask: Ask, since: datetime) -> Iterator[DoorEvent]:
    """Yield the events since then, newest first."""
    read, before = 0, None
    while read < MOST_EVENTS and (batch := ask.desk.events(before, BATCH)):
        for event in batch:
            if event.at < since:
                return
            yield event
        read, before = read + len(batch), batch[-1].seq


def _schedules(book: RuleBook) -> list[Schedule]:
    found = [level.schedule for level in book.levels.values()]
    found += [usual.schedule for usual in book.usual_modes.values() if usual.schedule.days]
    return list({one.name: one for one in found}.values())


def _holders(ask: Ask) -> dict[str, int]:
    counts: dict[str, int] = {}
    for person in ask.desk.residents.list():
        for name in person.access_levels:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _told(ask: Ask, trial: RulesTrial) -> list[tuple[str, str, str, str]]:
    """Return (when, who, what it was, what it would be) of the newest changes."""
    return [
        (
            ask.local(one.event.at),
            one.event.resident_id or "",
            ask.say_plain(f"reason.{one.event.reason}"),
            ask.say_plain(f"reason.{one.answer.reason}"),
        )
        for one in list(reversed(trial.result.changes))[:SHOWN_CHANGES]
    ]
