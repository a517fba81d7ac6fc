"""Changes of one thing in a file of access rules: comments, order and everything else stay as they are."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import tomlkit

from edge.errors import PanelRefused
from edge.policy.rulebook import ANY
from edge.policy.rules_toml import GROUPS_OF_DAYS
from edge.policy.schedule import ALWAYS, WEEKDAYS
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence
    from datetime import date

    from edge.policy.schedule import Span

Table: TypeAlias = "MutableMapping[str, Any]"
"""A table of the file: tomlkit's, or a plain one."""


@dataclass(frozen=True, slots=True)
class ScheduleEdit:
    """A schedule as it shall be. A weekday without hours is closed; other kinds are as named."""

    name: str
    days: Mapping[str, tuple[Span, ...]]
    new_days: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    """Dates of a kind that this schedule is the first to name: neither is allowed without the other."""

    def __call__(self, rules: Table, new: Callable[[], Table]) -> None:
        """Write this schedule into the rules; `new` makes an empty table."""
        table = _table(rules, new, "schedules", self.name)
        rows = _as_written(self.days, [*table]) if table else _grouped(self.days)
        _set(table, {key: [str(span) for span in spans] for key, spans in rows.items()})
        if self.new_days:
            _set(_table(rules, new, "special_days"), _dated(self.new_days), is_all=False)


@dataclass(frozen=True, slots=True)
class LevelEdit:
    """An access level as it shall be; empty `methods` are all."""

    name: str
    schedule: str
    doors: tuple[str, ...] = (ANY,)
    methods: tuple[str, ...] = ()
    passes_lockdown: bool = False
    is_first_person: bool = True
    is_strict: bool = False

    def __call__(self, rules: Table, new: Callable[[], Table]) -> None:
        """Write this level into the rules; `new` makes an empty table."""
        if "levels" not in rules and self.name != USUAL_LEVEL.name:
            USUAL_LEVEL(rules, new)  # it is only there by itself while no other level is named
        usual = {
            "doors": ([*self.doors], [ANY]),
            "methods": ([*self.methods], []),
            "passes_lockdown": (self.passes_lockdown, False),
            "is_first_person": (self.is_first_person, True),
            "liveness": ("strict" if self.is_strict else "passive", "passive"),
        }
        table = _table(rules, new, "levels", self.name)
        kept = {*table} - {"methods"}  # an empty list of methods is no rule
        said = {key: value for key, (value, default) in usual.items() if value != default or key in kept}
        _set(table, {"schedule": self.schedule, **said})


USUAL_LEVEL = LevelEdit("resident", ALWAYS.name)
"""What everybody has where the rules name no level."""


@dataclass(frozen=True, slots=True)
class DaysEdit:
    """Public holidays of a country ("" for none) and what single dates are."""

    country: str
    subdivision: str
    special: Mapping[date, str]

    def __call__(self, rules: Table, new: Callable[[], Table]) -> None:
        """Write these days into the rules; `new` makes an empty table."""
        if self.country:
            more = {"subdivision": self.subdivision} if self.subdivision else {}
            _set(_table(rules, new, "holidays"), {"country": self.country, **more})
        else:
            rules.pop("holidays", None)
        if self.special or "special_days" in rules:
            _set(_table(rules, new, "special_days"), _dated(self.special))


@dataclass(frozen=True, slots=True)
class Removal:
    """A schedule or level that shall be there no more."""

    group: str
    name: str

    def __call__(self, rules: Table, _new: Callable[[], Table]) -> None:
        """Take it out of the rules."""
        rules.get(self.group, {}).pop(self.name, None)


Edit: TypeAlias = "ScheduleEdit | LevelEdit | DaysEdit | Removal"


def edited(text: str, edit: Edit) -> str:
    """Return the rules with one thing changed; comments and everything else keep their place.

    What stood at the end of a line that goes away goes with it. Raises `PanelRefused` where the file is
    written in a way in which this one thing cannot be changed alone.
    """
    try:
        wanted: dict[str, Any] = tomllib.loads(text)
        edit(wanted, dict)
        document = tomlkit.parse(text)
        edit(document, tomlkit.table)
        changed = tomlkit.dumps(document)
        is_right = tomllib.loads(changed) == wanted
    except (
        tomlkit.exceptions.TOMLKitError,
        tomllib.TOMLDecodeError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise PanelRefused(message("panel.rules_by_hand")) from error
    # The edit was done twice, in plain values and in the document with its comments. Where they differ,
    # tomlkit did something else with an unusual file than was asked.
    if not is_right:
        raise PanelRefused(message("panel.rules_by_hand"))
    return changed


def differences(before: str, after: str) -> list[tuple[str, str]]:
    """Return what changes in a file of rules, with two lines around it: (`same`, `gone` or `new`, line)."""
    kinds = {" ": "same", "-": "gone", "+": "new"}
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    return [
        (kinds.get(line[:1], "same"), "…" if line.startswith("@@") else line[1:]) for line in list(found)[2:]
    ]


def _table(rules: Table, new: Callable[[], Table], *path: str) -> Table:
    for name in path:
        if name not in rules:
            rules[name] = new()
        rules = rules[name]
    return rules


def _set(table: Table, wanted: Mapping[str, object], *, is_all: bool = True) -> None:
    """Bring a table to these values, touching no line that is right already."""
    for key in [key for key in table if is_all and key not in wanted]:
        del table[key]
    # What is right already is not assigned again: tomlkit would drop its comment and its way of writing.
    for key, value in wanted.items():
        if key not in table or table[key] != value:
            table[key] = value


def _dated(days: Mapping[date, str]) -> dict[str, str]:
    return {day.isoformat(): kind for day, kind in sorted(days.items())}


def _grouped(days: Mapping[str, tuple[Span, ...]]) -> dict[str, tuple[Span, ...]]:
    """Return a new schedule's days under the short names for several days with the same hours."""
    week = [days.get(day, ()) for day in WEEKDAYS]
    names = ["daily"] if len({*week}) == 1 else ["weekdays", "weekend"]
    return {key: spans for key, spans in _as_written(days, names).items() if spans or key in days}


def _as_written(days: Mapping[str, tuple[Span, ...]], names: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    """Return the days under the names that a schedule has, as far as these still say the same of each day."""
    rows: dict[str, tuple[Span, ...]] = {}
    left = [day for day in WEEKDAYS if day not in names]
    for name in names:
        if name not in GROUPS_OF_DAYS:
            rows |= {name: days.get(name, ())} if name in days or name in WEEKDAYS else {}
            continue
        covered = [day for day in GROUPS_OF_DAYS[name] if day not in names]
        if len({days.get(day, ()) for day in covered}) == 1:
            rows[name] = days.get(covered[0], ())
            left = [day for day in left if day not in covered]
    singles = {day: days[day] for day in left if days.get(day)}
    return rows | singles | {kind: spans for kind, spans in days.items() if kind not in WEEKDAYS}
