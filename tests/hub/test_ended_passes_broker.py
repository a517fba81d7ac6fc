"""With a real broker, hub and signer: an ended visitor pass opens no more, once its door can be told."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import pytest

from edge.config.mqtt import Mqtt
from edge.domain import Reason, Resident
from edge.policy.access import AccessRules
from edge.policy.pass_gate import PassGate
from edge.policy.passes import pass_public_key, read_pass
from edge.policy.rulebook import RuleBook
from edge.policy.trust import ClockGuard
from edge.runtime.clock import SystemClock
from edge.service.entry.kept import Credentials
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.property.link import DoorSide, PropertyLink
from edge.service.untold import UntoldWays
from edge.site.provision import Site
from edge.store.journal import SqliteJournal
from edge.store.reader import JournalReader
from edge.store.residents import ResidentStore
from edge.wire.ended_passes import PURPOSE, EndedPass, PassEnds
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.visits import VisitKind, VisitorPasses, VisitWish
from facegate_hub.database_urls import database_url
from facegate_hub.ended_passes import PassEnder
from facegate_hub.service import Hub
from tests.community.compound import new_compound
from tests.community.web import resident
from tests.loopback import free_port
from tests.present import present
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Eager
from tests.sync.hubside import STRANGER
from tests.waiting import wait_until

KEY, HOUR, TOPIC = bytes(range(32)), 3600, "facegate/v1/front/pass/ended"
REPORT: dict[str, Any] = {
    "software": "test",
    "model": None,
    "gallery": 0,
    "camera": "ok",
    "clock": "synced",
    "mode": "normal",
}
REPORT["door"] = {"contact": "closed", "lock": "locked", "secured": "secured", "alarms": []}


class Front:
    """A door with its whole link to the property and its gate for passes; it comes and goes."""

    def __init__(self, folder, bundle, port):
        folder.mkdir()
        self.folder, self.clock = folder, SystemClock()
        tls = {
            "ca_file": bundle / "ca.crt",
            "cert_file": bundle / "door.crt",
            "key_file": bundle / "door.key",
        }
        self.section = Mqtt(host="127.0.0.1", port=port, trusted_keys=bundle / "trusted-keys.json", **tls)
        self.link = None

    def start(self):
        boot = f"boot-{time.time_ns()}"
        self.journal = SqliteJournal(
            self.folder / "journal.db", "front", boot=boot, clock_trust=lambda: "synced"
        )
        self.store = ResidentStore(self.folder / "residents.db")
        untold = UntoldWays(self.folder, self.journal.append, self.clock)
        self.held = HeldPassEnds(self.folder, untold)
        door = DoorSide(
            device_id="front",
            data=self.folder,
            boot=boot,
            clock=self.clock,
            clock_trust=lambda: "synced",
            store=self.store,
            events=Events(self),
            execute=lambda *_: None,
            report=lambda: REPORT,
            untold=untold,
            ended_passes=self.held,
        )
        self.link = PropertyLink(self.section, door)
        self.link.start()

    def stop(self):
        if self.link is not None:
            self.link.stop()
            self.journal.close()
            self.store.close()
            self.link = None

    def show(self, text):
        """Return what the door says to a picture of a pass, whether or not anybody is connected."""
        trust, now = ClockGuard(), self.clock.now()
        trust.observe(None, (now,), is_vouched=True)
        rules = AccessRules(RuleBook(), "front", {"anna": Resident("anna", "Anna")}.get, trust)
        with closing(Credentials(self.folder, ())) as credentials:
            shown = present(read_pass(text, [pass_public_key(KEY)]))
            return PassGate(rules, credentials).authorise(shown, now).reason

    def journaled(self, kind):
        with closing(JournalReader(self.folder / "journal.db")) as journal:
            return [one.data for one in journal.of_kind(kind, 20)]


class Events:
    """Writes a door's events."""

    def __init__(self, front):
        self.record = self.commit = front.journal.append


class World:
    """A provisioned site with one compound, whose hub, broker and door come and go."""

    def __init__(self, tmp_path):
        self.site, self.port = tmp_path / "site", free_port()
        made = Site.create(self.site, "Test", "127.0.0.1", self.port)
        made.add_door("front")
        made.add_door("back")
        (self.site / "hub" / "pass.key").write_bytes(KEY)
        self.compound = new_compound(self.site)
        (self.site / "staff" / "terms.toml").write_text('[doors]\n3 = ["front"]\n5 = ["back"]\n')
        self.compound.clock.step_wall(time.time() - self.compound.book.now())
        self.compound.register.change(SYSTEM, self.compound.people["wang"], resident="anna")
        self.visits = VisitorPasses(self.compound.book, self.compound.terms)
        self.front = Front(tmp_path / "front", self.site / "doors" / "front", self.port)
        self.broker, self.hub = Broker.of_site(self.site, self.port), None

    def __enter__(self):
        self.broker.start()
        self.begin_hub()
        return self

    def __exit__(self, *exception):
        self.front.stop()
        self.end_hub()
        self.broker.__exit__(*exception)

    def begin_hub(self):
        self.hub = Hub(self.site, database_url(self.site), rng=Eager())
        self.hub.start()

    def end_hub(self):
        if self.hub is not None:
            self.hub.stop()
            self.hub = None

    def make(self):
        """Have a resident make a pass, and return it when the hub has signed it."""
        now = self.compound.book.now()
        wish = VisitWish("3-1203", VisitKind.VISITOR, now - 60, now + 4 * HOUR, 20)
        identity = self.visits.wish(self.compound.asker("wang"), wish)
        return wait_until(lambda: next((one for one in self.mine() if one.id == identity and one.text), None))

    def mine(self):
        return self.visits.of_person(self.compound.people["wang"])

    def end(self, made):
        self.visits.end(self.compound.asker("wang"), made.id)

    def told(self, made):
        return next(one for one in self.mine() if one.id == made.id)

    @property
    def ender(self):
        return next(part for part in present(self.hub)._parts if isinstance(part, PassEnder))

    def leave(self, told, payload=None):
        """Leave a list at the broker, in the hub's name."""
        signed = payload or present(self.hub).signer.sign(told.encode(), PURPOSE)
        self.ender.send(TOPIC, signed, retain=True)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as world:
        yield world


@pytest.mark.broker
def test_an_ended_pass_opens_until_its_door_is_back_and_never_after(world):
    front, phone = world.front, resident(world.compound, "wang")
    made = world.make()
    front.start()
    world.broker.kill()
    assert front.show(made.text) is Reason.GRANTED, "without any network"
    front.stop()
    world.broker.start()
    phone.get(f"/visitors/{made.id}")
    phone.send(f"/visitors/{made.id}")
    assert "It still opens: front, until" in phone.page
    assert front.show(made.text) is Reason.GRANTED
    front.start()
    wait_until(lambda: front.show(made.text) is Reason.CREDENTIAL_ENDED)
    wait_until(lambda: not world.told(made).still_opens)
    phone.get(f"/visitors/{made.id}")
    assert "Every door of this pass has confirmed" in phone.page

    newest = front.held.rev
    world.leave(PassEnds("front", newest - 1, ()))  # an older list, played back
    wait_until(lambda: front.journaled("passes.refused"))
    assert front.show(made.text) is Reason.CREDENTIAL_ENDED
    front.stop()
    assert front.show(made.text) is Reason.CREDENTIAL_ENDED
    front.start()
    wait_until(lambda: len(front.journaled("passes.refused")) == 2)
    assert front.show(made.text) is Reason.CREDENTIAL_ENDED
    assert [one["count"] for one in front.journaled("passes.ended")] == [1]


@pytest.mark.broker
def test_nobody_but_the_signer_ends_a_pass_and_another_door_is_not_even_heard(world):
    front, made, other = world.front, world.make(), world.make()
    front.start()
    ids = [present(read_pass(one.text, [pass_public_key(KEY)])).id.hex() for one in (made, other)]
    world.end(other)
    wait_until(lambda: front.held.rev is not None)
    forged = PassEnds("front", front.held.rev + 5, (EndedPass(ids[0], front.clock.now()),))
    world.leave(forged, STRANGER.sign(forged.encode(), PURPOSE))
    wait_until(lambda: front.journaled("passes.refused"))
    bundle = world.site / "doors" / "back"
    files = [str(bundle / name) for name in ("ca.crt", "door.crt", "door.key")]
    own = "facegate/v1/back/cmd"
    with Listener(world.port, own, prepare=lambda one: one.tls_set(*files), client_id="back") as back:
        good = world.hub.signer.sign(forged.encode(), PURPOSE)  # even a genuine one, from the wrong place
        back.publish(TOPIC, good, retain=True)
    world.leave(PassEnds("front", front.held.rev + 1, ()))
    rev = front.held.rev + 1
    wait_until(lambda: front.held.rev == rev)
    assert front.show(made.text) is Reason.GRANTED
    assert front.show(other.text) is Reason.CREDENTIAL_ENDED


@pytest.mark.broker
def test_a_pass_that_is_ended_while_no_hub_runs_is_told_by_the_next_one(world):
    front, made = world.front, world.make()
    front.start()
    world.end_hub()
    world.end(made)
    assert world.told(made).still_opens == ("front",)
    assert front.show(made.text) is Reason.GRANTED
    world.begin_hub()
    wait_until(lambda: front.show(made.text) is Reason.CREDENTIAL_ENDED)
    wait_until(lambda: not world.told(made).still_opens)
