"""Faces whose time is up go by themselves, and the journal says so."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge.consent.retention import Expiry
from edge.domain import Resident, Template
from edge.errors import JournalUnavailable
from edge.runtime.clock import ManualClock
from edge.service.retention import erase_expired
from edge.store.residents import ResidentStore

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def template(resident_id, enrolled_at):
    vector = np.zeros(8, np.float32)
    vector[0] = 1
    return Template(resident_id, vector, "m", enrolled_at)


@pytest.fixture
def store(tmp_path):
    old = NOW - timedelta(days=366)
    with closing(ResidentStore(tmp_path / "residents.db")) as opened:
        opened.put(Resident("unused", "A"), [template("unused", old)])
        opened.put(Resident("used", "B"), [template("used", old)])
        visitor = Resident("visitor", "C", valid_until=NOW - timedelta(minutes=1))
        opened.put(visitor, [template("visitor", NOW - timedelta(days=2))])
        yield opened


def test_unused_and_expired_faces_go_and_people_stay(store):
    events = []

    expired = erase_expired(store, {"used": NOW - timedelta(days=1)}, ManualClock(NOW), events.append)

    assert expired == [Expiry("unused", "unused"), Expiry("visitor", "validity_ended")]
    assert [(event.kind, event.resident_id) for event in events] == [
        ("face.erased", "unused"),
        ("face.erased", "visitor"),
    ]
    assert store.templates_of("unused") == ()
    assert store.templates_of("used")
    assert store.sealer.people() == ("used",)
    assert store.get("unused").name == "A"
    assert erase_expired(store, {"used": NOW}, ManualClock(NOW), events.append) == []


def test_what_cannot_be_recorded_is_not_erased(store):
    def full(_):
        raise JournalUnavailable("disk full")

    with pytest.raises(JournalUnavailable):
        erase_expired(store, {}, ManualClock(NOW), full)
    assert store.templates_of("unused")
