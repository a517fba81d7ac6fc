"""The desk gives PINs and cards: shown once, sealed for each door, and doors that lack them are named."""

from __future__ import annotations

import re
import time
from contextlib import closing

import pytest

from edge.site.provision import Site
from edge.wire.given_ways import ASK_PURPOSE, WaysAsk
from edge.wire.proof import Identity
from edge.wire.rules import ReportedRules, digest_of
from facegate_hub.console.views_ways import keypad_number
from facegate_hub.given_ways import IssuedWays
from tests.community.test_console_doors import Gate, entered
from tests.present import present


class DeskGate(Gate):
    """The same site; its doors have certificates and have asked for PINs and cards."""

    def __init__(self, folder):
        super().__init__(folder)
        self.issued = IssuedWays(self.engine)
        for door in ("front", "back"):
            Site(self.folder).add_door(door)
            self.says(door, {})
        self.desk.looking.import_people([{"id": "3-1203", "name": "李伟"}])

    def identity(self, door):
        bundle = self.folder / "doors" / door
        return Identity.load(bundle / "door.crt", bundle / "door.key")

    def says(self, door, settled, upto=0):
        ask = WaysAsk(door, f"nonce-{time.monotonic_ns()}", upto, settled)
        self.issued.heard(ask, self.identity(door).prove(ask.body, ASK_PURPOSE).partition(".")[0])

    def opened(self, door):
        """Return what a door gets to read."""
        (told,) = [one for one in self.issued.due() if one.device == door]
        return [one.opened(door, self.identity(door)) for one in told.orders]


@pytest.fixture
def gate(tmp_path):
    with closing(DeskGate(tmp_path)) as gate:
        yield gate


@pytest.mark.parametrize(
    ("person", "typed"),
    [
        *(("3-1203", "31203"), ("3-1203-1", "31203"), ("3-1203-12", "31203"), ("3-2-1203", "321203")),
        *(("flat-1203", "1203"), ("101-2", "101"), ("12-3", "123"), ("A-0304-2", "0304"), ("guard", "")),
    ],
)
def test_people_of_a_flat_type_its_number_before_their_pin(person, typed):
    """They are told to; 312031 and 312032 were suggested."""
    assert keypad_number(person) == typed


def test_a_new_pin_is_shown_once_and_each_door_without_it_is_named(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access/3-1203")
    assert 'value="31203"' in desk.page
    desk.send("/access/3-1203/pin", number="1203", door_front="1", door_back="1")
    pin = present(re.search(r"1203 \* (\d{6}) #", desk.page))[1]
    assert gate.opened("front") == gate.opened("back") == [{"number": "1203", "pin": pin}]
    desk.get("/access/3-1203")
    assert "at 0 of 2 doors" in desk.page
    number = gate.issued.of("3-1203")[0].number
    gate.says("front", {number: None}, number)
    desk.get("/access/3-1203")
    assert "at 1 of 2 doors" in desk.page
    assert re.search(r"back: (?!on its way)", desk.page)
    gate.says("back", {number: "pin_taken"})
    desk.get("/access/3-1203")
    assert "somebody else of this number has the same PIN" in desk.page
    assert pin not in desk.page
    assert pin not in str(gate.desk.looking.audit(20))
    assert any(one.what == "way-given" for one in gate.desk.looking.audit(20)[0])


def test_a_card_goes_to_the_chosen_doors_alone(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access/3-1203")
    for fields, refusal in (
        ({"card": "w26:300:1", "door_front": "1"}, "card"),
        ({"card": "w26:12:3456"}, "Choose a door."),
    ):
        press(desk, "card", fields)
        assert refusal in desk.page
    assert gate.issued.of("3-1203") == []
    desk.get("/access/3-1203")
    press(desk, "card", {"card": " W26:012:3456", "door_front": "1"})
    assert gate.opened("front") == [{"card": "w26:12:3456"}]
    assert [one.device for one in gate.issued.due()] == ["front"]


def ticked(page, way):
    """Return the doors of a form, whether each is ticked, and what is said beside it."""
    form = page.split(f'action="/access/3-1203/{way}"')[1].split("</form>")[0]
    found = re.findall(r'name="door_(\w+)" value="1"( checked)?> <span>[^<]*<br><small>([^<]*)', form)
    return {door: (bool(tick), why) for door, tick, why in found}


def test_the_doors_of_a_new_pin_are_those_of_the_persons_levels_and_building(gate):
    """As each door's own rules say, else by the building; why stands beside each."""
    gate.principal("mei", role="manager")
    gate.name_buildings(**{"3": ("front",), "5": ("back",)})
    desk = entered(gate, "mona", "mei")
    desk.get("/access/3-1203")
    assert ticked(desk.page, "pin") == {
        "back": (False, "of another building: 5"),
        "front": (True, "building 3"),
    }
    rules = '[levels.resident]\nschedule = "always"\nmethods = ["card"]\ndoors = ["back", "front"]\n'
    gate.desk.looking.rules.note("front", ReportedRules(0, rules, takes=True).encode())
    other = '[levels.garage]\nschedule = "always"\n'
    gate.desk.looking.rules.note("back", ReportedRules(0, other, takes=True).encode())
    desk.get("/access/3-1203")
    no_level = "no level of theirs opens it"
    assert ticked(desk.page, "pin")["front"] == (False, "their levels open it, but not this way")
    assert ticked(desk.page, "card") == {
        "back": (False, no_level),
        "front": (True, "level resident opens it"),
    }
    gate.name_buildings()
    desk = entered(gate, "mona", "mei")
    desk.get("/access/3-1203")
    assert ticked(desk.page, "card")["front"][0]


def test_a_door_for_everybody_and_one_that_nobody_knows_of(gate):
    gate.principal("mei", role="manager")
    gate.name_buildings(**{"5": ("back",)})
    gate.desk.looking.rules.note("front", ReportedRules(0, "[levels", takes=True).encode())
    desk = entered(gate, "mona", "mei")
    desk.get("/access/3-1203")
    assert ticked(desk.page, "pin") == {
        "back": (False, "building 5"),
        "front": (True, "a door for everybody"),
    }


def test_rules_are_sent_to_the_doors_that_they_were_made_from_once_they_were_tried(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    old, new = '[levels.resident]\nschedule = "always"\n', '[levels.resident]\nschedule = "never"\n'
    for door, text, takes in (("front", old, True), ("back", old, False), ("side", new, True)):
        gate.desk.looking.rules.note(door, ReportedRules(0, text, takes).encode())
    desk.get("/rules?door=front")
    assert "always" in desk.page
    assert "takes no rules from here" in desk.page
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    fields = {"csrf": csrf, "rules": new, "base": digest_of(old), "days": "7"}
    tried = desk.client.post("/rules", data=fields).text
    assert 'name="door_front"' in tried
    assert 'name="door_back"' not in tried
    assert 'name="door_side"' not in tried
    wish = fields | {"door_front": "1"}
    for refused in (wish, wish | {"tried": digest_of(old)}, fields | {"tried": digest_of(new)}):
        desk.client.post("/rules/send", data=refused)
        assert gate.desk.looking.rules.revisions() == {}
    assert desk.client.post("/rules/send", data=wish | {"tried": digest_of(new)}).status_code in {200, 303}
    (front,) = [one for one in gate.desk.looking.rules.views() if one.device == "front"]
    assert (front.wanted, front.is_waiting) == (new, True)
    gate.desk.looking.rules.note("front", ReportedRules(front.rev, old, True, "the lock says no").encode())
    assert "the lock says no" in desk.get("/rules").text
    assert any(one.what == "rules" for one in gate.desk.looking.audit(20)[0])


def press(desk, way, fields):
    """Send a form with exactly these fields: a browser sends no box that is not ticked."""
    desk.get("/access/3-1203")
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    answer = desk.client.post(f"/access/3-1203/{way}", data={"csrf": csrf, **fields})
    desk.page, desk.status = answer.text, answer.status_code


def test_a_lost_card_is_taken_back_before_a_door_that_was_away_has_it(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    press(desk, "card", {"card": "w26:12:3456", "door_back": "1"})
    desk.get("/access/3-1203")
    desk.send("/access/3-1203/ways")
    assert gate.issued.due() == []
    desk.get("/access/3-1203")
    assert "ended before this door received it" in desk.page


def test_who_may_not_change_the_roster_gives_nothing(gate):
    gate.principal("gao", role="guard")
    desk = entered(gate, "mona", "gao")
    press(desk, "pin", {"number": "1203", "door_front": "1"})
    assert "gao does not have the right “roster”" in desk.page
    assert gate.issued.of("3-1203") == []
    assert not re.search(r"\* \d{6} #", desk.page)


def test_a_certificate_that_was_revoked_is_given_nothing(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    Site(gate.folder).revoke_door("back")
    press(desk, "pin", {"number": "1203", "door_front": "1", "door_back": "1"})
    assert desk.status == 409
    assert "revoked" in desk.page
    assert gate.issued.of("3-1203") == []
