"""The residents' page: getting in, a ticket's way through both pages, weight, and what attackers try."""

from __future__ import annotations

import re

import pytest

from facegate_hub.community.book import SYSTEM
from facegate_hub.community.devices import Devices
from facegate_hub.community.entry import Invitations
from facegate_hub.community.faults import Faults
from facegate_hub.community.machine import TicketState
from facegate_hub.community.people import TieKind
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from tests.community.compound import new_compound
from tests.community.test_tickets import picture
from tests.community.web import resident, staff
from tests.present import present


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def invited(compound, person=None):
    return Invitations(compound.book).invite(SYSTEM, "3-1203", TieKind.FAMILY, person)


def test_a_code_lets_in_once_and_looking_uses_nothing_up(compound):
    code = invited(compound)
    for _ in range(3):  # a link scanner opens every link it sees
        scanner = resident(compound)
        scanner.get(f"/enter#{code}")
        scanner.send("/enter", code=code)
        assert "3-1203" in scanner.title
    phone = resident(compound)
    phone.get("/enter")
    phone.send("/enter", code=code.lower().replace("-", " "))
    phone.send("/enter/accept", name="Wang Junior")
    assert phone.title == "Hello, Wang Junior"
    other = resident(compound)
    other.get("/enter")
    other.send("/enter", code=code)
    assert other.status == 403
    assert "wrong, has been used" in other.page


def test_an_invitation_for_somebody_known_makes_nobody_new(compound):
    phone = resident(compound)
    phone.get("/enter")
    phone.send("/enter", code=invited(compound, compound.people["wang"]))
    assert "<b>wang</b>" in phone.page
    assert (
        "You are invited as" not in phone.page
    )  # what they are to the flat is known, and stands in no invitation
    phone.send("/enter/accept", name="Somebody else")
    assert phone.title == "Hello, wang"


def test_codes_end_after_a_week_and_a_flat_has_three_at_most(compound):
    code = invited(compound)
    invited(compound)
    invited(compound)
    desk = staff(compound, "dora")
    desk.get("/people")
    desk.send("/invite", flat="3-1203", kind="owner")
    assert "3 open invitations" in desk.page
    compound.clock.advance(7 * 86_400)
    phone = resident(compound)
    phone.get("/enter")
    phone.send("/enter", code=code)
    assert phone.status == 403


def test_guessing_codes_is_slowed_down(compound):
    phone = resident(compound)
    phone.get("/enter")
    answers = [phone.send("/enter", code="AAAAA-BBBBB-CCCCC-DDDDD").status_code for _ in range(8)]
    assert answers[0] == 403
    assert answers[-1] == 429


def test_the_whole_way_of_a_repair_through_both_pages(compound):
    phone, desk, technician = (
        resident(compound, "wang"),
        staff(compound, "dora"),
        staff(compound, "technician-1"),
    )
    phone.get("/new")
    photo = {"photo": ("a.jpg", picture(), "image/jpeg")}
    phone.send(
        "/new", photo, kind="repair", category="water", text="The tap <b>drips</b>", audience="private"
    )
    assert "The tap &lt;b&gt;drips&lt;/b&gt;" in phone.page
    mark = present(re.search(r"/tickets/1/photo/([0-9a-f]{64})", phone.page))[1]
    assert phone.get(f"/tickets/1/photo/{mark}").headers["content-type"] == "image/jpeg"
    assert resident(compound, "li").get(f"/tickets/1/photo/{mark}").status_code == 422
    desk.get("/tickets")
    desk.get("/tickets/1")
    desk.send("/tickets/1/step", act="assign", assignee="technician-1")
    technician.get("/tickets/1")
    technician.send("/tickets/1/step", act="start")
    technician.send("/tickets/1/step", act="resolve", text="New washer", cause="wear")
    phone.get("/")
    assert "Waiting for your answer" in phone.page
    phone.get("/tickets/1")
    phone.send("/tickets/1/step", act="reopen", text="Still drips")
    technician.get("/tickets/1")
    technician.send("/tickets/1/step", act="start")
    technician.send("/tickets/1/step", act="resolve", text="New tap", cause="wear")
    phone.get("/tickets/1")
    phone.send("/tickets/1/step", act="confirm")
    phone.send("/tickets/1/answer", score="4")
    assert "Your answer: Good" in phone.page
    assert compound.tickets.sheet(compound.asker("wang"), 1).ticket.state is TicketState.CONFIRMED


def test_a_slip_confirms_what_the_desk_wrote_down(compound):
    desk, technician, anybody = (
        staff(compound, "dora"),
        staff(compound, "technician-1"),
        resident(compound),
    )
    desk.get("/new")
    desk.send("/new", kind="repair", category="lift", text="Lift 2 stands still", flat="3-1203")
    code = present(re.search(r'class="code">([A-Z0-9-]+)<', desk.page))[1]
    desk.get("/tickets/1")
    desk.send("/tickets/1/step", act="assign", assignee="technician-1")
    technician.get("/tickets/1")
    technician.send("/tickets/1/step", act="start")
    technician.send("/tickets/1/step", act="resolve", text="Reset", cause="unknown")
    anybody.get("/slip")
    anybody.send("/slip", number="1", code=code)
    assert "Reset" in anybody.page
    anybody.send("/slip/1", act="confirm")
    assert "Confirmed" in anybody.page


def here(compound, phone):
    """Return the id of the device that the browser is."""
    token = phone.client.cookies.get(PAGE_COOKIE)
    return present(Devices(compound.book).find(token)).id


def test_own_devices_are_listed_and_ended_and_who_moves_out_is_out(compound):
    phone, tablet = resident(compound, "wang"), resident(compound, "wang")
    phone.get("/me")
    assert phone.page.count('name="device"') == 2
    (other,) = set(re.findall(r'name="device" value="(\w+)"', phone.page)) - {here(compound, phone)}
    phone.send("/me/device", device=other)
    tablet.get("/")
    assert tablet.title == "Enter"
    tie = compound.register.one(compound.people["wang"]).ties[0]
    compound.register.end_tie(SYSTEM, tie.id)
    for one in (phone, tablet):
        one.get("/")
        assert one.title == "Enter"


def test_logging_a_phone_out_asks_first_and_says_what_it_takes_to_come_back(compound):
    """One tap on the only phone cost its owner a walk to the front desk."""
    phone, _ = resident(compound, "wang"), resident(compound, "wang")
    phone.get("/me")
    folded = re.findall(r"<details>(.*?)</details>", phone.page, re.DOTALL)
    assert [('action="/me/device"' in one) for one in folded] == [True, True]
    assert sum("the phone in your hand" in one for one in folded) == 1
    assert phone.page.count("new code from the front desk") == 2


def test_nobody_reports_a_lamp_as_a_burst_pipe_because_that_came_first(compound):
    phone = resident(compound, "wang")
    phone.get("/new")
    category = present(re.search(r'<select name="category" required>\s*(<option.*?</option>)', phone.page))[1]
    assert category == '<option value="">Please choose</option>'
    phone.send("/new", category="", text="The lamp is dark")
    assert phone.status == 422


def test_a_fault_of_a_door_is_told_in_its_readers_language(compound):
    """The book keeps one text for everybody; a Chinese page showed the English line below the Chinese one."""
    Faults(compound.book, compound.terms).update({("front", "health.camera"): True})
    phone = resident(compound, "wang")
    for path in ("/wall", "/tickets/1"):
        page = phone.get(path).text
        assert "front: Camera not working properly" in page, path
        assert "异常" not in page, path
    phone.get("/language/zh", params={"back": "/wall"})
    for path in ("/wall", "/tickets/1"):
        page = phone.get(path).text
        assert "front：摄像头异常" in page, path
        assert "not working" not in page, path
    desk = staff(compound, "dora")
    assert "<dd>the door itself</dd>" in desk.get("/tickets/1").text


def test_a_form_without_its_token_or_from_elsewhere_does_nothing(compound):
    phone = resident(compound, "wang")
    phone.get("/new")
    fields = {"kind": "repair", "category": "water", "text": "x"}
    assert phone.client.post("/new", data=fields).status_code == 403
    assert phone.client.post("/new", data={**fields, "csrf": "0" * 64}).status_code == 403
    token = present(re.search(r'name="csrf" value="(\w+)"', phone.page))[1]
    evil = {"origin": "https://evil.example"}
    assert phone.client.post("/new", data={**fields, "csrf": token}, headers=evil).status_code == 403
    stranger = resident(compound, "li")
    assert stranger.client.post("/new", data={**fields, "csrf": token}).status_code == 403
    assert compound.tickets.lines(compound.asker("mona")) == []


@pytest.mark.parametrize(
    "path", ["/", "/new", "/me", "/tickets/1", "/tickets/1/photo/" + "0" * 64, "/tickets/..%2f1"]
)
def test_strangers_see_the_way_in_and_nothing_else(compound, path):
    stranger = resident(compound)
    stranger.get(path)
    assert stranger.title in {"Enter", "That did not work"}


@pytest.mark.parametrize("number", ["2", "0", "-1", "1e3", "9" * 30, "１"])
def test_a_ticket_that_is_not_there_looks_like_one_that_is_not_theirs(compound, number):
    wang, li = resident(compound, "wang"), resident(compound, "li")
    wang.get("/new")
    wang.send("/new", kind="complaint", category="noise", text="secret")
    li.get("/tickets/1")
    theirs = li.page
    li.get(f"/tickets/{number}")
    assert "secret" not in theirs
    assert re.sub(r"back=[^\"]*", "", li.page) == re.sub(r"back=[^\"]*", "", theirs)


def test_what_is_for_everybody_here_is_for_nobody_who_passes_by(compound):
    phone = resident(compound, "wang")
    phone.get("/new")
    phone.send("/new", kind="opinion", category="parking", text="Paint the lines", audience="all")
    wall = resident(compound, "zhao").get("/wall").text
    assert "Paint the lines" in wall
    assert "15 minutes" in wall, "a quarter of an hour is said as people say it"
    assert "0.25" not in wall
    stranger = resident(compound)
    stranger.get("/wall")
    assert "Paint the lines" not in stranger.page
    assert "By category" in stranger.page


@pytest.mark.parametrize(
    "more", [{"about": "nobody"}, {"about": "x" * 9000}, {"about": "mona", "kind": "repair"}], ids=str
)
def test_a_complaint_is_about_somebody_who_works_here_or_about_nobody(compound, more):
    phone = resident(compound, "wang")
    phone.get("/new")
    phone.send("/new", **{"kind": "complaint", "category": "service", "text": "rude", **more})
    assert phone.status == 422
    phone.get("/new")
    phone.send("/new", kind="complaint", category="service", text="rude", about="mona")
    assert phone.status == 200


def test_somebody_sees_who_of_the_staff_opened_their_sheet(compound):
    desk, phone = staff(compound, "dora"), resident(compound, "wang")
    for _ in range(2):
        desk.get(f"/people/{compound.people['wang']}")
    phone.get("/me")
    assert phone.page.count("<li>dora") == 1
    assert "<li>dora" not in resident(compound, "wang-wife").get("/me").text


def test_a_language_link_leads_nowhere_else(compound):
    phone = resident(compound, "wang")
    for back in ("//evil.example", "https://evil.example", "/\\evil.example"):
        answer = phone.client.get("/language/zh", params={"back": back}, follow_redirects=False)
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "/enter", "/new", "/wall", "/me"])
def test_a_first_page_is_light_and_asks_for_nothing_of_others(compound, path):
    phone = resident(compound, "wang" if path != "/enter" else None)
    whole = len(phone.get(path).content)
    parts = re.findall(r'(?:src|href)="(/static/[^"]+)"', phone.page)
    assert len(parts) == 2
    for part in parts:
        answer = phone.client.get(part)
        assert "immutable" in answer.headers["cache-control"]
        whole += len(answer.content)
    assert whole <= 25_000
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', phone.page)
    assert " style=" not in phone.page
    assert " onclick=" not in phone.page
    assert "<script>" not in phone.page


def test_everything_is_told_in_chinese(compound):
    phone, desk = resident(compound, "wang", "zh"), staff(compound, "mona", "zh")
    phone.get("/new")
    phone.send("/new", kind="repair", category="water", text="漏水")
    pages = [
        phone.get(path).text for path in ("/", "/new", "/wall", "/me", "/check", "/tickets/1", "/nowhere")
    ]
    pages += [
        desk.get(path).text for path in ("/tickets", "/tickets/1", "/new", "/people", "/counts", "/book")
    ]
    names = {
        "wang",
        "mona",
        "test",
        "html",
        "English",
        "li",
        "zhao",
        "wife",
        "technician",
        "dora",
        "mike",
        "guard",
    }
    names |= {"flat", "ticket", "account", "person", "invitation", "MQTT", "UTC", "chair", "audit", "root"}
    for page in pages:
        assert 'lang="zh-CN"' in page
        text = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", "", page))
        words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"[0-9a-f]{12,}|&\w+;", "", text)))
        assert words <= names, words - names


def test_style_and_script_travel_packed_to_who_can_unpack_and_pages_never(compound):
    """The same content either way, kept for good; a page holds what must not be guessed by its length."""
    home = resident(compound)
    page = home.client.get("/enter", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in page.headers
    for path in re.findall(r'"(/static/[^"]+)"', page.text):
        packed = home.client.get(path, headers={"accept-encoding": "gzip"})
        plain = home.client.get(path, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.text == plain.text
        assert packed.num_bytes_downloaded < plain.num_bytes_downloaded / 2
        assert packed.headers["vary"] == "Accept-Encoding"
