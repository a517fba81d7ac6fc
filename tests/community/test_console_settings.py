"""A door's settings on the console: what counts, what is wanted, through the signer and with its audit."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from edge.config.remote import REMOTE
from edge.wire.configuration import Desired, Reported
from edge.words import has
from facegate_hub.configuration import Configurations
from tests.community.test_console_doors import Gate, entered

pytestmark = pytest.mark.slow

COUNTS = {"lock.unlock_seconds": 5, "held.quiet_from": None, "recognition.fpir": 0.001}
PAGE = "/doors/front/settings"


class SettingsGate(Gate):
    """The same site; the door in front has said what may be changed there."""

    def __init__(self, folder):
        super().__init__(folder)
        self.wishes = Configurations(self.engine)
        self.wishes.note("front", Reported(0, COUNTS).encode())


@pytest.fixture
def gate(tmp_path):
    with closing(SettingsGate(tmp_path)) as gate:
        gate.principal("mei", "manager")
        gate.principal("gao", "guard")
        yield gate


def test_who_may_wants_a_setting_and_sees_what_the_door_made_of_it(gate):
    desk = entered(gate, "mona", "mei")
    desk.get(PAGE)
    assert "Seconds that one opening lasts" in desk.page
    desk.send(PAGE, **{"lock.unlock_seconds": "8", "held.quiet_from": "22:00"})
    assert desk.status == 200
    assert "not heard of it" in desk.page
    wanted = Desired.parse(gate.wishes.body("front"))
    assert wanted.values == {"lock.unlock_seconds": 8, "held.quiet_from": "22:00"}
    told, broken = gate.desk.looking.signer.audit(50)
    (noted,) = [one for one in told if one.what == "settings"]
    assert (noted.by, broken) == ("mei", None)
    assert json.loads(noted.about)["values"] == wanted.values
    gate.wishes.note("front", Reported(1, COUNTS | {"lock.unlock_seconds": 8}).encode())
    desk.get(PAGE)
    assert "The door has taken it" in desk.page
    desk.send(PAGE, **{"lock.unlock_seconds": ""})
    assert Desired.parse(gate.wishes.body("front")).values == {"held.quiet_from": "22:00"}


def test_what_a_door_refuses_is_said_with_its_reason(gate):
    desk = entered(gate, "mona", "mei")
    desk.get(PAGE)
    desk.send(PAGE, **{"recognition.fpir": "0.5"})
    gate.wishes.note("front", Reported(1, COUNTS, ("recognition.fpir: at most 0.001",)).encode())
    desk.get(PAGE)
    assert "recognition.fpir: at most 0.001" in desk.page


def test_who_may_not_sees_what_counts_and_changes_nothing(gate):
    desk = entered(gate, "guard-1", "gao")
    desk.get(PAGE)
    assert "0.001" in desk.page
    assert 'name="lock.unlock_seconds"' not in desk.page
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    refused = desk.client.post(PAGE, data={"csrf": csrf, "rev": "0", "lock.unlock_seconds": "30"})
    assert refused.status_code == 409
    assert "does not have the right “settings”" in refused.text
    assert gate.wishes.view("front").rev == 0


def test_two_who_change_it_at_once_do_not_write_over_each_other(gate):
    desk, other = entered(gate, "mona", "mei"), entered(gate, "mona", "mei")
    desk.get(PAGE)
    other.get(PAGE)
    desk.send(PAGE, **{"lock.unlock_seconds": "8"})
    other.send(PAGE, **{"lock.unlock_seconds": "9"})
    assert other.status == 422
    assert gate.wishes.view("front").wanted == {"lock.unlock_seconds": 8}


def test_the_door_is_asked_how_it_is(gate):
    desk = entered(gate, "mona", "mei")
    desk.get(PAGE)
    with gate.answering("done", "as of now"):
        desk.send("/doors/front/checkup", ask="1")
    assert desk.status == 409  # this door said nothing beside it
    desk.get(PAGE)
    with gate.answering("done", "access rules read again"):
        desk.send("/doors/front/checkup", reload="1")
    assert "access rules read again" in desk.page
    assert gate.asked() == [("front", "diagnostics"), ("front", "reload")]


def test_every_setting_that_a_door_may_offer_has_a_name():
    assert {key for key in REMOTE if not has(f"community.set.{key}")} == set()


def test_a_door_that_is_not_there_has_no_page(gate):
    desk = entered(gate, "mona", "mei")
    assert desk.get("/doors/nowhere/settings").status_code == 422
