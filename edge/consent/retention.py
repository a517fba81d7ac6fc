"""Which faces have to be erased because their time is up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from edge.domain import Resident

UNUSED_DAYS = 365
"""A template nobody used for a year serves no purpose; the strictest law read allows three. Days in which
the door ran count: a board that lies in a drawer matches nobody."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """One person whose templates are due for erasure, and why: `unused` or `validity_ended`."""

    resident_id: str
    why: str


def due(
    residents: Iterable[Resident],
    unused_seconds: Mapping[str, float],
    certain: datetime | None,
    unused_days: int = UNUSED_DAYS,
) -> list[Expiry]:
    """Return whose templates are to be erased now, ordered by resident id.

    `unused_seconds` is for how long the door ran since each face was enrolled or last used, by resident
    id: a running time, because no leap of a wall clock may make a face old. `certain` is a time that
    has certainly passed (UTC), None when there is none: then no end of a validity is known to be over.
    """
    found = []
    for resident in sorted(residents, key=lambda one: one.id):
        unused = unused_seconds.get(resident.id)
        if unused is None:
            continue
        until = resident.valid_until
        if until is not None and certain is not None and until <= certain:
            found.append(Expiry(resident.id, "validity_ended"))
        elif unused >= timedelta(days=unused_days).total_seconds():
            found.append(Expiry(resident.id, "unused"))
    return found
