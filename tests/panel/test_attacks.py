"""What somebody on the network tries: refused, written down, nothing lost, nobody else disturbed."""

from __future__ import annotations

import json
import re
from typing import cast

import pytest

from edge.domain import EventDraft, Resident
from edge.events import Kind
from edge.panel.app import PAGES
from edge.runtime.clock import ManualClock
from edge.web.accounts import Role
from edge.web.between import COOKIE
from edge.web.guard import HEADERS, MOST_BODY_BYTES
from edge.web.refusals import AGAIN_SECONDS, MOST_A_MINUTE, MOST_ADDRESSES, RefusalKind, RefusalLog
from tests.fakes.scene import START
from tests.panel.office import PASSWORD, photo

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}'
HARMLESS = ("<script>alert", "<img src=x", "49</", "onerror=alert(1)>{")

GETS = [path for path, methods, *_ in PAGES if "GET" in methods]
POST_ONLY = [path for path, methods, *_ in PAGES if methods == ("POST",) and path not in GETS]


def paths(kind):
    return [re.sub(r"\{resident_id(:path)?\}", "flat-7", path).replace("{code}", "en") for path in kind]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_what_changes_something_is_asked_for_by_post_alone(panel, method):
    browser = panel.logged_in()
    panel.desk.residents.put(Resident("flat-7", "Anna"), [])
    before = panel.kinds()
    for path in paths(POST_ONLY):
        fields = f"?csrf={browser.csrf}&do=agree&resident_id=flat-8&agrees=yes"
        answer = browser.client.request(method, path + fields)
        # An id may have a slash: read as one, "flat-7/change" is nobody's.
        assert answer.status_code in ({405, 422} if path.startswith("/residents/") else {405}), path
    assert panel.kinds() == before
    assert not panel.pulses


def test_a_method_that_is_named_elsewhere_is_not_believed(panel):
    browser = panel.logged_in()
    for header in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        answer = browser.client.get("/test/pulse", headers={header: "POST"})
        assert answer.status_code == 405
    assert browser.client.get("/logout?_method=POST").status_code == 405
    assert not panel.pulses


def test_a_session_handed_to_the_victim_before_the_login_is_worth_nothing(panel):
    panel.logged_in()
    attacker, victim = panel.browser("198.51.100.1"), panel.browser()
    attacker.get("/login")
    known = attacker.client.cookies[COOKIE]
    victim.client.cookies.set(COOKIE, known, domain="door.local", path="/")
    victim.get("/login")
    victim.post("/login", name="ines", password=PASSWORD)
    assert victim.get("/residents").url.path == "/residents"

    assert victim.client.cookies[COOKIE] != known
    assert attacker.get("/residents").url.path == "/login"
    made_up = panel.browser("198.51.100.1")
    made_up.client.cookies.set(COOKIE, "a-token-of-my-own", domain="door.local", path="/")
    made_up.get("/login")
    assert made_up.client.cookies[COOKIE] != "a-token-of-my-own"


def test_every_answer_forbids_framing_and_caching(panel):
    browser = panel.logged_in()
    panel.feed.frame = panel.scene.frame(0)
    answers = [browser.client.get(path, follow_redirects=False) for path in paths(GETS)]
    answers += [
        browser.client.get("/nowhere"),
        browser.client.get("/static/panel.js"),
        browser.client.get("/test/pulse"),
        browser.client.post("/login", content=b"x", headers={"content-length": str(MOST_BODY_BYTES + 1)}),
        browser.client.post("/test/pulse", data={"csrf": "forged"}),
        browser.client.get("/live.jpg"),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]
    assert HEADERS["Cache-Control"] == "no-store"


def test_every_cookie_is_bound_to_https_and_to_this_site(panel):
    browser = panel.logged_in()
    for path in paths(GETS):
        for cookie in browser.client.get(path, follow_redirects=False).headers.get_list("set-cookie"):
            assert "secure" in cookie.lower()
            assert "samesite=strict" in cookie.lower()
            assert "domain=" not in cookie.lower()
            assert "httponly" in cookie.lower() or "facegate-language=" in cookie


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8443", "door\tx", '"><script>', "a" * 4000])
def test_another_host_name_is_never_repeated(panel, host):
    browser = panel.logged_in()
    for path in ("/", "/login", "/display", "/nowhere", "/language/zh", "/enrol/now"):
        answer = browser.client.get(path, headers={"Host": host}, follow_redirects=False)
        assert "evil" not in answer.text
        assert "<script>" not in answer.text
        assert not answer.headers.get("location", "/").startswith(("http", "//"))


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%2f",
        "/a\r\nX: y",
    ],
)
def test_a_change_of_language_leads_to_no_other_site(panel, back):
    answer = panel.browser().client.get("/language/zh", params={"back": back}, follow_redirects=False)
    assert answer.headers["location"] == "/"
    assert "x" not in answer.headers


def test_hostile_text_is_text_wherever_it_comes_up_again(panel):
    browser = panel.logged_in()
    browser.get("/enrol")
    files = [("photos", (f"{HOSTILE}{n}.png", photo(panel.scene), "image/png")) for n in range(3)]
    browser.post("/enrol/photos", files=files, resident_id="flat-7", name=HOSTILE, agrees="yes")
    answers = [browser.get("/enrol/now").text, browser.post("/enrol/save").text]
    asked = ("/residents", "/residents/flat-7", "/failed", f"/residents?q={HOSTILE}&show={HOSTILE}")
    answers += [browser.get(path).text for path in asked]
    data = {"text": HOSTILE, HOSTILE: [HOSTILE], "rule": HOSTILE, "method": HOSTILE, "similarity": HOSTILE}
    panel.desk.log.record(EventDraft(cast("Kind", f"door.{HOSTILE}"), START, 1.0, HOSTILE, HOSTILE, data))
    panel.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, START, 1.0, HOSTILE, "granted", data))
    pages = ("/", "/events", f"/events?group={HOSTILE}&before={HOSTILE}", "/test", "/health", "/failed")
    answers += [browser.get(path).text for path in pages]
    browser.get("/display")
    browser.post("/display", notice_en=HOSTILE, notice_zh=HOSTILE)
    answers += [browser.get("/display").text, panel.browser("127.0.0.1").get("/screen").text]
    browser.get("/accounts")
    answers.append(
        browser.post("/accounts", name=f"<b>{HOSTILE[:40]}", role=HOSTILE, password="long enough 1").text
    )
    browser.get("/accounts")
    browser.post("/accounts", name="<script>alert(1)", role="staff", password="long enough 1")
    answers.append(browser.get("/accounts").text)
    browser.get("/residents/flat-7")
    answers.append(browser.post("/residents/flat-7/withdraw", typed="flat-7").text)
    browser.post("/logout")
    answers.append(browser.post("/login", name=HOSTILE, password=HOSTILE).text)
    for answer in answers:
        for part in HARMLESS:
            assert part not in answer
    assert "&lt;script&gt;" in "".join(answers)


def test_hostile_text_in_json_stays_json(panel):
    browser = panel.logged_in()
    panel.desk.residents.put(Resident("flat-7", HOSTILE), [])
    browser.get("/residents/flat-7")
    answer = browser.post("/residents/flat-7/export")
    assert answer.headers["content-type"] == "application/json"
    assert "attachment" in answer.headers["content-disposition"]
    assert json.loads(answer.text)["resident"]["name"] == HOSTILE


@pytest.mark.parametrize(
    ("why", "attack"),
    [
        ("forged", lambda browser: browser.post("/enrol/discard", csrf="forged")),
        (
            "forged",
            lambda browser: browser.post("/enrol/discard", headers={"Origin": "https://evil.example"}),
        ),
        ("not_allowed", lambda browser: browser.get("/backup")),
        ("not_found", lambda browser: browser.get("/static/..%2f..%2f..%2fetc/passwd")),
        ("too_large", lambda browser: browser.client.post("/login", headers={"content-length": str(10**12)})),
        ("upload", lambda browser: upload(browser, b"\x89PNG not a picture")),
    ],
)
def test_a_refusal_is_an_event_with_address_and_reason(panel, why, attack):
    browser = panel.logged_in("sam", Role.STAFF)
    browser.get("/enrol")
    assert 400 <= attack(browser).status_code < 500
    (event,) = panel.events("panel.refused")
    assert event.data["why"] == why
    assert event.data["address"] == "192.0.2.7"


def upload(browser, data):
    files = [("photos", ("a.png", data, "image/png"))] * 2
    return browser.post("/enrol/photos", files=files, resident_id="flat-7", agrees="yes")


def test_ten_thousand_refusals_are_counted_and_do_not_fill_the_journal():
    told = []
    clock = ManualClock()
    refusals = RefusalLog(clock, lambda *facts: told.append(facts))
    for n in range(10_000):
        refusals.tell(RefusalKind.FORGED, f"198.51.{n % 200}.1", "/test/pulse" * 100)
    assert len(told) == MOST_A_MINUTE
    clock.advance(AGAIN_SECONDS)
    refusals.tell(RefusalKind.NOT_FOUND, "192.0.2.9", "/")
    assert len(told) + sum(untold for *_, untold in told) == 10_001
    assert all(len(path) <= 80 for _, _, path, _ in told)
    for n in range(3 * MOST_ADDRESSES):
        clock.advance(AGAIN_SECONDS)
        refusals.tell(RefusalKind.FORGED, f"2001:db8::{n:x}", "/")
    assert len(refusals._told) <= MOST_ADDRESSES


def test_a_refusal_stands_when_the_journal_cannot_take_it(panel):
    browser = panel.logged_in()
    panel.journal.close()
    panel.journal._path.unlink()
    assert browser.post("/test/pulse", csrf="forged").status_code == 403
    assert not panel.pulses


def test_two_forms_at_once_and_a_repeated_one_enrol_once(panel):
    browser = panel.logged_in()
    browser.get("/enrol")
    files = [("photos", (f"{n}.png", photo(panel.scene), "image/png")) for n in range(3)]
    browser.post("/enrol/photos", files=files, resident_id="flat-7", agrees="yes")
    assert browser.post("/enrol/save").status_code == 200
    assert browser.post("/enrol/save").status_code == 422
    assert len(panel.events("enrol.saved")) == 1


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary="],
)
def test_a_form_of_another_kind_does_nothing(panel, content_type):
    browser = panel.logged_in()
    body = json.dumps({"csrf": browser.csrf}).encode()
    answer = browser.client.post("/test/pulse", content=body, headers={"content-type": content_type})
    assert answer.status_code in {400, 403}
    assert not panel.pulses
