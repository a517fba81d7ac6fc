"""Rings as the hub itself has received them, with their outcome, for the guard.

The community's table of rings is a copy that the residents' page can write: whoever takes the page over could
hide a ring there. So nothing is read from that table here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facegate_hub.community.rings import MOST_SHOWN, SHOWN_SECONDS, Ring, RingState, is_ringing, rang_lately
from facegate_hub.database import reading
from facegate_hub.tables import REQUESTS, RINGS_HEARD

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

TOLD = {
    "done": RingState.OPENED,
    "failed": RingState.FAILED,
    "rejected": RingState.FAILED,
    "unknown": RingState.UNKNOWN,
}
"""What a request's end is for who answered, and for the guard; before it the door is being opened."""


class HeardRings:
    """The rings that doors have proven. Any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def lately(self, now: float) -> list[Ring]:
        """Return the rings of the minutes before `now` (seconds since 1970), newest first."""
        ended = sa.select(REQUESTS.c.status).where(REQUESTS.c.id == RINGS_HEARD.c.request).scalar_subquery()
        query = sa.select(RINGS_HEARD, ended.label("status"))
        recent = query.where(rang_lately(RINGS_HEARD, now, SHOWN_SECONDS))
        newest = recent.order_by(RINGS_HEARD.c.rang_at.desc(), RINGS_HEARD.c.id).limit(MOST_SHOWN)
        with reading(self._engine) as connection:
            rows = list(connection.execute(newest))
        return [Ring(row.id, row.door, row.flat, int(row.rang_at), _state(row, now)) for row in rows]


def _state(row: Any, now: float) -> RingState:
    is_over = not is_ringing(row.rang_at, now)
    if row.answer is None:
        return RingState.OVER if is_over else RingState.RINGING
    if row.answer == "no":
        return RingState.NO
    if row.status is None:  # the signer has not granted it: within the minute it may still
        return RingState.FAILED if is_over else RingState.OPENING
    return TOLD.get(row.status, RingState.OPENING)
