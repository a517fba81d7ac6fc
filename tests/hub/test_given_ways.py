"""PINs and cards at the property: what doors say of them, in whatever order and by whatever clock."""

from __future__ import annotations

import secrets
from contextlib import closing

import pytest
import sqlalchemy as sa

from edge.site.provision import Site
from edge.wire.given_ways import ASK_PURPOSE, WaysAsk
from edge.wire.proof import Identity
from facegate_hub.database_urls import database_url
from facegate_hub.given_ways import REPLACED, TAKEN, WAITING, IssuedWays, site_origin
from facegate_hub.staff import Staff
from facegate_hub.tables import DEVICES, WAY_DOORS, open_tables

PIN, OTHER = {"number": "1203", "pin": "274918"}, {"number": "1203", "pin": "593817"}
NOW = 1.8e9
YEAR = 365 * 86_400


class Desk:
    """A site with two doors, and somebody to give PINs to."""

    def __init__(self, folder):
        self.folder, self.url = folder / "site", database_url(folder / "site")
        Site.create(self.folder, "Hill House", "127.0.0.1", 8883)
        self.engine = open_tables(self.url)
        with closing(Staff(self.folder, self.url)) as staff:
            staff.import_people([{"id": "3-1203", "name": "Anna"}])
        self.seconds = NOW
        self.issued = IssuedWays(self.engine, lambda: site_origin(self.folder), lambda: self.seconds)
        for door in ("front", "back"):
            Site(self.folder).add_door(door)
            with self.engine.begin() as connection:
                connection.execute(sa.insert(DEVICES).values(id=door, avail="online"))

    def says(self, door, settled=None, upto=0, at=None):
        """Have a door ask, by its own clock."""
        bundle = self.folder / "doors" / door
        identity = Identity.load(bundle / "door.crt", bundle / "door.key")
        began = int((self.seconds if at is None else at) * 1000)
        ask = WaysAsk(door, f"{began}.{secrets.token_hex(4)}", upto, settled or {})
        proof = identity.prove(ask.body, ASK_PURPOSE)
        self.issued.heard(ask, proof.partition(".")[0])

    def give(self, secret, *doors):
        self.seconds += 1
        return self.issued.give("3-1203", secret, doors, "mei", bool)

    def stand(self):
        """Return how each order stands at each door, the newest order first."""
        return [{door: status for door, (status, _) in one.doors.items()} for one in self.issued.of("3-1203")]


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.engine.dispose()


def test_a_door_whose_first_question_had_a_clock_far_ahead_is_known_by_its_new_certificate(desk):
    """Its first question passed for the newest one for ten years: no PIN reached the device after it."""
    desk.says("front", at=NOW + 10 * YEAR)
    before = shown(desk)
    replace_device(desk)
    desk.says("front")
    assert shown(desk) != before
    desk.give(PIN, "front")


def test_a_recording_makes_no_door_known_by_an_older_certificate(desk):
    desk.says("front")
    before = shown(desk)
    replace_device(desk)
    desk.seconds += 60
    desk.says("front")
    now = shown(desk)
    desk.says("front", at=NOW - 60)
    assert before != now == shown(desk)


def test_a_pin_that_a_door_took_before_it_was_replaced_elsewhere_is_told_to_be_there(desk):
    """It opened that door, and the page said that no door had it."""
    desk.says("front")
    desk.says("back")
    first = desk.give(PIN, "front", "back")
    desk.give(OTHER, "front")
    assert desk.stand() == [{"front": WAITING}, {"front": REPLACED, "back": REPLACED}]
    desk.says("back", {first: None}, first)
    desk.says("front", {first: "pin_taken"}, 0)
    assert desk.stand()[1] == {"front": REPLACED, "back": TAKEN}


def shown(desk):
    with desk.engine.connect() as connection:
        return connection.execute(sa.select(WAY_DOORS.c.shown).where(WAY_DOORS.c.device == "front")).scalar()


def replace_device(desk):
    Site(desk.folder).revoke_door("front")
    Site(desk.folder).add_door("front")
