"""Brokers that carry short messages only: who was removed is removed all the same, or it is told aloud."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from facegate_hub.tables import DEVICES, open_tables
from tests.sync.broker import Broker
from tests.sync.drain import DEVICE, FollowingDoor, property_side
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from facegate_hub.roster import RosterLog

pytestmark = pytest.mark.broker


def person(number: int) -> dict[str, Any]:
    return {
        "id": f"flat-{number:05}",
        "name": f"Resident {number} 居民",
        "access_levels": ["resident", "gym"],
    }


class Place:
    """A door that follows a property through a broker."""

    def __init__(self, folder: Path, limit: str, stack: ExitStack) -> None:
        self.folder = folder
        broker = stack.enter_context(Broker(folder / "broker", limit))
        self.log: RosterLog = stack.enter_context(property_side(folder, broker.port))
        self.door = stack.enter_context(FollowingDoor(folder / "door", broker.port))

    def follows(self) -> None:
        wait_until(lambda: self.door.roster.state() == self.log.state(), "the door is where the property is")

    def here(self) -> set[str]:
        return {one.id for one in self.door.store.list()}

    def problem(self) -> str:
        engine = open_tables(f"sqlite:///{self.folder}/roster.db")
        with engine.connect() as connection:
            found = connection.execute(sa.select(DEVICES.c.problem).where(DEVICES.c.id == DEVICE)).scalar()
        engine.dispose()
        return found or ""


@pytest.mark.parametrize(
    "limit",
    [
        "max_packet_size 16000",  # told at the connection
        "message_size_limit 16000",  # told of each message that is longer
    ],
)
def test_hundreds_of_changes_pass_a_broker_that_takes_short_messages(tmp_path: Path, limit: str) -> None:
    """Removals of a whole house are a longer message than one: nobody went, and nothing said so."""
    with ExitStack() as stack:
        place = Place(tmp_path, limit, stack)
        place.log.change([person(number) for number in range(600)])
        place.follows()
        place.log.change(removals=[person(number)["id"] for number in range(400)])
        place.follows()
        assert place.here() == {person(number)["id"] for number in range(400, 600)}


def test_a_roster_that_passes_in_no_way_is_told_where_staff_look(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path, "max_packet_size 1500", stack)
        place.log.change([person(1)])
        place.follows()
        place.log.change([person(number) for number in range(600)])
        wait_until(lambda: "600 people" in place.problem(), place.problem)
        assert "the broker carries 1244 bytes in a message" in place.problem()


def test_one_removal_passes_where_a_head_passes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = Place(tmp_path, "max_packet_size 1500", stack)
        for number in range(12):
            place.log.change([person(number)])
            place.follows()
        place.log.change(removals=["flat-00003"])
        place.follows()
        assert "flat-00003" not in place.here()
