"""With a real broker, hub and signer: doors take rules from the console, where and while they may."""

from __future__ import annotations

import pytest

from edge.panel.rule_file import RuleFile
from edge.runtime.clock import SystemClock
from edge.service.property.rules import HeldRules
from edge.wire.rules import PURPOSE, DesiredRules, digest_of
from facegate_hub.signer.rights import NotPermitted
from tests.hub.test_given_ways_broker import Gate, World
from tests.waiting import wait_until

OLD = '# ours\n[levels.resident]\nschedule = "always"\n'
NEW = OLD + '\n[special_days]\n2027-01-01 = "holiday"\n'


class RuledGate(Gate):
    """A door with a file of rules."""

    def held_rules(self):
        file = self.folder / "rules.toml"
        if not file.exists():
            file.write_text(OLD)
        held = RuleFile(file, "UTC", lambda: "read")
        taken, record = self.folder / "rules_taken.json", self.journal.append
        return HeldRules(held, taken, record, SystemClock(), is_let=self.is_let)

    @property
    def rules(self):
        return (self.folder / "rules.toml").read_text()


class RuledWorld(World):
    """The same site; `back` takes no rules from afar."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        for name, door in self.doors.items():
            door.__class__, door.is_let = RuledGate, name == "front"

    def view(self, door):
        return next((one for one in self.staff.rules.views() if one.device == door), None)

    def send(self, door, text, base=OLD):
        self.staff.want_rules(door, digest_of(base), text)
        return self.staff.rules.revisions()[door]


@pytest.fixture
def world(tmp_path):
    with RuledWorld(tmp_path) as made:
        wait_until(lambda: made.view("front") and made.view("back"))
        yield made


@pytest.mark.broker
def test_a_door_takes_rules_that_it_may_and_says_so(world):
    """Also one that was away; what it cannot use it refuses with the reason, and goes on by what it has."""
    front = world.doors["front"]
    assert world.view("front").reported.text == OLD
    rev = world.send("front", NEW)
    wait_until(lambda: world.view("front").reported.rev == rev)
    assert front.rules == NEW
    assert world.view("front").reported.refused is None
    assert front.journaled("rules.taken")
    front.stop()
    rev = world.send("front", "levels = 3\n", base=NEW)
    assert world.view("front").is_waiting
    front.start()
    wait_until(lambda: world.view("front").reported.rev == rev)
    assert "levels" in world.view("front").reported.refused
    assert front.rules == NEW


@pytest.mark.broker
def test_what_was_changed_at_the_door_is_not_written_over_and_nothing_comes_back(world):
    front = world.doors["front"]
    front.stop()
    rev = world.send("front", NEW)
    own = OLD + "# changed at the door\n"
    (front.folder / "rules.toml").write_text(own)
    front.start()
    wait_until(lambda: world.view("front").reported.rev == rev)
    assert "changed at the door meanwhile" in world.view("front").reported.refused
    assert front.rules == own
    old = DesiredRules("front", rev - 1, digest_of(own), NEW).encode()
    server = next(part for part in world.hub._parts if part.name == f"hub-{PURPOSE}")
    with pytest.raises(NotPermitted, match="nobody who may has asked"):
        world.hub.signer.sign(old, PURPOSE)
    server.send("facegate/v1/front/rules/desired", forged(world, old), retain=True)
    wait_until(lambda: any("played back" in one["detail"] for one in front.journaled("rules.refused")))
    assert front.rules == own


def forged(world, body):
    """Return what somebody who has the key would sign: an older wish, say."""
    from edge.site.provision import Site  # noqa: PLC0415 - only here

    return Site(world.site).signer().sign(body, PURPOSE)


@pytest.mark.broker
def test_a_door_whose_installer_did_not_let_it_takes_none(world):
    assert not world.view("back").reported.takes
    with pytest.raises(Exception, match="takes no rules from afar"):
        world.send("back", NEW)
    server = next(part for part in world.hub._parts if part.name == f"hub-{PURPOSE}")
    body = DesiredRules("back", 9, digest_of(OLD), NEW).encode()
    server.send("facegate/v1/back/rules/desired", forged(world, body), retain=True)
    wait_until(lambda: world.doors["back"].journaled("rules.refused"))
    assert world.doors["back"].rules == OLD
