"""The timer behind the notice: faces whose time is up are erased without anybody asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.consent.retention import UNUSED_DAYS, Expiry, due
from edge.domain import EventDraft
from edge.store.consents import erase_face

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from edge.ports import Clock
    from edge.store.residents import ResidentStore


def erase_expired(
    store: ResidentStore,
    last_used: Mapping[str, datetime],
    clock: Clock,
    record: Callable[[EventDraft], object],
    unused_days: int = UNUSED_DAYS,
) -> list[Expiry]:
    """Erase the faces of who left or never came, each with an event first; return whose and why.

    `last_used` is the last grant per resident. Call it once a day, and only while the clock is
    trusted: a clock years ahead would erase everybody. The person, PIN and card stay.
    """
    residents = store.list()
    templates = [template for one in residents for template in store.templates_of(one.id)]
    expired = due(residents, templates, last_used, clock.now(), unused_days)
    for one in expired:
        data = {"why": one.why}
        record(EventDraft("face.erased", clock.now(), clock.monotonic(), one.resident_id, None, data))
        erase_face(store, one.resident_id)
    return expired
