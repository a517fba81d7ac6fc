"""Whose face must go because time is up: shortest retention, kept by a timer and not by memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge.domain import Resident

UNUSED_DAYS = 365
"""A template nobody used for a year serves no purpose; the strictest law read allows three."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """One person whose templates are due for erasure, and why: `unused` or `validity_ended`."""

    resident_id: str
    why: str


def due(
    residents: Iterable[Resident],
    enrolled: Mapping[str, datetime],
    last_used: Mapping[str, datetime],
    now: datetime,
    unused_days: int = UNUSED_DAYS,
) -> list[Expiry]:
    """Return whose templates are to be erased at `now`, a trusted time in UTC.

    `enrolled` is when each face was last enrolled, `last_used` the last grant, both by resident id;
    enrolment counts as a use. Ordered by resident id.
    """
    found = []
    for resident in sorted(residents, key=lambda one: one.id):
        if resident.id not in enrolled:
            continue
        used = max(enrolled[resident.id], last_used.get(resident.id, enrolled[resident.id]))
        if resident.valid_until is not None and resident.valid_until <= now:
            found.append(Expiry(resident.id, "validity_ended"))
        elif now - used >= timedelta(days=unused_days):
            found.append(Expiry(resident.id, "unused"))
    return found
