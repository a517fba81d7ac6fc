"""Why the door did what it did: one journal entry as a sentence for residents, and its numbers as a table.

A pure function of the entry: it asks no model, no rule and no clock, so an old decision is told
by the numbers it was made with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.events import Kind
from edge.words import LANGUAGES, Message, gaps, has, say, zone_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from edge.domain import DoorEvent

ENTRIES = (Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED)
VARIANTS = ("method", "state", "why", "mode")
"""The data that may have a sentence of its own, such as `tell.health.camera.lost`; a reason comes first."""

ORDER = ("similarity", "threshold", "nearest", "runner_up", "runner_up_similarity", "margin", "shots")
"""The facts people compare first. The others follow as they were recorded."""

CODED = {"rule_code": "rule", "basis_code": "basis", "detail_code": "detail"}
"""Texts that an entry holds as code and values, and the English that it holds beside them."""

ALIKE = {"alarms": "alarm"}
"""Fields whose values have the same words."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One entry, told. `facts` has every number the entry holds, as (name, value) in the reader's words."""

    at: str
    title: str
    sentence: str
    facts: tuple[tuple[str, str], ...]


def explain(event: DoorEvent, language: str = LANGUAGES[0], zone: tzinfo = UTC) -> Explanation:
    """Return what happened and why, in `language` and in the time of `zone`."""
    at = f"{event.at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    teller = _Teller(event, language, zone)
    when = say("explain.at", language, at=at, zone=zone_name(zone, language))
    return Explanation(when, title_of(event, language), teller.sentence(), tuple(teller.facts()))


def title_of(event: DoorEvent, language: str = LANGUAGES[0]) -> str:
    """Return what happened in a few words; a kind of another version is named as it is."""
    names = (f"state.{event.kind}.{event.data.get('state')}", f"event.{event.kind}")
    return next((say(name, language) for name in names if has(name)), event.kind)


def explain_reason(reason: str, language: str = LANGUAGES[0], method: str = "") -> str:
    """Return the sentence of a reason; a reason of another version is named as it is."""
    names = (f"reason.{reason}.{method}", f"reason.{reason}")
    found = next((name for name in names if has(name)), None)
    return say(found, language) if found else say("explain.unknown_reason", language, reason=reason)


class _Teller:
    """Tells one entry in one language."""

    def __init__(self, event: DoorEvent, language: str, zone: tzinfo) -> None:
        self._event = event
        self._language = language
        self._zone = zone
        self._data = _decoded(event.data)

    def sentence(self) -> str:
        """Return the first of the sentences for this entry whose gaps can all be filled."""
        values = self._values()
        # An entry of an older version lacks what today's sentence needs; a plainer one still fits.
        for name in self._candidates():
            if has(name) and gaps(name) <= values.keys():
                return say(name, self._language, **values)
        return self._plain(values)

    def facts(self) -> Iterator[tuple[str, str]]:
        data = dict(self._data)
        if data.get("runner_up") is None and data.get("runner_up_similarity") == -1:
            for name in ("runner_up_similarity", "margin"):  # nobody else was there to compare with
                data.pop(name, None)
            data["runner_up"] = Message("explain.nobody")
        if self._event.kind == Kind.ACCESS_DENIED and not data.get("unlock_seconds"):
            data.pop("unlock_seconds", None)  # always 0 for a refusal
        if self._event.kind not in ENTRIES and self._event.reason is not None:
            data.setdefault("reason", self._event.reason)
        if self._event.clock != "synced":
            data["clock"] = self._event.clock
        for name in sorted(data, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
            yield from self._rows(name, data[name])

    def _rows(self, name: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for key, part in value.items():
                yield from self._rows(f"{name}.{key}", part)
        else:
            yield self._label(name), self._shown(name, value)

    def _label(self, name: str) -> str:
        if has(f"field.{name}"):
            return say(f"field.{name}", self._language)
        parts = name.split(".")  # a network's name has a dot of its own: silentface-2.7
        for end in range(len(parts) - 1, 0, -1):
            if has(f"field.{'.'.join(parts[:end])}"):
                return f"{self._label('.'.join(parts[:end]))} · {'.'.join(parts[end:])}"
        return " · ".join(parts)

    def _candidates(self) -> Iterator[str]:
        kind = f"tell.{self._event.kind}"
        for variant in (self._event.reason, *map(self._data.get, VARIANTS)):
            if isinstance(variant, str):
                yield f"{kind}.{variant}"
        yield kind

    def _values(self) -> dict[str, str]:
        """Return what may fill the gaps of a sentence, in the reader's words."""
        rule = self._data.get("rule")
        data = {**(rule.values if isinstance(rule, Message) else {}), **self._data}
        values = {name: self._shown(name, value, whole=True) for name, value in data.items()}
        values["door"] = self._event.door_id
        if (who := self._who()) is not None:
            values["who"] = who
        if self._event.reason is not None:
            method = str(self._data.get("method", ""))
            values["reason"] = explain_reason(self._event.reason, self._language, method)
        return values

    def _who(self) -> str | None:
        if self._event.resident_id is not None:
            return self._event.resident_id
        if "host" in self._data:
            return say("explain.guest", self._language, host=self._data["host"])
        return say("explain.somebody", self._language) if self._event.kind in ENTRIES else None

    def _plain(self, values: Mapping[str, str]) -> str:
        """Return what any kind can be told with: what happened, where, and who had to do with it."""
        what = title_of(self._event, self._language)
        told = [say("explain.other", self._language, what=what, door=self._event.door_id)]
        told += [
            say(f"explain.{part}", self._language, **{gap: values[gap]})
            for part, gap in (("person", "who"), ("method", "method"), ("by", "by"))
            if gap in values
        ]
        if self._event.kind in ENTRIES and "reason" in values:
            told.append(say("explain.because", self._language, reason=values["reason"]))
        return "".join(told)

    def _shown(self, name: str, value: Any, *, whole: bool = False) -> str:
        """Return a value in the reader's words; `whole` rounds seconds, as sentences do."""
        if isinstance(value, Message):
            return value.said(self._language)
        if isinstance(value, list | tuple):
            return say("list.comma", self._language).join(self._shown(name, one) for one in value)
        field = ALIKE.get(name, name)
        for words in (f"value.{field}.{value}", f"reason.{value}" if field == "reason" else ""):
            if has(words):
                return say(words, self._language)
        if isinstance(value, str) and TIME.fullmatch(value):
            return f"{datetime.fromisoformat(value).astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        if whole and name.endswith("seconds") and isinstance(value, float):
            return f"{value:.0f}"
        return _number(value)


def _decoded(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with its coded texts as messages, in place of the English beside them."""
    found = dict(data)
    for code, english in CODED.items():
        told = Message.decoded(found.get(code))
        if told is not None:
            del found[code]
            found[english] = told
    return found


def _number(value: object) -> str:
    """Return a number as people read it: four decimals tell a near miss from a hit."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4f}".rstrip("0").rstrip(".")
