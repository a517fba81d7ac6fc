"""Certificates at the hub: whose they may be, how many, and what is left of somebody who is erased."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import SyncError
from edge.wire.faces.door_list import DoorList
from facegate_hub.faces import SharedFaces
from facegate_hub.people import RosterPeople
from facegate_hub.tables import open_tables
from tests.wire.test_faces import DOOR_KEY, FACE, SITE, listed

DOORS = DoorList(SITE, 1, {"front": listed("front"), "back": listed("back", roles=["receives"])})


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


def offered(engine, device="front", key=DOOR_KEY, **changes):
    face = replace(FACE, **{"by": device, **changes})
    with engine.begin() as connection:
        SharedFaces(engine).offer(connection, device, face.signed(key), DOORS)
    return face


def statuses(engine):
    return {one.consent: one.status for one in SharedFaces(engine).found()}


def test_a_certificate_waits_for_staff_unless_there_is_a_window(engine):
    offered(engine)
    assert statuses(engine) == {"c-1": "waiting"}
    assert SharedFaces(engine).decide([FACE.person], "desk", lists=False) == [FACE.person]
    assert SharedFaces(engine).decide([FACE.person], "desk", lists=True) == []
    assert statuses(engine) == {"c-1": "refused"}


@pytest.mark.parametrize(
    ("device", "changes"),
    [("front", {"by": "back"}), ("front", {"site": "cd" * 32}), ("back", {})],
    ids=["another door's", "another site's", "may not enrol"],
)
def test_a_certificate_that_no_door_would_take_is_not_kept(engine, device, changes):
    with pytest.raises(SyncError):
        offered(engine, device, **changes)
    with pytest.raises(SyncError):
        offered(engine, key=Ed25519PrivateKey.generate())
    assert statuses(engine) == {}


def test_what_has_ended_is_never_listed_however_late_its_certificate_comes(engine):
    with engine.begin() as connection:
        SharedFaces(engine).end(connection, "front", ["c-1"])
    offered(engine)
    assert statuses(engine) == {}
    assert SharedFaces(engine).decide([FACE.person], "desk", lists=True) == []


def test_one_door_cannot_fill_the_database(engine):
    offered(engine)
    offered(engine, consent="c-2")
    third = replace(FACE, by="front", consent="c-3").signed(DOOR_KEY)
    with engine.begin() as connection, pytest.raises(SyncError, match="no more"):
        SharedFaces(engine, most_waiting=2).offer(connection, "front", third, DOORS)
    with engine.begin() as connection:
        SharedFaces(engine).told(connection, "back", ["c-1", "made-up"], "known")
    assert {one.consent: one.places for one in SharedFaces(engine).found()} == {
        "c-1": {"back": "known"},
        "c-2": {},
    }


def test_who_is_erased_leaves_only_that_a_consent_has_ended(engine):
    offered(engine)
    told = list(RosterPeople(engine).everything(FACE.person))
    assert told[0]["face"]["doors"] == ("back", "side")
    with engine.begin() as connection:
        SharedFaces(engine).end(connection, "front", ["c-1"])
    RosterPeople(engine).erase_events(FACE.person)
    assert list(RosterPeople(engine).everything(FACE.person)) == []
    offered(engine)
    assert statuses(engine) == {}
