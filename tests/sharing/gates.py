"""Doors that share faces over the broker of a provisioned site, and its hub's enrolment windows."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.broker.settings import BrokerSettings, Tls
from edge.runtime.clock import SystemClock
from edge.site.authority import Authority
from edge.site.provision import load_trusted_keys
from edge.site.sharing import SharingDoors, SharingRequest
from edge.sync.follower import RosterFollower
from edge.sync.post import PostBox
from facegate_hub.tables import REQUESTS
from tests.sharing.rig import Notes, SharingRig
from tests.sync.doors import Door

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import DoorEvent, EventDraft
    from edge.store.journal import SqliteJournal

CLOCK = SystemClock()


class JournaledNotes(Notes):
    """Remembers, and writes into the journal of the door that there is by then."""

    def __init__(self, journal: Callable[[], SqliteJournal]) -> None:
        super().__init__()
        self._journal = journal

    def record(self, draft: EventDraft) -> DoorEvent | None:
        super().record(draft)
        return self._journal().append(draft)

    def commit(self, draft: EventDraft) -> DoorEvent | None:
        return self.record(draft)


class Gate:
    """A door that shares faces, over the broker of its site."""

    def __init__(self, folder, site, name, port):
        bundle = site / "doors" / name
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        settings = BrokerSettings("127.0.0.1", name, port, tls=tls)
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self.rig = SharingRig(
            folder, name, Authority.open(site / "ca"), CLOCK, events=JournaledNotes(lambda: self.door.journal)
        )
        follower = RosterFollower(settings, keys, self.rig.roster, self.rig.events.record, CLOCK)
        self.rig.exchange.newest_list = lambda: follower.doors_number
        self.parts = [follower, PostBox(settings, self.rig.exchange)]
        self.door = Door(folder, port, device=name, others=self.parts, tls=tls)
        self.drafts = self.rig.events.drafts

    def __enter__(self):
        for part in self.parts:
            part.start()
        self.door.__enter__()
        return self

    def __exit__(self, *exception):
        self.door.__exit__(*exception)
        for part in self.parts:
            part.stop()
        self.rig.close()


def open_window(hub, door):
    """Note an enrolment window as the hub does that gave it."""
    given = {"status": "done", "asked_at": time.time(), "given_at": time.time()}
    window = {"id": str(uuid.uuid4()), "device": door, "type": "enrol_window", "args": "{}", "by": "desk"}
    with hub.engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS).values(**window, **given))


def accept(site, gates):
    """List all gates among the doors that share faces."""
    for name, gate in gates.items():
        request = SharingRequest(name, gate.rig.listed().key)
        SharingDoors(site).accept(request, request.fingerprint, ["enrols", "receives"])


def put_people(hub, people):
    """Put people into the roster, as somebody who may."""
    hub.roster.change(
        [{"id": one, "name": one.title()} for one in people],
        approve=lambda before, after: hub.signer.approve_roster(before, after, {"what": "test"}),
    )
