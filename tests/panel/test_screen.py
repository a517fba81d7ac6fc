"""The display at the gate: what it shows to whom, its PIN pad and bell, and its notice."""

from __future__ import annotations

import json

import pytest

from edge.consent.rules import GREETING
from edge.domain import Flaw, Reason, Resident
from edge.faces.liveness.prompts import Prompt
from edge.panel.gate_screen import ScreenState, Stage
from edge.panel.screen_words import lines, picture
from edge.web.accounts import Role
from edge.words import names, say
from tests.panel.office import open_panel

EVERYTHING = [
    *(ScreenState(stage) for stage in Stage if stage not in {Stage.PROMPT, Stage.GUIDE}),
    *(ScreenState(Stage.REFUSED, reason=reason) for reason in Reason),
    *(ScreenState(Stage.GUIDE, flaw=flaw) for flaw in Flaw),
    *(ScreenState(Stage.PROMPT, prompt=Prompt(1, name)) for name in names("prompt.")),
]


@pytest.fixture
def display(panel):
    browser = panel.browser("127.0.0.1")
    assert browser.get("/screen").status_code == 200
    return browser


def state(display, query=""):
    """Return what the display's page would show now, and take the token of its PIN pad."""
    shown = display.client.get(f"/screen/state{query}").json()
    display.csrf = shown["csrf"]
    return shown


@pytest.mark.parametrize("path", ["/screen", "/screen/state"])
def test_only_the_device_itself_is_served(panel, path):
    assert panel.browser("192.0.2.7").get(path).status_code == 422
    assert panel.browser("127.0.0.1").get(path).status_code == 200


@pytest.mark.parametrize("path", ["/screen/pin", "/screen/ring"])
def test_nobody_on_the_network_types_or_rings(panel, path):
    typed = []
    panel.desk.keys.type_pin = lambda *pair: typed.append(pair)
    panel.desk.keys.ring = lambda flat: typed.append("bell")
    stranger = panel.browser("192.0.2.7")
    stranger.get("/login")

    assert stranger.post(path, number="1203", pin="480516").status_code == 422
    assert typed == []


@pytest.mark.parametrize("shown", EVERYTHING, ids=str)
def test_everything_is_told_in_both_languages_and_with_a_picture(shown):
    for language in ("en", "zh"):
        title, text = lines(shown, language, "")
        assert title
        assert "{" not in title + text
        assert any(letter > "\u4e00" for letter in title) == (language == "zh")
    assert picture(shown) in {"left", "right", "closer", "tick", "cross", "bell", "look", "keys", "ways"}


def test_a_turn_is_shown_with_the_arrow_to_that_side(panel, display):
    panel.desk.screen.prompt(Prompt(1, "turn_left"))
    assert state(display)["picture"] == "left"
    panel.desk.screen.prompt(Prompt(1, "turn_right"))
    assert state(display)["picture"] == "right"
    panel.desk.screen.prompt(None)
    panel.desk.screen.guide(Flaw.TOO_FAR)
    assert state(display)["picture"] == "closer"


def test_a_refusal_says_what_to_do_next_and_a_stranger_learns_no_more(panel, display):
    panel.desk.screen.decided(False, Reason.UNKNOWN_CREDENTIAL)
    unknown = state(display)["lines"]
    assert "PIN" in unknown[0]["text"]
    panel.clock.advance(6)
    assert state(display)["state"] == "idle"
    for reason in (Reason.CREDENTIAL_EXPIRED, Reason.PRESENTATION_ATTACK, Reason.CONSENT_WITHDRAWN):
        panel.desk.screen.decided(False, reason)
        assert state(display)["lines"] == unknown


def told(panel, display, reason: Reason, prompt: str | None = None) -> list[tuple[str, str]]:
    panel.desk.screen.refused_by_camera(reason, prompt and Prompt(1, prompt))
    return [(one["title"], one["text"]) for one in state(display, "?language=both")["lines"]]


def test_a_face_that_is_paused_or_cannot_be_judged_is_shown_the_other_ways(panel, display):
    """The pause of a face leaves card and PIN open; that of the PIN pad does not."""
    stranger = told(panel, display, Reason.UNKNOWN_CREDENTIAL)
    assert told(panel, display, Reason.LOCKOUT_MAX_ATTEMPTS) == stranger
    assert told(panel, display, Reason.PAD_NO_RESPONSE) == stranger
    panel.desk.screen.decided(False, Reason.LOCKOUT_MAX_ATTEMPTS)
    assert state(display)["lines"][0]["title"] == "Too many attempts"


@pytest.mark.parametrize(
    ("prompt", "first"), [("too_far", "Please come closer."), ("bad_light", "The light is poor")]
)
def test_who_could_not_be_judged_is_told_what_helps_and_the_other_ways(panel, display, prompt, first):
    (title, text), (titel, weg) = told(panel, display, Reason.PAD_NO_RESPONSE, prompt)
    assert title.startswith(first)
    assert "PIN" in text
    assert titel != title
    assert weg == told(panel, display, Reason.UNKNOWN_CREDENTIAL)[1][1]


def test_whose_picture_is_too_poor_is_told_what_is_wrong_with_it_and_the_other_ways(panel, display):
    panel.desk.screen.guide(Flaw.TOO_DARK)
    dark = told(panel, display, Reason.LOW_QUALITY)
    assert dark[0][0] == "Too dark: face the light."
    panel.clock.advance(9)
    unsaid = told(panel, display, Reason.LOW_QUALITY)
    assert unsaid[0][0] == "Hold still."
    stranger = told(panel, display, Reason.UNKNOWN_CREDENTIAL)
    assert [one[1] for one in dark] == [one[1] for one in unsaid] == [one[1] for one in stranger]


def test_a_number_and_its_pin_reach_the_door_and_stay_nowhere(panel, display):
    typed = []
    panel.desk.keys.type_pin = lambda number, pin: typed.append((number, pin))
    state(display)
    answer = display.post("/screen/pin", number="1203", pin="480516")

    assert answer.status_code == 204
    assert typed == [("1203", "480516")]
    assert "480516" not in answer.text + str(state(display)) + str(panel.kinds())
    assert not panel.events("panel.pin")


@pytest.mark.parametrize(
    ("number", "pin"), [("", "1"), ("1", ""), ("1", "1" * 17), ("12a", "1"), ("1", "१२३४"), ("1", "-1")]
)
def test_what_no_keypad_could_type_is_refused_without_repeating_it(panel, display, number, pin):
    typed = []
    panel.desk.keys.type_pin = lambda *pair: typed.append(pair)
    state(display)
    answer = display.post("/screen/pin", number=number, pin=pin)

    assert answer.status_code == 422
    assert typed == []
    assert not pin or f">{pin}<" not in answer.text


def test_a_page_of_another_site_types_no_pin(panel, display):
    typed = []
    panel.desk.keys.type_pin = lambda *pair: typed.append(pair)
    token = state(display)["csrf"]

    elsewhere = {"Origin": "https://evil.example"}
    assert display.post("/screen/pin", number="1", pin="1", headers=elsewhere).status_code == 403
    display.csrf = "forged"
    assert display.post("/screen/pin", number="1", pin="1").status_code == 403
    assert panel.browser("127.0.0.1").post("/screen/pin", csrf=token, number="1", pin="1").status_code == 403
    assert typed == []


def test_the_bell_rings_once_for_each_press(panel, display):
    rung = []
    panel.desk.keys.ring = lambda flat: rung.append(flat or "ring")
    state(display)
    assert display.post("/screen/ring").status_code == 204
    assert rung == ["ring"]
    assert display.get("/screen/ring").status_code == 405


def test_a_visitor_rings_a_flat_by_its_number(panel, display):
    rung: list[str] = []
    panel.desk.keys.ring = rung.append
    state(display)
    assert display.post("/screen/ring", flat="1203").status_code == 204
    assert display.post("/screen/ring", flat="<b>").status_code == 422
    assert display.post("/screen/ring", flat="1" * 17).status_code == 422
    assert rung == ["1203"]


def test_a_display_in_both_languages_has_its_buttons_in_both(panel, display):
    """They were in the browser's language alone, and the link to the other one left both for good."""
    page = display.get("/screen?language=both").text
    for name in names("screen.button."):
        for language in ("en", "zh"):
            said = say(f"screen.button.{name}", language, count="{count}")
            assert said in page or json.dumps(said) in page, (name, language)
    assert "/screen?language=" not in page
    page = display.get("/screen?language=en").text
    assert "输密码" not in page
    assert "/screen?language=zh" in page


def test_without_keypad_and_bell_there_are_no_buttons(tmp_path, stack):
    display = open_panel(tmp_path, stack, has_keys=False).browser("127.0.0.1")
    text = display.get("/screen").text
    assert "open-pad" not in text
    assert 'id="ring"' not in text
    state(display)
    refusal = display.post("/screen/ring")
    assert refusal.status_code == 422
    assert '<p lang="en">' not in refusal.text, "the reader's own words, not an error's English"
    assert display.post("/screen/pin", number="1", pin="1").status_code == 422


def test_the_notice_is_shown_while_nobody_is_there(panel, display):
    staff = panel.logged_in("sam", Role.STAFF)
    staff.get("/display")
    staff.post("/display", notice_en="Lift out of order <b>", notice_zh="电梯停用")

    assert state(display)["lines"][0]["text"] == "Lift out of order <b>"
    assert "Lift out of order &lt;b&gt;" in display.get("/screen").text
    assert state(display, "?language=zh")["lines"][0]["text"] == "电梯停用"
    both = state(display, "?language=both")["lines"]
    assert [(line["language"], line["text"]) for line in both[:2]] == [
        ("en", "Lift out of order <b>"),
        ("zh", "电梯停用"),
    ]
    panel.desk.screen.decided(False, Reason.UNKNOWN_CREDENTIAL)
    assert "Lift" not in str(state(display))
    assert panel.events("panel.notice_changed")[0].data["by"] == "sam"


@pytest.mark.parametrize("notice", ["x" * 121, "two\nlines", "a\x00b"])
def test_a_notice_that_does_not_fit_is_refused(panel, notice):
    staff = panel.logged_in("sam", Role.STAFF)
    staff.get("/display")
    assert staff.post("/display", notice_en=notice).status_code == 422
    assert panel.desk.words.notices() == {}


def test_only_who_agreed_is_welcomed_by_name(panel):
    panel.desk.residents.put(Resident("flat-7", "Anna"), [])
    staff = panel.logged_in("sam", Role.STAFF)
    assert "Not agreed: the display at the door shows no name" in staff.get("/residents/flat-7").text
    staff.post("/residents/flat-7/welcome", do="agree")

    (consent,) = panel.desk.consents.of("flat-7")
    assert (consent.purpose, consent.recorded_by) == (GREETING, "sam")
    assert lines(ScreenState(Stage.GRANTED, name="Anna"), "en", "")[0] == "Welcome, Anna"
    assert lines(ScreenState(Stage.GRANTED), "zh", "")[0] == "请通行"
    staff.get("/residents/flat-7")
    staff.post("/residents/flat-7/welcome", do="end")
    assert panel.desk.consents.in_force() == {}
    assert [event.kind for event in panel.journal.read(0, 100) if event.resident_id == "flat-7"] == [
        "consent.recorded",
        "consent.ended",
    ]
