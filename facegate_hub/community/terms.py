"""What the property promises and how the compound is called: `staff/terms.toml`, or what stands here.

The hub grants passes by it, and a building's doors are those that it names: it lies where the residents' page
may read it and cannot write.

Every value is shown to residents. Times to answer and to finish count within the office's hours, those of an
emergency always.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from edge.errors import ConfigError
from edge.policy.holidays import NO_PUBLIC_DAYS, public_days
from edge.policy.schedule import ALWAYS, HOLIDAY, WEEKDAYS, Calendar, Schedule, Span
from facegate_hub.community.clocks import Hours
from facegate_hub.community.machine import TicketKind, Urgency
from facegate_hub.community.staff_store import FOLDER, TERMS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MINUTE, HOUR, DAY = 60, 3600, 86_400
OFFICE_DAY = 9 * HOUR
"""Of the hours below: a promise of two days is twice this."""

OFFICE = Schedule("office", MappingProxyType({day: (Span(9 * 60, 18 * 60),) for day in WEEKDAYS[:6]}))


@dataclass(frozen=True, slots=True)
class Promise:
    """A time that is promised: seconds within `hours` (office or always)."""

    seconds: int
    hours: str = "office"


Promises = dict[str, Promise]

PROMISES: dict[str, Promises] = {
    "emergency": {"answer": Promise(15 * MINUTE, "always"), "done": Promise(4 * HOUR, "always")},
    "urgent": {"answer": Promise(2 * HOUR, "always"), "done": Promise(DAY, "always")},
    "repair": {"answer": Promise(30 * MINUTE), "done": Promise(2 * OFFICE_DAY)},
    "fault": {"answer": Promise(30 * MINUTE), "done": Promise(2 * OFFICE_DAY)},
    "complaint": {"answer": Promise(OFFICE_DAY), "done": Promise(7 * OFFICE_DAY)},
    "opinion": {"answer": Promise(3 * OFFICE_DAY), "done": Promise(15 * OFFICE_DAY)},
    "question": {"answer": Promise(OFFICE_DAY), "done": Promise(3 * OFFICE_DAY)},
    "praise": {"answer": Promise(3 * OFFICE_DAY), "done": Promise(15 * OFFICE_DAY)},
}
"""By urgency where that is more than normal, else by kind. The figures for emergencies, repairs and
complaints are what property firms in China publish; a site writes its own."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The compound's name by language, its calendar, its promises (seconds), its doors, and its limits."""

    name: Mapping[str, str]
    zone: ZoneInfo
    office: Hours
    promises: Mapping[str, Promises] = field(default_factory=lambda: MappingProxyType(PROMISES))
    doors: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Doors by building; a door that belongs to none is everybody's."""
    silent_days: int = 7
    tickets_a_day: int = 10
    alike_a_day: int = 2
    passes_a_day: int = 6
    passes_alive: int = 20
    pass_hours: int = 72

    def hours(self, name: str) -> Hours:
        """Return the office's hours, or all of them."""
        return self.office if name == "office" else Hours(ALWAYS, self.office.calendar)

    def promised(self, kind: TicketKind, urgency: Urgency) -> Promises:
        """Return the promises for a ticket."""
        return self.promises[kind if urgency is Urgency.NORMAL else urgency]


def terms_for_page(site: Path, before: Path) -> Terms:
    """Return a site's terms for the residents' page, from `before` while its console is an older one."""
    folder = site / FOLDER
    return read_terms(folder if os.access(folder / TERMS_FILE, os.R_OK) else before)


def read_terms(folder: Path) -> Terms:
    """Return a site's terms. Raises `ConfigError` that names what cannot be read, and how it is written."""
    path = folder / TERMS_FILE
    try:
        return _terms(tomllib.loads(path.read_text("utf-8")) if path.exists() else {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: {error}; it has name.en and name.zh, timezone, country, [hours] mon = ['09:00-18:00'], "
            "[promises.repair] answer_minutes = 30"
        ) from error


def _terms(data: dict[str, Any]) -> Terms:
    zone = ZoneInfo(data.get("timezone", "Asia/Shanghai"))
    country = data.get("country")
    public = public_days(country) if country else NO_PUBLIC_DAYS
    calendar = Calendar(zone, is_holiday=public.is_holiday, made_up_as=public.made_up_as)
    limits = {name: int(value) for name, value in data.get("limits", {}).items()}
    name = {"en": "Our compound", "zh": "本小区", **data.get("name", {})}
    doors = {str(building): tuple(names) for building, names in data.get("doors", {}).items()}
    hours = Hours(_schedule(data.get("hours")), calendar)
    return Terms(name, zone, hours, _promises(data), doors, **limits)


def _schedule(hours: dict[str, list[str]] | None) -> Schedule:
    if hours is None:
        return OFFICE
    if unknown := set(hours) - {*WEEKDAYS, HOLIDAY}:
        raise ValueError(f"hours.{min(unknown)}: no day; days are {', '.join((*WEEKDAYS, HOLIDAY))}")
    days = {day: tuple(Span.parse(span) for span in spans) for day, spans in hours.items()}
    return Schedule("office", MappingProxyType(days))


def _promises(data: dict[str, Any]) -> dict[str, Promises]:
    found = {name: dict(promises) for name, promises in PROMISES.items()}
    for name, values in data.get("promises", {}).items():
        if name not in found:
            raise ValueError(f"promises.{name}: no such kind; there are {', '.join(found)}")
        for key, minutes in values.items():
            clock = key.removesuffix("_minutes")
            found[name][clock] = Promise(int(minutes) * MINUTE, found[name][clock].hours)
    return found
