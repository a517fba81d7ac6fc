"""New access rules tried on what happened at this door, before anybody is let in or refused by them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from edge.policy.rule_edit import differences
from edge.policy.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from edge.domain import DoorEvent
    from edge.panel.asking import Ask
    from edge.panel.rule_file import RuleFile
    from edge.policy.simulate import Simulation

TRIED_DAYS = (1, 7, 30, 90)
USUAL_DAYS = 7
MOST_EVENTS, BATCH = 20_000, 500
SHOWN_CHANGES = 50


@dataclass(frozen=True, slots=True)
class RulesTrial:
    """What new rules would have changed.

    `text` is what was tried and `mark` its own, `base` that of the file then; both stand in the form which
    brings the rules into force. `since` is later than was asked for when there were too many events.
    """

    text: str
    mark: str
    base: str
    days: int
    result: Simulation
    since: datetime
    is_cut: bool
    lines: Sequence[tuple[str, str]]
    """What changes in the file: (`same`, `gone` or `new`, line)."""


def mark_of(text: str) -> str:
    """Return what stands for a text of rules in a form."""
    return hashlib.sha256(text.encode()).hexdigest()


def tried(ask: Ask, file: RuleFile, text: str) -> RulesTrial:
    """Try rules on this door's events; nothing is altered. Raises `ConfigError` listing every mistake."""
    book = file.parsed(text)
    days = days_of(ask)
    since = ask.desk.clock.now() - timedelta(days=days)
    past = _Past(ask)
    people = {one.id: one for one in ask.desk.residents.list()}  # read once: there may be 20,000 events
    result = simulate(reversed(list(past.events(since))), book, people.get)
    before = file.text()
    return RulesTrial(
        text,
        mark_of(text),
        mark_of(before),
        days,
        result,
        past.reached or since,
        past.reached is not None,
        differences(before, text),
    )


def days_of(ask: Ask) -> int:
    """Return on how many past days the form has rules tried."""
    asked = ask.form.get("days", "")
    return int(asked) if asked in {str(days) for days in TRIED_DAYS} else USUAL_DAYS


class _Past:
    """The door's events, newest first, as far back as one page may read. `reached` is where it stopped."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.reached: datetime | None = None

    def events(self, since: datetime) -> Iterator[DoorEvent]:
        read, before = 0, None
        while batch := self._ask.desk.events(before, BATCH):
            # After a power cut a clock without a battery begins years too early, and may be set back: single
            # events are older than those before them. Only a whole batch of old ones ends the search.
            recent = [event for event in batch if event.at >= since]
            if not recent:
                return
            yield from recent
            read, before = read + len(batch), batch[-1].seq
            if read >= MOST_EVENTS:
                self.reached = max(batch[-1].at, since)
                return


def told(ask: Ask, trial: RulesTrial) -> list[tuple[str, str, str, str]]:
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
