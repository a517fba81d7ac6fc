"""Schedules, levels and the calendar of a door as forms: each change is tried before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import CommunityRefused, ConfigError
from edge.policy.methods import Method
from edge.policy.rule_edit import Removal, edited
from edge.policy.rulebook import ANY, Level
from edge.policy.rules_toml import parse_rules
from edge.policy.schedule import ALWAYS, NEVER, WEEKDAYS, Schedule
from edge.web.rule_forms import calendar_fields, days_from, kinds_of, level_edit, schedule_edit
from edge.wire.rules import digest_of
from edge.words import has, message, say
from facegate_hub.console.rule_trials import RuleTrials
from facegate_hub.console.views_doors import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from edge.policy.rule_edit import Edit
    from edge.policy.rulebook import RuleBook
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_rules import RulesView
    from facegate_hub.web.asking import PageAsk


class RuleFormPages:
    """The forms of a door's rules, with the words of the door's own page, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk
        self._trials = RuleTrials(desk)

    def schedule(self, ask: PageAsk) -> Response:
        """Return the form of a schedule (`?door=`, `?name=`; none for a new one), or try what it says."""
        return self._shown_or_tried(ask, "rule_schedule.html", schedule_edit, _schedule_shown)

    def level(self, ask: PageAsk) -> Response:
        """Return the form of a level (`?door=`, `?name=`; none for a new one), or try what it says."""

        def edit(ask: PageAsk, book: RuleBook, name: str) -> Edit:
            return level_edit(ask, book, name, self._desk.looking.people.holders(name))

        return self._shown_or_tried(ask, "rule_level.html", edit, _level_shown)

    def days(self, ask: PageAsk) -> Response:
        """Return the form of holidays and special days (`?door=`), or try what it says."""
        return self._shown_or_tried(ask, "rule_days.html", lambda ask, *_: days_from(ask), _days_shown)

    def _shown_or_tried(
        self,
        ask: PageAsk,
        template: str,
        edit: Callable[[PageAsk, RuleBook, str], Edit],
        shown: Callable[[RuleBook, str, str], Mapping[str, Any]],
    ) -> Response:
        view, name = self._view(ask), ask.request.query_params.get("name", "")
        text, tried, meant = view.reported.text, None, name
        try:
            book = _parsed(ask, text)
            if ask.request.method == "POST":
                wish = edit(ask, book, name)
                meant = getattr(wish, "name", name)
                changed = edited(text, wish)
                tried = self._trials.tried(ask, changed, digest_of(text))
                if not isinstance(wish, Removal):
                    text, book = changed, _parsed(ask, changed)
        except ConfigError as error:
            return told(ask, ask.say("rules.wrong"), error, status=422)
        return ask.page(
            template,
            view=view,
            door=self._trials.names().get(view.device, view.device),
            name=meant,
            is_new=not name,
            word=lambda one, **values: say(f"panel.{one}", ask.language, **values),
            known_word=lambda one: _known(ask, one),
            method_word=lambda one: say(f"value.method.{one}", ask.language),
            **shown(book, meant, text),
            **self._trials.shown(ask, tried),
        )

    def _view(self, ask: PageAsk) -> RulesView:
        door = ask.request.query_params.get("door", "")
        found = next((one for one in self._trials.views() if one.device == door), None)
        if found is None:
            raise CommunityRefused(message("community.refused.no_rules", door=door[:64]))
        return found


def _parsed(ask: PageAsk, text: str) -> RuleBook:
    return parse_rules(text, ask.say("rules.yours"), ask.office.terms.zone.key)


def _schedule_shown(book: RuleBook, name: str, _text: str) -> Mapping[str, Any]:
    return {
        "schedule": book.schedules.get(name, Schedule(name, {})),
        "weekdays": WEEKDAYS,
        "kinds": kinds_of(book),
    }


def _level_shown(book: RuleBook, name: str, _text: str) -> Mapping[str, Any]:
    return {
        "level": book.levels.get(name) or Level(name, schedule=NEVER),
        "every": ANY,
        "methods": list(Method),
        "schedules": [ALWAYS, *book.schedules.values(), NEVER],
    }


def _days_shown(book: RuleBook, _name: str, text: str) -> Mapping[str, Any]:
    return calendar_fields(book, text)


def _known(ask: PageAsk, name: str) -> str:
    """Return what a door's page calls something, else the rest of its name as the site wrote it."""
    text = f"panel.{name}"
    return say(text, ask.language) if has(text) else name.partition("_")[2]
