"""A door's settings that its installer lets the property change, and how the door says it is."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.wire.commands import CommandType
from edge.words import has, message
from facegate_hub.console.doors_desk import may_at
from facegate_hub.console.views_doors import local_time, told
from facegate_hub.signer.rights import Permission

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.configuration import ConfigView
    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.door_view import DoorView
    from facegate_hub.web.asking import PageAsk

MOST_TEXT = 64
"""Letters of a setting, as doors take them."""


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting: its name, what counts at the door, and what the property wants (empty: nothing)."""

    key: str
    label: str
    counts: str
    wanted: str
    is_pending: bool


class SettingPages:
    """The pages of doors' settings, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def settings(self, ask: PageAsk) -> Response:
        """Return what counts at a door and what is wanted of it, with the form that changes it."""
        door = self._door(ask)
        view, known = self._desk.looking.configuration(door.id), self._desk.known(ask.token)
        report = view.reported
        return ask.page(
            "door_settings.html",
            door=door,
            view=view,
            report=report,
            lines=_lines(ask, view),
            is_heard=report is not None and report.rev >= view.rev,
            reported_at=local_time(ask, view.reported_at),
            may_set=may_at(known, Permission.SETTINGS, door.id),
            may_reload=may_at(known, Permission.RELOAD, door.id),
            may_ask=may_at(known, Permission.DIAGNOSTICS, door.id),
        )

    def change(self, ask: PageAsk) -> Response:
        """Have the signer asked for what the form wants; what is empty is as the door's own file has it."""
        door = self._door(ask)
        view = self._desk.looking.configuration(door.id)
        # The form was made from another revision: storing it would undo what somebody else has set since.
        if ask.form.get("rev") != str(view.rev):
            raise CommunityRefused(message("community.refused.settings_changed"))
        given = {line.key: ask.form.get(line.key, "").strip() for line in _lines(ask, view)}
        values = {key: _value(text) for key, text in given.items() if text}
        changed = {key: value for key, value in values.items() if view.wanted.get(key) != value}
        reset = sorted(view.wanted.keys() & {key for key, text in given.items() if not text})
        if not changed and not reset:
            raise CommunityRefused(message("community.refused.no_change"))
        try:
            with self._desk.acting(ask.token) as staff:
                staff.configure(door.id, changed, reset)
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to(f"/doors/{door.id}/settings")

    def act(self, ask: PageAsk) -> Response:
        """Ask the door how it is, or have it read its files again, and tell what it answered."""
        door, by = self._door(ask), ask.account.name if ask.account else ""
        title = ask.say("settings.checkup", door=door.name or door.id)
        try:
            with self._desk.acting(ask.token) as staff:
                if "reload" in ask.form:
                    return told(ask, title, staff.command(door.id, CommandType.RELOAD, by), went_well=True)
                at, found = staff.diagnose(door.id, by)
        except SyncError as error:
            return told(ask, title, error, status=409)
        text = json.dumps(found, indent=1, ensure_ascii=False)
        return ask.page("door_checkup.html", title=title, door=door, at=local_time(ask, at), text=text)

    def _door(self, ask: PageAsk) -> DoorView:
        wanted, doors = str(ask.request.path_params["door"]), self._desk.looking.doors()
        found = next((door for door in doors if door.id == wanted), None)
        if found is None:
            there = [door.id for door in doors][:20]
            raise CommunityRefused(message("property.no_door", door=wanted[:64], doors=there))
        return found


def _lines(ask: PageAsk, view: ConfigView) -> list[SettingLine]:
    """Return what the door says that may be changed; of one that was never heard, what was asked for."""
    report = view.reported
    counts = {} if report is None else report.values
    pending = () if report is None else report.pending
    return [
        SettingLine(
            key,
            ask.say(f"set.{key}") if has(f"community.set.{key}") else key,
            _shown(counts.get(key)),
            _shown(view.wanted.get(key)),
            key in pending,
        )
        for key in sorted({*counts, *view.wanted})
    ]


def _shown(value: str | float | None) -> str:
    return "" if value is None else str(value)


def _value(text: str) -> str | int | float:
    """Return a number where it is one. Raises `CommunityRefused` for what no door takes."""
    if len(text) > MOST_TEXT:
        raise CommunityRefused(message("community.refused.text", most=MOST_TEXT))
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return text
