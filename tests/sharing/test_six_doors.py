"""A provisioned site with a real broker, a hub and six doors: one enrolment, and all gates know."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from edge.broker.settings import BrokerSettings, Tls
from edge.cli import app
from edge.runtime.clock import SystemClock
from edge.site.authority import Authority
from edge.site.provision import Site, load_trusted_keys
from edge.site.sharing import SharingDoors, SharingRequest
from edge.sync.follower import RosterFollower
from edge.sync.post import PostBox
from facegate_hub.service import Hub, database_url
from facegate_hub.tables import REQUESTS
from tests.loopback import free_port
from tests.sharing.rig import SharingRig
from tests.sync.broker import Broker, wait_until
from tests.sync.doors import Door, Eager
from tests.sync.privacy import findings
from tests.sync.wire import SECRETS

pytestmark = pytest.mark.broker
SIX = ("front", "back", "garage", "north", "south", "pool")
CLOCK = SystemClock()


class Gate:
    """A door that shares faces, over the broker of its site."""

    def __init__(self, folder, site, name, port):
        bundle = site / "doors" / name
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        settings = BrokerSettings("127.0.0.1", name, port, tls=tls)
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self.rig = SharingRig(folder, name, Authority.open(site / "ca"), CLOCK)
        self.rig.events.record = self.rig.events.commit = self._append
        follower = RosterFollower(settings, keys, self.rig.roster, self._append, CLOCK)
        self.rig.exchange.newest_list = lambda: follower.doors_number
        self.parts = [follower, PostBox(settings, self.rig.exchange)]
        self.door = Door(folder, port, device=name, others=self.parts, tls=tls)
        self.drafts = self.rig.events.drafts

    def _append(self, draft):
        self.drafts.append(draft)
        return self.door.journal.append(draft)

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


@pytest.fixture
def site(tmp_path):
    port = free_port()
    made = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", port)
    for name in SIX:
        made.add_door(name)
    with Broker.of_site(tmp_path / "site", port):
        yield tmp_path / "site", port


@pytest.fixture
def hub(site):
    hub = Hub(site[0], database_url(site[0]), rng=Eager())
    hub.start()
    wait_until(lambda: hub.client.status().connected)
    yield hub
    hub.stop()


@pytest.fixture
def gates(tmp_path, site, hub):
    with ExitStack() as stack:
        found = {name: stack.enter_context(Gate(tmp_path / name, site[0], name, site[1])) for name in SIX}
        for name, gate in found.items():
            request = SharingRequest(name, gate.rig.listed().key)
            SharingDoors(site[0]).accept(request, request.fingerprint, ["enrols", "receives"])
        hub.roster.change(
            [{"id": "anna", "name": "Anna Muster"}, {"id": "otto", "name": "Otto"}],
            approve=lambda before, after: hub.signer.approve_roster(before, after, {"what": "test"}),
        )
        wait_until(lambda: all(len(gate.rig.book.peers()) == 5 for gate in found.values()), 30, "keys")
        wait_until(lambda: all(gate.rig.roster.state().count == 2 for gate in found.values()), 30, "roster")
        yield found


def open_window(hub, door):
    """Note an enrolment window as the hub does that gave it."""
    given = {"status": "done", "asked_at": time.time(), "given_at": time.time()}
    window = {"id": str(uuid.uuid4()), "device": door, "type": "enrol_window", "args": "{}", "by": "desk"}
    with hub.engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS).values(**window, **given))


def staff(site, *words):
    result = CliRunner().invoke(app, ["hub", "--site", str(site[0]), "faces", *words])
    assert result.exit_code == 0, result.output
    return result.output


def knowing(gates, who):
    return {name for name, gate in gates.items() if gate.rig.knows(who)}


def test_enrolled_once_every_gate_knows_and_withdrawn_none_does(site, hub, gates):
    """Whoever steals the hub's database has no template; the recorder judges what passed the broker."""
    open_window(hub, "front")
    gates["front"].rig.enrol("anna", *SIX[1:])
    wait_until(lambda: knowing(gates, "anna") == set(SIX), 30, "known everywhere")
    wait_until(lambda: staff(site, "show", "anna").count("known") == 5, 30, "and told so")
    stolen = b"".join(path.read_bytes() for path in (site[0] / "hub").iterdir())
    for template in gates["front"].rig.store.templates_of("anna"):
        assert template.embedding.astype("<f4").tobytes() not in stolen
    assert findings(stolen, SECRETS) == []

    receipt = gates["pool"].rig.withdraw("anna")
    assert set(receipt.asked) == set(SIX) - {"pool"}
    wait_until(lambda: knowing(gates, "anna") == set(), 30, "known nowhere")
    everywhere = "face.erased_everywhere"
    wait_until(lambda: everywhere in gates["pool"].rig.events.kinds(), 30, "all doors have answered")
    assert all(gate.rig.templates_on_disk() == 0 for gate in gates.values())
    assert "ended" in staff(site, "list", "--all")

    # Without an enrolment window staff are asked.
    gates["back"].rig.enrol("otto", "front", "garage")
    wait_until(lambda: "otto  waiting" in staff(site, "list"), 30, "it waits")
    assert not gates["front"].rig.knows("otto")

    # A door that is revoked meanwhile gets nothing more.
    Site(site[0]).revoke_door("garage")
    wait_until(lambda: "garage" not in listed(gates["back"]), 30, "off the list")
    staff(site, "confirm", "otto", "--by", "desk")
    wait_until(lambda: gates["front"].rig.knows("otto"), 30, "listed, and known")
    wait_until(lambda: staff(site, "known", "front").split() == ["anna", "otto"], 30, "and told so")
    assert not gates["garage"].rig.knows("otto")
    assert gates["garage"].rig.templates_on_disk() == 0


def listed(gate):
    authority = gate.rig.ties.authority
    return authority.open(gate.rig.book.doors()).doors
