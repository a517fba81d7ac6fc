"""Events for people: which ones a page shows, to whom, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.enrol.guidance import Words
from edge.panel.asking import PEOPLE
from edge.policy.explain import explain
from edge.policy.reasons import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edge.domain import DoorEvent
    from edge.panel.asking import Ask

SILENT = frozenset({"alarm.duress"})
QUIET_SECONDS = 3600.0
"""A robber may stand beside the resident and have somebody open the page. The property is alarmed over
its broker at once; no page says so for an hour, and then only to those who look after people."""

BATCH, MOST_READ = 200, 4000
"""How many events are read at once, and at most for one page: a filter that finds little must end."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "entries": ("access.",),
        "door": ("door.", "lock."),
        "people": ("enrol.", "resident.", "consent.", "face.", "roster."),
        "panel": ("panel.", "command."),
        "health": ("health.", "service.", "journal."),
    }
)
ENTRIES: Mapping[str, Words] = MappingProxyType(
    {"access.granted": Words("let in", "放行"), "access.denied": Words("refused", "拒绝")}
)


@dataclass(frozen=True, slots=True)
class Told:
    """One event on a page.

    `day` and `time` are what the site's clocks showed, `title` a few words, `text` has every number,
    `tone` is good, bad or plain.
    """

    event: DoorEvent
    day: str
    time: str
    title: str
    text: str
    tone: str


def seen_events(ask: Ask, before: int | None, kinds: tuple[str, ...] = ("",)) -> Iterator[DoorEvent]:
    """Yield the events whose kind begins with one of `kinds` and that this reader may see, newest first."""
    read = 0
    while read < MOST_READ and (batch := ask.desk.events(before, BATCH)):
        yield from (one for one in batch if one.kind.startswith(kinds) and _may_see(ask, one))
        read += len(batch)
        before = batch[-1].seq


def told(ask: Ask, events: list[DoorEvent]) -> list[Told]:
    """Return these events in the reader's language."""
    return [_told(ask, event) for event in events]


def _told(ask: Ask, event: DoorEvent) -> Told:
    return Told(
        event,
        ask.local(event.at, "%Y-%m-%d"),
        ask.local(event.at, "%H:%M:%S"),
        _title(event.kind, ask.language),
        explain(event, ask.language, ask.desk.zone),
        _tone(event.kind),
    )


def _may_see(ask: Ask, event: DoorEvent) -> bool:
    if event.kind not in SILENT:
        return True
    age_seconds = (ask.desk.clock.now() - event.at).total_seconds()
    return ask.session.role in PEOPLE and age_seconds >= QUIET_SECONDS


def _title(kind: str, language: str) -> str:
    words = ENTRIES.get(kind) or KINDS.get(kind)
    if words is None:
        return kind
    return words[0] if language == "en" else words[1]


def _tone(kind: str) -> str:
    if kind == "access.granted":
        return "good"
    is_bad = kind.startswith("alarm.") or kind.endswith(("denied", "forced", "tamper", "held", "failed"))
    return "bad" if is_bad else "plain"
