"""One sheet per person: ways in given and taken back by role, without a shell, each with its event."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from edge.domain import EventDraft, Resident
from edge.events import Kind
from edge.panel.app import make_app
from edge.policy.passes import pass_public_key, read_pass
from edge.policy.pin import PinMatch
from edge.store.credentials import ENDED, PASS_KEY_FILE
from edge.web.accounts import Role
from tests.present import present


@pytest.fixture
def sam(panel):
    """Staff at the page of somebody new."""
    browser = panel.logged_in("sam", Role.STAFF)
    browser.get("/people/new")
    answer = browser.post("/people/new", resident_id="3-1203-2", name="李伟", levels=["resident"])
    assert answer.url.path == "/residents/3-1203-2"
    assert "李伟 was added" in answer.text
    return browser


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_somebody_new_has_rights_and_no_face(panel, sam):
    person = panel.desk.residents.get("3-1203-2")
    assert (person.name, person.access_levels) == ("李伟", ("resident",))
    assert panel.events("resident.added")[0].data["by"] == "sam"
    assert "No face is enrolled" in sam.get("/residents/3-1203-2").text


def test_nobody_is_made_twice_and_what_was_typed_stays(panel, sam):
    answer = sam.post("/people/new", resident_id="3-1203-2", name="王芳")
    assert answer.status_code == 422
    assert "already somebody" in answer.text
    assert 'value="王芳"' in answer.text
    assert 'value="3-1203-2"' in answer.text
    assert panel.desk.residents.get("3-1203-2").name == "李伟"


def test_a_pin_is_shown_once_opens_and_is_taken_back(panel, sam):
    page = sam.post("/residents/3-1203-2/pin", number="1203")
    pin = present(re.search(r"(\d{6}) #", text_of(page)))[1]
    assert panel.desk.ways.book().match("1203", pin) == PinMatch("3-1203-2", is_duress=False)
    assert pin not in sam.get("/residents/3-1203-2").text
    assert pin not in "".join(str(event) for event in panel.journal.read(0, 1000))
    assert panel.events("credential.given")[0].data == {"by": "sam", "method": "pin", "number": "1203"}

    sam.post("/residents/3-1203-2/pin/clear")
    assert panel.desk.ways.book().match("1203", pin) is None
    assert panel.events("credential.removed")[0].data["method"] == "pin"


def test_digits_of_a_chinese_keyboard_are_digits(panel, sam):
    sam.get("/residents/3-1203-2")
    sam.post("/residents/3-1203-2/pin", number=" １２０３", pin="４８３９２０")
    assert panel.desk.ways.book().match("1203", "483920") == PinMatch("3-1203-2", is_duress=False)


@pytest.mark.parametrize(
    ("number", "pin", "told"),
    [("12a", "", "1 to 8 digits"), ("1203", "123456", "a run"), ("1203", "48", "6 to 12 digits")],
)
def test_an_unfit_pin_is_told_at_its_field_and_nothing_is_lost(panel, sam, number, pin, told):
    answer = sam.post("/residents/3-1203-2/pin", number=number, pin=pin)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{number}"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert not panel.events("credential.given")


def test_a_card_is_learnt_from_the_reader(panel, sam):
    assert sam.client.get("/residents/3-1203-2/card/state").json() == {"cards": []}
    now, data = panel.clock.now(), {"method": "card", "card": "w26:17:4711"}
    panel.desk.log.record(EventDraft(Kind.ACCESS_DENIED, now, 1.0, None, "UNKNOWN_CREDENTIAL", data))
    assert sam.client.get("/residents/3-1203-2/card/state").json()["cards"][0]["card"] == "w26:17:4711"
    sam.get("/residents/3-1203-2")
    sam.post("/residents/3-1203-2/card", card="w26:17:4711")
    assert panel.desk.ways.cards() == {"w26:17:4711": "3-1203-2"}
    assert sam.client.get("/residents/3-1203-2/card/state").json() == {"cards": []}, "it has an owner now"
    assert "4711" not in str(panel.events("credential.given")[0].data), "the journal is plain text"

    panel.desk.residents.put_people([Resident("b", "Bo")])
    sam.get("/residents/b")
    stolen = sam.post("/residents/b/card", card="W26:17:4711")
    assert "belongs to 3-1203-2" in stolen.text
    assert 'value="W26:17:4711"' in stolen.text
    sam.get("/residents/3-1203-2")
    sam.post("/residents/3-1203-2/card/remove", card="w26:17:4711")
    assert panel.desk.ways.cards() == {}


def test_a_page_that_was_left_open_takes_no_card_of_somebody_else(panel, sam):
    """Nor does the journal say that somebody lost the card that another one had."""
    panel.desk.residents.put_people([Resident("b", "Bo")])
    panel.desk.ways.give_card("w26:17:4711", "b")
    sam.get("/residents/3-1203-2")
    stale = sam.post("/residents/3-1203-2/card/remove", card="w26:17:4711")
    assert "belongs to b" in stale.text
    assert panel.desk.ways.cards() == {"w26:17:4711": "b"}
    assert not panel.events("credential.removed")
    gone = sam.post("/residents/3-1203-2/card/remove", card="w26:17:4712")
    assert "Nobody has this card" in gone.text
    ended = sam.post("/residents/3-1203-2/pass/end", **{"pass": "00"})
    assert 'role="alert" class="bad">' in ended.text.split('id="pass"')[1]
    assert not panel.events("credential.removed")


def test_what_is_lost_is_taken_back_though_the_journal_takes_nothing(panel, sam):
    """It could not be: the page wrote it down first, and a lost card went on opening."""
    ways = panel.desk.ways
    ways.give_card("w26:17:4711", "3-1203-2")
    ways.set_pin("3-1203-2", "1203", "274918")
    sam.get("/residents/3-1203-2")
    panel.journal.close()
    sam.post("/residents/3-1203-2/card/remove", card="w26:17:4711")
    sam.post("/residents/3-1203-2/pin/clear")
    assert (ways.held().pins, ways.cards()) == ({}, {})


def test_a_card_of_an_hour_ago_is_not_offered(panel, sam):
    data = {"method": "card", "card": "w26:17:4711"}
    panel.desk.log.record(
        EventDraft(Kind.ACCESS_DENIED, panel.clock.now(), 1.0, None, "UNKNOWN_CREDENTIAL", data)
    )
    panel.clock.advance(3600)
    browser = panel.logged_in("sam", Role.STAFF)
    assert browser.client.get("/residents/3-1203-2/card/state").json() == {"cards": []}


@pytest.mark.parametrize("off", [-10 * 365, -1, 1, 365])
def test_a_clock_that_was_wrong_for_a_moment_hides_no_card_and_offers_none(panel, sam, off):
    now = panel.clock.now()
    held = (("w26:17:1", now), ("w26:17:2", now + timedelta(days=off)))
    for card, at in held:
        data = {"method": "card", "card": card}
        panel.desk.log.record(EventDraft(Kind.ACCESS_DENIED, at, 1.0, None, "UNKNOWN_CREDENTIAL", data))
    shown = sam.client.get("/residents/3-1203-2/card/state").json()["cards"]
    assert [one["card"] for one in shown] == ["w26:17:1"]


def test_a_pass_is_issued_for_this_door_and_ended(panel, sam, tmp_path):
    page = sam.post("/residents/3-1203-2/pass", kind="courier", hours="8", uses="1")
    assert 'src="data:image/png;base64,' in page.text
    text = present(re.search(r"FG1:[A-Z2-7]+", page.text))[0]
    shown = read_pass(text, [pass_public_key((tmp_path / PASS_KEY_FILE).read_bytes())])
    assert shown is not None
    assert (shown.host_id, shown.max_uses, shown.opens("gate"), shown.opens("other")) == (
        "3-1203-2", 1, True, False,
    )  # fmt: skip
    assert shown.valid_until - panel.clock.now() <= timedelta(hours=8)
    assert text not in sam.get("/residents/3-1203-2").text
    sam.post("/residents/3-1203-2/pass/end", **{"pass": shown.id.hex()})
    (issued,) = panel.desk.ways.passes_of("3-1203-2")
    assert issued.uses == ENDED
    assert "ended" in sam.get("/residents/3-1203-2").text


@pytest.mark.parametrize("wrong", [{"hours": "9999"}, {"uses": "300"}, {"kind": "king"}, {}])
def test_a_pass_that_is_not_offered_is_not_issued(panel, sam, wrong):
    fields = {"kind": "visitor", "hours": "8", "uses": "1"} | wrong if wrong else {}
    assert sam.post("/residents/3-1203-2/pass", **fields).status_code == 422
    assert not panel.desk.ways.passes_of("3-1203-2")


def test_a_pass_of_somebody_else_is_not_ended_here(panel, sam):
    panel.desk.residents.put_people([Resident("b", "Bo")])
    sam.post("/residents/3-1203-2/pass", kind="visitor", hours="8", uses="1")
    (issued,) = panel.desk.ways.passes_of("3-1203-2")
    sam.get("/residents/b")
    assert sam.post("/residents/b/pass/end", **{"pass": issued.id.hex()}).status_code == 422
    assert not panel.desk.ways.passes_of("3-1203-2")[0].is_ended


def test_moving_out_needs_the_id_typed_and_leaves_nothing_that_opens(panel, sam):
    sam.post("/residents/3-1203-2/pin", number="1203")
    sam.get("/residents/3-1203-2")
    sam.post("/residents/3-1203-2/card", card="w26:17:4711")
    sam.get("/residents/3-1203-2")
    sam.post("/residents/3-1203-2/pass", kind="visitor", hours="8", uses="0")
    sam.get("/residents/3-1203-2")
    for typed in ("", "3-1203", "李伟"):
        answer = sam.post("/residents/3-1203-2/leave", typed=typed)
        assert answer.status_code == 422
        assert "exactly as it stands" in answer.text
    assert panel.desk.residents.get("3-1203-2")

    assert sam.post("/residents/3-1203-2/leave", typed="3-1203-2").status_code == 200
    assert panel.desk.residents.get("3-1203-2") is None
    assert (panel.desk.ways.held().pins, panel.desk.ways.cards()) == ({}, {})
    assert all(one.is_ended for one in panel.desk.ways.passes_of("3-1203-2"))
    assert panel.events("resident.removed")[0].data["by"] == "sam"


def test_a_withdrawal_needs_the_id_typed(panel, sam):
    answer = sam.post("/residents/3-1203-2/withdraw", typed="1203")
    assert answer.status_code == 422
    assert 'value="1203"' in answer.text
    assert not panel.events("consent.withdrawn")


def test_rights_are_chosen_and_a_wrong_date_loses_nothing(panel, sam):
    fields = {
        "name": "李薇",
        "levels": ["resident"],
        "valid_from": "2027-01-02T08:00",
        "valid_until": "2027-01-01T08:00",
    }
    answer = sam.post("/residents/3-1203-2/change", **fields, extended_unlock="yes")
    assert answer.status_code == 422
    assert 'value="李薇"' in answer.text
    assert 'value="2027-01-02T08:00"' in answer.text
    assert re.search(r'name="extended_unlock" value="yes" checked', answer.text)
    assert 'id="fault-valid_until"' in answer.text
    assert panel.desk.residents.get("3-1203-2").name == "李伟"
    sam.post("/residents/3-1203-2/change", **(fields | {"valid_until": ""}))
    assert panel.desk.residents.get("3-1203-2").name == "李薇"


def test_an_auditor_looks_and_changes_nothing(panel, sam):
    auditor = panel.logged_in("otto", Role.AUDITOR)
    page = auditor.get("/residents/3-1203-2").text
    assert "/pin" not in page
    for end in ("pin", "card", "pass", "leave", "change"):
        assert auditor.post(f"/residents/3-1203-2/{end}", number="1").status_code == 403


def test_people_are_found_by_what_is_known_of_them_in_pages(panel, sam):
    panel.desk.residents.put_people([Resident(f"p-{n:03}", f"Person {n}") for n in range(120)])
    sam.post("/residents/3-1203-2/pin", number="1203")
    page = text_of(sam.get("/residents"))
    assert "1 to 50 of 121" in page
    assert "Page 1 of 3" in page
    assert "101 to 121 of 121" in text_of(sam.get("/residents?page=3"))
    assert "101 to 121 of 121" in text_of(sam.get("/residents?page=99")), "beyond the last is the last"
    for wanted in ("李伟", "3-1203", "1203"):
        assert "1 to 1 of 1" in text_of(sam.get(f"/residents?q={wanted}"))
    assert "1 to 50 of 120" in text_of(sam.get("/residents?show=pinless"))
    assert "1 to 50 of 121" in text_of(sam.get("/residents?show=faceless"))
    assert "Nobody was found" in sam.get("/residents?q=nobody").text


def test_the_door_waits_for_a_new_card_when_staff_open_a_sheet(panel, sam):
    looked = []
    panel.desk = replace(panel.desk, expect_card=lambda: looked.append("now"))
    panel.app = make_app(panel.desk)
    panel.logged_in("otto", Role.AUDITOR).get("/residents/3-1203-2")
    assert not looked
    staff = panel.logged_in("sam", Role.STAFF)
    staff.get("/residents/3-1203-2")
    staff.client.get("/residents/3-1203-2/card/state")
    assert looked == ["now"], "asking again and again covers one card"
