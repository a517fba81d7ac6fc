"""Access rules of the doors: looked at, tried on past entries, and sent to those that take them from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, ConfigError, SyncError
from edge.policy.rule_edit import differences
from edge.policy.rules_toml import parse_rules
from edge.wire.rules import digest_of
from edge.words import message
from facegate_hub.console.rule_trials import RuleTrials
from facegate_hub.console.views_doors import told as told_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.policy.rulebook import RuleBook
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.console.rule_trials import RulesTried
    from facegate_hub.door_rules import RulesView
    from facegate_hub.web.asking import PageAsk

KEPT = "rules.toml"
"""A copy of the doors' rules in the site's folder `hub`, where somebody put one: the form begins with it."""


class RulesPages:
    """The page of the rules, and what sends those that were tried, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk
        self._trials = RuleTrials(desk)
        self._kept = desk.folder / "hub" / KEPT

    def form(self, ask: PageAsk) -> Response:
        """Return the doors' rules, and the form that tries others and one person's levels."""
        person = ask.request.query_params.get("person", "")[:128]
        known = self._desk.looking.people.one(person) if person else None
        levels = "" if known is None else ", ".join(known.record.get("access_levels", ["resident"]))
        rules = None if (view := self._view(ask)) is None else view.reported.text
        if rules is None:
            return self._page(ask, self._rules(), person, levels)
        return self._page(ask, rules, person, levels, base=digest_of(rules))

    def attempt(self, ask: PageAsk) -> Response:
        """Return what would have gone otherwise, had these rules and levels been in force."""
        text = ask.files[0].decode("utf-8-sig", "replace") if ask.files else ask.form.get("rules", "")
        text = text.replace("\r\n", "\n")
        person, levels = ask.form.get("person", "").strip()[:128], ask.form.get("levels", "")[:400]
        base = ask.form.get("base", "")[:64]
        if not text.strip():  # no rules are rules, too: everybody of level resident, always
            return self._page(ask, text, person, levels, status=422, base=base, is_empty=True)
        try:
            tried = self._trials.tried(ask, text, base, person, levels)
        except ConfigError as error:
            return self._page(ask, text, person, levels, status=422, base=base, wrong=str(error))
        return self._page(ask, text, person, levels, base=base, tried=tried)

    def send(self, ask: PageAsk) -> Response:
        """Send rules that were tried just before to the doors that are chosen."""
        text, base = ask.form.get("rules", "").replace("\r\n", "\n"), ask.form.get("base", "")
        if ask.form.get("tried") != digest_of(text):
            raise CommunityRefused(message("panel.rules_untried"))
        doors = [one.device for one in self._trials.views() if f"door_{one.device}" in ask.form]
        if not doors:
            raise CommunityRefused(message("community.refused.no_door"))
        try:
            with self._desk.acting(ask.token) as staff:
                for door in doors:
                    staff.want_rules(door, base, text)
        except SyncError as error:
            return told_page(ask, ask.say("failed"), error, status=409)
        return ask.to("/rules")

    def agree(self, ask: PageAsk) -> Response:
        """Agree, as the second person, with rules that somebody else asked for."""
        door, digest = ask.form.get("door", "")[:64], ask.form.get("digest", "")
        try:
            with self._desk.acting(ask.token) as staff:
                about = {"digest": digest[:64]}
                staff.rules.agree(door, digest, lambda wish: staff.signer.approve_rules(wish, about))
        except SyncError as error:
            return told_page(ask, ask.say("failed"), error, status=409)
        return ask.to("/rules")

    def _view(self, ask: PageAsk) -> RulesView | None:
        door = ask.request.query_params.get("door", "")
        return next((one for one in self._trials.views() if one.device == door), None)

    def _page(
        self, ask: PageAsk, rules: str, person: str, levels: str, *, status: int = 200, **told: object
    ) -> Response:
        tried: RulesTried | None = told.pop("tried", None)  # type: ignore[assignment]
        views, view = self._trials.views(), self._view(ask)
        blank = {"wrong": "", "is_empty": False, "base": ""}
        return ask.page(
            "rules.html",
            status,
            rules=rules,
            person=person,
            levels=levels,
            views=views,
            chosen=view,
            book=self._book(ask, view),
            names=self._trials.names(),
            asked=[
                (one, differences(one.reported.text, one.asked.text), digest_of(one.asked.text))
                for one in views
                if one.asked is not None
            ],
            **self._trials.shown(ask, tried),
            **(blank | told),
        )

    def _book(self, ask: PageAsk, view: RulesView | None) -> RuleBook | None:
        """Return the rules of the door that is looked at; None where they cannot be read here."""
        try:
            return None if view is None else parse_rules(view.reported.text, "", ask.office.terms.zone.key)
        except ConfigError:
            return None

    def _rules(self) -> str:
        try:
            return self._kept.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""
