"""Access rules from TOML: every mistake at once, each with its place and the way out."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from edge.errors import ConfigError, IdentityRefused, did_you_mean, odd_sign_in
from edge.identity import access_levels, resident_id
from edge.policy.holidays import NO_PUBLIC_DAYS, public_days
from edge.policy.lockout import (
    FAILURES_BEFORE_ALARM,
    FAILURES_BEFORE_PAUSE,
    PAUSE_SECONDS,
    WITH_PAD,
    LockoutRule,
)
from edge.policy.methods import Method  # noqa: TC001 - pydantic reads it at run time
from edge.policy.modes import Mode
from edge.policy.passback import DEFAULT_SECONDS, PassbackKind, PassbackRule
from edge.policy.rulebook import ANY, DisableReason, Level, RightsGroup, RuleBook, UntrustedClock, UsualMode
from edge.policy.schedule import ALWAYS, HOLIDAY, NEVER, WEEKDAYS, Calendar, Schedule, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.policy.holidays import PublicDays

GROUPS_OF_DAYS = {"daily": WEEKDAYS, "weekdays": WEEKDAYS[:5], "weekend": WEEKDAYS[5:]}
"""Short names for several days at once."""

Days = dict[str, list[str]]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Level(_Table):
    doors: list[str] = Field(default=[ANY], min_length=1)
    schedule: str | None = None
    """No default: what is forgotten here must not open by night."""
    methods: list[Method] | None = Field(default=None, min_length=1)
    passes_lockdown: bool = False
    is_first_person: bool = True
    liveness: Literal["passive", "strict"] = "passive"


class _Group(_Table):
    levels: list[str] = []
    members: list[str] = []
    needs_pin_with_face: bool = False
    extended_unlock: bool = False
    may_pass_back: bool = False


class _Holidays(_Table):
    country: str
    subdivision: str | None = None


class _Door(_Table):
    mode: Mode
    schedule: str | None = None
    """No default: what is forgotten here must not hold a door open."""


class _Passback(_Table):
    kind: PassbackKind
    seconds: float = Field(default=DEFAULT_SECONDS, ge=1.0, le=86_400.0)
    methods: list[Method] | None = Field(default=None, min_length=1)


class _Lockout(_Table):
    """NIST SP 800-63B-4 bounds them: at most 10 free failures, at least 30 s, at most 100 in all."""

    pause_after: int = Field(default=FAILURES_BEFORE_PAUSE, ge=1, le=10)
    pause_seconds: float = Field(default=PAUSE_SECONDS, ge=30.0, le=600.0)
    alarm_after: int = Field(default=FAILURES_BEFORE_ALARM, ge=1, le=100)
    switch_off: bool = False


def _day(text: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(text)
    except ValidationError as error:
        raise PydanticCustomError("day", "this is no day of the calendar; write 2027-05-01") from error


_Day = Annotated[date, WrapValidator(_day)]


class _Rules(_Table):
    time_zone: str | None = None
    untrusted_clock: UntrustedClock = UntrustedClock.UNRESTRICTED
    strict_liveness: str = NEVER.name
    holidays: _Holidays | None = None
    special_days: dict[_Day, str] = {}
    schedules: dict[str, Days] = {}
    levels: dict[str, _Level] = {"resident": _Level(schedule=ALWAYS.name)}
    groups: dict[str, _Group] = {}
    disabled: dict[str, DisableReason] = {}
    doors: dict[str, _Door] = {}
    passback: _Passback | None = None
    lockout: _Lockout = _Lockout()


def parse_rules(
    text: str,
    source: str = "rules.toml",
    time_zone: str = "UTC",
    forgiven: Callable[[str], object] | None = None,
) -> RuleBook:
    """Return the rules written in `text`; `time_zone` is the site's where the text names none.

    Raises `ConfigError` listing every mistake at once. A level without a schedule is one, and one of a name
    that nobody can have; a door that starts goes on with such a file of an earlier version, in which the
    former meant `always`, and `forgiven` hears of each.
    """
    # Types and ranges first, all at once; what goes across tables needs whole tables to look at (`_Builder`).
    try:
        rules = _Rules.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not valid TOML: {error}{odd_sign_in(text)}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deep for rules") from error
    except ValidationError as error:
        raise _refusal(source, [_mistake(item) for item in error.errors()]) from error
    return _Builder(rules, time_zone, forgiven).build(source)


def _refusal(source: str, mistakes: Iterable[str]) -> ConfigError:
    return ConfigError("\n  ".join([f"{source}: the access rules were not loaded:", *mistakes]))


def _mistake(item: Mapping[str, Any]) -> str:
    # pydantic adds "[key]" to the place where the name of an entry itself is wrong.
    place = ".".join(str(part) for part in item["loc"] if part != "[key]")
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg']} (found: {item['input']!r})"
    table = _TABLES.get(str(item["loc"][0]), _Rules) if len(item["loc"]) > 1 else _Rules
    return f"{place}: there is no such setting{did_you_mean(str(item['loc'][-1]), table.model_fields)}"


_TABLES: dict[str, type[_Table]] = {
    "levels": _Level,
    "groups": _Group,
    "doors": _Door,
    "holidays": _Holidays,
    "passback": _Passback,
    "lockout": _Lockout,
}


def _days_of(key: str) -> tuple[str, ...]:
    return GROUPS_OF_DAYS.get(key, (key,))


def _ids_meant(who: str) -> tuple[str, ...]:
    """Return the id as it is written, and as people are stored: ３栋１２０３ is 3栋1203."""
    try:
        return who, resident_id(who)
    except IdentityRefused:
        return (who,)


def _level_meant(name: str) -> str:
    """Return a name that can be given to people, like this one; itself if it can."""
    try:
        return "-".join(access_levels(name))
    except IdentityRefused:
        return "a shorter one"


def _passback(table: _Passback | None) -> PassbackRule:
    if table is None:
        return PassbackRule()
    methods = frozenset(table.methods) if table.methods else PassbackRule().methods
    return PassbackRule(table.kind, table.seconds, methods)


class _Builder:
    """Checks what goes across tables, collecting mistakes, and builds the values."""

    def __init__(
        self, rules: _Rules, time_zone: str, forgiven: Callable[[str], object] | None = None
    ) -> None:
        self._rules = rules
        self._forgiven = forgiven
        self._zone_name = rules.time_zone or time_zone
        self._mistakes: list[str] = []
        self._schedules = {"always": ALWAYS, "never": NEVER}

    def build(self, source: str) -> RuleBook:
        rules = self._rules
        # The schedules first: everything else names them.
        self._schedules |= {name: self._schedule(name, days) for name, days in rules.schedules.items()}
        zone, special, public = self._zone(), self._special_days(), self._public_days()
        calendar = Calendar(zone, special, public.is_holiday, public.made_up_as)
        levels = {name: self._level(name, level) for name, level in rules.levels.items()}
        groups = {name: self._group(name, group) for name, group in rules.groups.items()}
        usual = {name: self._usual(name, door) for name, door in rules.doors.items()}
        strict_liveness = self._named("strict_liveness", rules.strict_liveness)
        self._check_names()
        # Only what the file says: a door that detects attacks has other defaults for the rest.
        given = rules.lockout.model_dump(exclude_unset=True)
        if self._mistakes:
            raise _refusal(source, self._mistakes)
        return RuleBook(
            calendar=calendar,
            schedules=MappingProxyType({name: self._schedules[name] for name in rules.schedules}),
            levels=MappingProxyType(levels),
            groups=MappingProxyType(groups),
            disabled=MappingProxyType(
                {one: why for who, why in rules.disabled.items() for one in _ids_meant(who)}
            ),
            usual_modes=MappingProxyType(usual),
            passback=_passback(rules.passback),
            lockout=replace(LockoutRule(), **given),
            lockout_with_pad=replace(WITH_PAD, **given),
            untrusted_clock=rules.untrusted_clock,
            strict_liveness=strict_liveness,
        )

    def _schedule(self, name: str, table: Days) -> Schedule:
        if name in (ALWAYS.name, NEVER.name):
            self._mistakes.append(
                f"schedules.{name}: the name is taken by the built-in schedule; choose another"
            )
        days: dict[str, tuple[Span, ...]] = {}
        # The name that stands for fewer days wins, in whatever order they are written: `weekend` beside
        # `daily`, a single day beside either.
        for key in sorted(table, key=lambda key: -len(_days_of(key))):
            spans = tuple(self._spans(f"schedules.{name}.{key}", table[key]))
            days |= dict.fromkeys(_days_of(key), spans)
        return Schedule(name, MappingProxyType(days))

    def _spans(self, place: str, texts: list[str]) -> Iterable[Span]:
        for text in texts:
            try:
                yield Span.parse(text)
            except ValueError as error:
                self._mistakes.append(f"{place}: {error}")

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self._zone_name)
        except (KeyError, ValueError, OSError):
            self._mistakes.append(
                f"time_zone: {self._zone_name!r} is unknown here; use a name like Asia/Shanghai "
                "(the package tzdata holds them)"
            )
            return ZoneInfo("UTC")  # to go on and find the other mistakes; nothing is built from it

    def _public_days(self) -> PublicDays:
        wanted = self._rules.holidays
        if wanted is None:
            return NO_PUBLIC_DAYS
        try:
            return public_days(wanted.country, wanted.subdivision)
        except ValueError as error:
            self._mistakes.append(f"holidays: {error}")
            return NO_PUBLIC_DAYS

    def _special_days(self) -> Mapping[date, str]:
        used = {kind for schedule in self._schedules.values() for kind in schedule.days}
        known = dict.fromkeys([*WEEKDAYS, HOLIDAY, *sorted(used)])
        for day, kind in self._rules.special_days.items():
            if kind not in known:
                self._mistakes.append(
                    f"special_days.{day}: no schedule speaks of {kind!r}{did_you_mean(kind, known)}"
                )
        self._check_day_kinds()
        return MappingProxyType(self._rules.special_days)

    def _check_day_kinds(self) -> None:
        named = {*WEEKDAYS, HOLIDAY, *self._rules.special_days.values()}
        for schedule in self._schedules.values():
            for kind in schedule.days:
                if kind not in named:
                    hint = did_you_mean(kind, [*named, *GROUPS_OF_DAYS])
                    self._mistakes.append(f"schedules.{schedule.name}.{kind}: no day is of this kind{hint}")

    def _find_schedule(self, place: str, name: str) -> Schedule:
        return self._named(f"{place}.schedule", name)

    def _named(self, place: str, name: str) -> Schedule:
        if name not in self._schedules:
            hint = did_you_mean(name, self._schedules)
            self._mistakes.append(f"{place}: there is no schedule {name!r}{hint}")
        return self._schedules.get(name, NEVER)  # of a mistake; nothing is built from it either

    def _usual(self, name: str, door: _Door) -> UsualMode:
        if door.mode in (Mode.LOCKED_DOWN, Mode.EVACUATION):
            self._mistakes.append(
                f"doors.{name}.mode: {door.mode} is an emergency; command it, it is no usual mode"
            )
        return UsualMode(door.mode, self._opening_hours(name, door))

    def _opening_hours(self, name: str, door: _Door) -> Schedule:
        has_hours = door.mode in (Mode.SCHEDULED, Mode.FIRST_PERSON_IN)
        if has_hours and door.schedule is None:
            self._mistakes.append(
                f"doors.{name}.schedule: missing; mode {door.mode} needs the hours in which the door is "
                'unlocked: the name of a schedule ("always" means day and night)'
            )
        if door.mode in (Mode.NORMAL, Mode.UNLOCKED) and door.schedule is not None:
            self._mistakes.append(
                f"doors.{name}.schedule: mode {door.mode} has no hours; write scheduled, or take it out"
            )
        return NEVER if door.schedule is None else self._find_schedule(f"doors.{name}", door.schedule)

    def _level_hours(self, name: str, level: _Level) -> Schedule:
        if level.schedule is not None:
            return self._find_schedule(f"levels.{name}", level.schedule)
        way_out = 'missing; write when it opens: the name of a schedule ("always" means day and night)'
        (self._forgiven or self._mistakes.append)(f"levels.{name}.schedule: {way_out}")
        return ALWAYS

    def _check_names(self) -> None:
        """Find levels and groups that nobody can have: by their name, nor by a group or a list of members."""
        groups = self._rules.groups
        held = {level for group in groups.values() for level in group.levels}
        alone = [f"levels.{name}" for name in self._rules.levels if name not in held]
        alone += [f"groups.{name}" for name, group in groups.items() if not group.members]
        for place in alone:
            _, _, name = place.partition(".")
            meant = _level_meant(name)
            if meant != name:
                way_out = f"names end at blanks and commas, in plain letters; write {meant}"
                (self._forgiven or self._mistakes.append)(f"{place}: nobody can have it: {way_out}")

    def _level(self, name: str, level: _Level) -> Level:
        return Level(
            name=name,
            doors=frozenset(level.doors),
            schedule=self._level_hours(name, level),
            methods=frozenset(level.methods or {ANY}),
            passes_lockdown=level.passes_lockdown,
            is_first_person=level.is_first_person,
            is_strict=level.liveness == "strict",
        )

    def _group(self, name: str, group: _Group) -> RightsGroup:
        if name in self._rules.levels:
            self._mistakes.append(f"groups.{name}: a level has this name too; residents could mean either")
        for level in group.levels:
            if level not in self._rules.levels:
                hint = did_you_mean(level, self._rules.levels)
                self._mistakes.append(f"groups.{name}.levels: there is no level {level!r}{hint}")
        return RightsGroup(
            name=name,
            levels=tuple(group.levels),
            members=frozenset(one for who in group.members for one in _ids_meant(who)),
            needs_pin_with_face=group.needs_pin_with_face,
            extended_unlock=group.extended_unlock,
            may_pass_back=group.may_pass_back,
        )
