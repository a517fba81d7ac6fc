"""Whom the door fails: residents it refused by face and then let in another way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import Reason
from edge.entry_facts import EntryFacts
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from edge.domain import DoorEvent

SOON_SECONDS = 60.0
"""Whoever is refused tries card or PIN at once; a minute leaves time to find it."""

FACE_FAILURES = frozenset(
    {
        Reason.UNKNOWN_CREDENTIAL,
        Reason.AMBIGUOUS_MATCH,
        Reason.LOW_QUALITY,
        Reason.NOT_FACING,
        Reason.PRESENTATION_ATTACK,
        Reason.PAD_NO_RESPONSE,
        Reason.CHALLENGE_FAILED,
    }
)
OTHER_WAYS = frozenset({"pin", "card"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One resident: how often the face failed, in how many entries, and when it last did (UTC)."""

    resident_id: str
    failures: int
    entries: int
    last: datetime


def troubles(events: Iterable[DoorEvent]) -> list[Trouble]:
    """Return whom the face did not let in but a card or PIN did right after, the most failed first.

    `events` in any order. A refusal counts once: for the first who came in after it, within a minute.
    """
    failures: Counter[str] = Counter()
    entries: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    refused_at: datetime | None = None
    for event in sorted(events, key=lambda one: one.seq):
        if _is_face_failure(event):
            refused_at = event.at
        elif event.kind == Kind.ACCESS_GRANTED and event.resident_id is not None:
            entries[event.resident_id] += 1
            if _follows(event, refused_at):
                failures[event.resident_id] += 1
                last[event.resident_id] = event.at
            refused_at = None
    return [Trouble(who, count, entries[who], last[who]) for who, count in failures.most_common()]


def _is_face_failure(event: DoorEvent) -> bool:
    by_face = EntryFacts.read(event.data).is_by_face
    return event.kind == Kind.ACCESS_DENIED and by_face and event.reason in FACE_FAILURES


def _follows(event: DoorEvent, refused_at: datetime | None) -> bool:
    if refused_at is None or EntryFacts.read(event.data).method not in OTHER_WAYS:
        return False
    return 0 <= (event.at - refused_at).total_seconds() <= SOON_SECONDS
