"""Rules, PINs and cards that take two people, where the site wants it: nothing goes out on one's word."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.rules import PURPOSE, DesiredRules, ReportedRules, digest_of
from facegate_hub.given_ways import ASKED, REPLACED
from facegate_hub.signer.client import open_signer
from facegate_hub.staff import Staff
from facegate_hub.tables import GIVEN_WAYS, RULE_SETS
from tests.community.test_console_doors import PASSWORD, entered
from tests.community.test_console_ways import DeskGate, press

OLD, NEW = '[levels.resident]\nschedule = "always"\n', '[levels.resident]\nschedule = "never"\n'


@pytest.fixture
def gate(tmp_path):
    with closing(DeskGate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        gate.principal("otto", role="manager")
        for door in ("front", "back"):
            gate.desk.looking.rules.note(door, ReportedRules(0, OLD, takes=True).encode())
        yield gate


def wants_two(gate, *what):
    for one in what:
        gate.desk.looking.signer.change("rule", name=f"persons.{one}", value="2")


def agrees(desk, number):
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    answer = desk.client.post("/access/3-1203/agree", data={"csrf": csrf, "number": str(number)})
    desk.page, desk.status = answer.text, answer.status_code


def test_a_pin_goes_out_once_somebody_else_agrees(gate):
    wants_two(gate, "ways")
    mei, otto = entered(gate, "mona", "mei"), entered(gate, "mike", "otto")
    mei.get("/access/3-1203")
    press(mei, "pin", {"number": "1203", "door_front": "1", "door_back": "1"})
    assert "No door gets it yet" in mei.page
    (given,) = gate.issued.of("3-1203")
    assert {status for status, _ in given.doors.values()} == {ASKED}
    assert gate.issued.due() == []
    assert "waits for a second person" in mei.get("/access/3-1203").text
    assert "/agree" not in mei.page, "one's own"
    agrees(mei, given.number)
    assert gate.issued.due() == [], "nobody is two people"
    otto.get("/access/3-1203")
    otto.send("/access/3-1203/agree")
    assert {told.device for told in gate.issued.due()} == {"front", "back"}
    words = [one.what for one in gate.desk.looking.audit(20)[0]]
    assert words[-2:] == ["way-given", "second-voice"]
    agrees(otto, given.number)
    assert otto.status == 409, "it waits for nobody any more"


def test_what_somebody_changed_in_the_database_meanwhile_is_not_what_was_agreed(gate):
    wants_two(gate, "ways")
    mei, otto = entered(gate, "mona", "mei"), entered(gate, "mike", "otto")
    mei.get("/access/3-1203")
    press(mei, "card", {"card": "w26:12:3456", "door_front": "1"})
    (given,) = gate.issued.of("3-1203")
    with gate.engine.begin() as connection:
        connection.execute(sa.update(GIVEN_WAYS).values(person="3-1204"))
    otto.get("/access/3-1203")
    agrees(otto, given.number)
    assert gate.issued.due() == []


def test_a_newer_pin_takes_the_place_of_one_that_waits(gate):
    wants_two(gate, "ways")
    mei, otto = entered(gate, "mona", "mei"), entered(gate, "mike", "otto")
    for _ in range(2):
        mei.get("/access/3-1203")
        press(mei, "pin", {"number": "1203", "door_front": "1"})
    newer, older = gate.issued.of("3-1203")
    otto.get("/access/3-1203")
    agrees(otto, newer.number)
    assert gate.issued.of("3-1203")[1].doors["front"][0] == REPLACED
    agrees(otto, older.number)
    assert otto.status == 409


def test_who_gets_the_number_of_somebody_who_left_gets_nothing_that_waited(gate):
    wants_two(gate, "ways")
    mei, otto = entered(gate, "mona", "mei"), entered(gate, "mike", "otto")
    mei.get("/access/3-1203")
    press(mei, "card", {"card": "w26:12:3456", "door_front": "1"})
    (given,) = gate.issued.of("3-1203")
    gate.desk.looking.remove(["3-1203"])
    gate.desk.looking.import_people([{"id": "3-1203", "name": "Somebody else"}])
    otto.get("/access/3-1203")
    agrees(otto, given.number)
    assert otto.status == 409
    assert gate.issued.due() == []


def test_without_the_rule_one_person_is_enough(gate):
    mei = entered(gate, "mona", "mei")
    mei.get("/access/3-1203")
    press(mei, "card", {"card": "w26:12:3456", "door_front": "1"})
    assert [told.device for told in gate.issued.due()] == ["front"]


@pytest.fixture
def people(gate):
    """Two people at the signer, without pages."""
    found = {}
    with closing(open_signer(gate.folder)) as signer:
        for name in ("mei", "otto"):
            speaking = signer.speaking_for(signer.log_in(name, PASSWORD))
            found[name] = Staff(gate.folder, gate.url, signer=speaking)
        yield found
        for one in found.values():
            one.close()


def agreed(staff, text):
    return staff.rules.agree("front", digest_of(text), lambda wish: staff.signer.approve_rules(wish, {}))


def test_rules_go_out_once_somebody_else_agrees_with_the_same(gate, people):
    wants_two(gate, "rules")
    mei, otto = people["mei"], people["otto"]
    assert mei.want_rules("front", digest_of(OLD), NEW) is False
    (_, view) = mei.rules.views()
    assert (view.asked and view.asked.text, view.asked_by) == (NEW, "mei")
    assert mei.rules.revisions() == {}
    assert agreed(mei, NEW) is False
    with pytest.raises(SyncError, match="look again"):
        agreed(otto, OLD)
    assert mei.rules.revisions() == {}
    assert agreed(otto, NEW) is True
    assert set(mei.rules.revisions()) == {"front"}
    assert mei.rules.views()[1].asked is None
    gate.desk.looking.signer.sign(mei.rules.body("front"), PURPOSE)


def test_rules_that_were_exchanged_in_the_database_are_not_those_of_the_first(gate, people):
    wants_two(gate, "rules")
    people["mei"].want_rules("front", digest_of(OLD), NEW)
    evil = NEW.replace("never", "always") + "# more\n"
    with gate.engine.begin() as connection:
        front = RULE_SETS.c.device == "front"
        asked = json.loads(str(connection.execute(sa.select(RULE_SETS.c.asked).where(front)).scalar()))
        body = DesiredRules(asked["device"], asked["rev"], asked["base"], evil).encode().decode()
        connection.execute(sa.update(RULE_SETS).where(front).values(asked=body))
    assert agreed(people["otto"], evil) is False
    assert people["mei"].rules.revisions() == {}


@pytest.mark.parametrize("name", ["persons.roster", "persons.settings", "persons.", "persons.look"])
def test_a_rule_that_nothing_would_follow_is_refused(gate, name):
    with pytest.raises(SyncError, match="ways"):
        gate.desk.looking.signer.change("rule", name=name, value="2")
