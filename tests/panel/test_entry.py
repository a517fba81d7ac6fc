"""First start, login and everything that keeps strangers out."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import closing
from urllib.parse import urlencode

import pytest

from edge.errors import PanelRefused
from edge.panel.app import PAGES
from edge.runtime.clock import ManualClock
from edge.store.account_rows import ACCOUNTS_FILE
from edge.web.accounts import Accounts, Role
from edge.web.logins import LoginGuard
from edge.web.sessions import IDLE_SECONDS, LONGEST_SECONDS, MOST_SESSIONS, Sessions
from tests.panel.office import PASSWORD


def claim(panel, browser, code=None, password=PASSWORD):
    browser.get("/first")
    return browser.post("/first", code=code or panel.desk.accounts.first_code, name="ines", password=password)


def test_the_first_start_needs_the_printed_code_and_happens_once(panel):
    browser = panel.browser()
    assert "first-start code" in browser.get("/").text
    assert claim(panel, browser, code="AAAAA-AAAAA").status_code == 403
    code = panel.desk.accounts.first_code
    assert claim(panel, browser, code=code.lower().replace("-", " ")).status_code == 200
    assert panel.desk.accounts.all() == {"ines": Role.INSTALLER}
    assert panel.desk.accounts.first_code is None
    assert claim(panel, panel.browser(), code=code).url.path == "/login"
    assert panel.kinds() == ["panel.login_failed", "panel.claimed"]


@pytest.mark.parametrize("password", ["short", "ines-and-more", "x" * 300])
def test_a_poor_first_password_is_refused_and_the_code_lives_on(panel, password):
    answer = claim(panel, panel.browser(), password=password)

    assert answer.status_code == 422
    assert panel.desk.accounts.first_code
    assert not panel.desk.accounts.all()


def test_login_and_logout_are_events_and_the_token_changes(panel):
    browser = panel.logged_in()
    before = browser.client.cookies["__Host-facegate"]

    assert browser.get("/residents").status_code == 200
    assert browser.post("/logout").url.path == "/login"
    assert browser.client.cookies["__Host-facegate"] != before
    assert browser.get("/residents").url.path == "/login"
    assert panel.events("panel.login")[0].data["by"] == "ines"


def test_the_cookie_is_bound_and_nothing_is_cached(panel):
    answer = panel.browser().client.get("/login")

    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "secure", "__host-"))
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_a_thousand_wrong_logins_get_nowhere_and_nothing_is_lost(panel):
    """In 83 minutes: first two a second, more than are told of each minute; then one in ten seconds."""
    panel.logged_in()
    tries = [attacker(panel, f"198.51.100.{n}") for n in range(4)]

    async def attack():
        codes: Counter[int] = Counter()
        for n in range(1000):
            codes[await tries[n % 4](f"guess {n % 8:08d}")] += 1
            panel.clock.advance(0.5 if n < 500 else 9.5)
        return codes

    codes = asyncio.run(attack())
    panel.clock.advance(31)
    codes[asyncio.run(attacker(panel, "198.51.100.9")("one more"))] += 1
    assert codes[403] < 200  # of 1,001 in 83 minutes: the others were not even looked at
    assert codes[403] + codes[429] == 1001
    failed = panel.events("panel.login_failed")
    assert len(failed) + sum(event.data["unheard"] for event in failed) == 1001
    assert all("guess" not in str(event.data) for event in failed)
    panel.clock.advance(31)
    assert panel.logged_in().get("/").status_code == 200  # the installer is not locked out


def attacker(panel, address):
    """Who posts logins straight at the application, from a page he was shown once."""
    browser = panel.browser(address)
    browser.get("/login")
    cookie = f"__Host-facegate={browser.client.cookies['__Host-facegate']}"

    async def guess(password):
        body = urlencode({"csrf": browser.csrf, "name": "ines", "password": password}).encode()
        fields = {
            "host": "door",
            "cookie": cookie,
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(body)),
        }
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/login",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
            "client": (address, 5000),
            "server": ("door", 443),
            "scheme": "https",
            "root_path": "",
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        await panel.app(scope, receive, send)
        return sent[0]["status"]

    return guess


def test_waiting_grows_with_failures_and_ends(panel):
    clock = ManualClock()
    guard = LoginGuard(clock)
    waits = []
    for _ in range(12):
        waits.append(guard.begin("a"))
        clock.advance(waits[-1])
        if waits[-1]:
            guard.begin("a")

    assert waits[:5] == [0.0] * 5
    assert waits[5:] == sorted(waits[5:])
    assert waits[5] > 0
    assert guard.begin("b") == 0
    clock.advance(2 * 3600)
    assert guard.begin("a") == 0
    guard.succeeded("a")


def test_tries_at_once_are_counted_before_they_are_looked_at():
    guard = LoginGuard(ManualClock())
    assert sum(guard.begin("a") == 0 for _ in range(40)) == 5


def test_sixty_addresses_keep_no_other_out():
    clock = ManualClock()
    guard = LoginGuard(clock)
    for _ in range(20):
        for number in range(60):
            guard.begin(f"10.0.0.{number}")
        clock.advance(1)
    assert guard.begin("192.168.1.7") == 0


def test_addresses_of_one_ipv6_network_are_one():
    guard = LoginGuard(ManualClock())
    assert sum(guard.begin(f"2001:db8::{number:x}") == 0 for number in range(100)) == 5
    assert guard.begin("2001:db8:0:1::1") == 0


def test_failed_logins_from_everywhere_are_told_as_a_number():
    clock = ManualClock()
    guard = LoginGuard(clock)
    told = [guard.failed() for _ in range(1000)]
    assert sum(one is not None for one in told) == 20
    clock.advance(60)
    assert guard.failed() == 980


def test_the_memory_for_addresses_is_bounded():
    guard = LoginGuard(ManualClock())
    for n in range(10_000):
        guard.begin(f"10.0.{n // 256}.{n % 256}")

    assert len(guard._addresses) <= 4096


def test_sessions_end_when_idle_and_after_a_day_of_work():
    clock = ManualClock()
    sessions = Sessions(clock)
    session = sessions.begin("ines", Role.INSTALLER)
    clock.advance(IDLE_SECONDS - 1)
    assert sessions.get(session.token) is session
    clock.advance(IDLE_SECONDS + 1)
    assert sessions.get(session.token) is None

    session = sessions.begin("ines", Role.INSTALLER)
    for _ in range(int(LONGEST_SECONDS // 600)):
        clock.advance(600)
        sessions.get(session.token)
    clock.advance(600)
    assert sessions.get(session.token) is None


def test_strangers_at_the_login_page_throw_nobody_out():
    sessions = Sessions(ManualClock())
    mine = sessions.begin("ines", Role.INSTALLER)
    for _ in range(MOST_SESSIONS + 10):
        sessions.begin()

    assert sessions.get(mine.token) is mine


POSTS = [path for path, methods, roles, _ in PAGES if "POST" in methods and roles]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "forged"])
def test_a_form_without_the_sessions_token_does_nothing(panel, path, token):
    browser = panel.logged_in()
    before = panel.kinds()

    answer = browser.post(path.replace("{resident_id}", "anna"), csrf=token, resident_id="anna", agrees="yes")

    assert answer.status_code == 403
    assert panel.kinds() == [*before, "panel.refused"]
    assert panel.events("panel.refused")[0].data["why"] == "forged"


def test_a_form_from_another_site_does_nothing(panel):
    browser = panel.logged_in()

    answer = browser.post("/test/pulse", headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert not panel.pulses


def allowed(panel, role):
    browser = panel.logged_in("somebody", role)
    paths = [path for path, methods, roles, _ in PAGES if "GET" in methods and roles and "{" not in path]
    return {path for path in paths if browser.get(path).status_code != 403}


def test_each_role_sees_its_pages_and_no_others(panel):
    auditor, staff, installer = (allowed(panel, role) for role in (Role.AUDITOR, Role.STAFF, Role.INSTALLER))

    assert auditor < staff < installer
    assert "/events" in auditor
    assert not {"/enrol", "/live", "/live.jpg", "/live/state", "/accounts", "/test", "/display"} & auditor
    rules = {"/rules/days", "/rules/level", "/rules/schedule"}
    assert installer - staff == {"/accounts", "/backup", "/commissioning", "/commissioning/sheet"} | rules


def test_every_page_but_the_entry_wants_a_login(panel):
    panel.logged_in()
    stranger = panel.browser()
    for path, methods, roles, _ in PAGES:
        if roles is None:
            continue
        answer = stranger.get(path) if "GET" in methods else stranger.post(path)
        assert answer.url.path == "/login", path


def test_a_changed_password_ends_the_sessions_of_that_account(panel):
    theirs = panel.logged_in("sam", Role.STAFF)
    mine = panel.logged_in("ines")
    mine.get("/accounts")
    mine.post("/accounts", name="sam", role="staff", password="a brand new one")

    assert theirs.get("/").url.path == "/login"
    assert panel.events("panel.account_changed")[-1].data == {"by": "ines", "account": "sam", "role": "staff"}


def test_the_last_installer_stays(panel):
    browser = panel.logged_in("ines")
    browser.get("/accounts")
    browser.post("/accounts", do="remove", name="first")
    answer = browser.post("/accounts", do="remove", name="ines")

    assert answer.status_code == 422
    assert "last installer" in answer.text
    with pytest.raises(PanelRefused):
        panel.desk.accounts.remove("ines", "staff")


@pytest.mark.parametrize("role", ["staff", "auditor"])
def test_the_last_installer_stays_one(panel, role):
    browser = panel.logged_in("ines")
    browser.post("/accounts", do="remove", name="first")
    answer = browser.post("/accounts", name="ines", role=role, password="another password")
    assert answer.status_code == 422
    assert "last installer" in answer.text
    assert panel.desk.accounts.all()["ines"] is Role.INSTALLER


@pytest.mark.parametrize(
    "wish", [{"do": "remove"}, {"role": "auditor", "password": "another password"}], ids=["removed", "less"]
)
def test_who_takes_their_own_rights_away_has_them_no_longer(panel, wish):
    """The session went on with the role of before, for as long as the browser was used."""
    panel.logged_in("uwe")
    browser = panel.logged_in("ines")
    browser.post("/accounts", name="ines", **wish)
    assert browser.get("/accounts").url.path == "/login"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../accounts.py",
        "/static/%2e%2e/accounts.py",
        "/static/..%2f..%2fdomain.py",
        "/static//etc/passwd",
        "/residents/..%2f..%2fetc%2fpasswd",
        "/%00",
        "/nothing",
    ],
)
def test_no_path_leads_out_of_the_panel(panel, path):
    answer = panel.logged_in().get(path)

    assert answer.status_code in {404, 422}
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_the_language_follows_the_browser_and_the_choice(panel):
    browser = panel.browser()
    assert "首次启动" in browser.get("/first", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).text
    browser.get("/language/zh")
    assert "首次启动" in browser.get("/first").text


def test_an_account_changed_on_the_machine_ends_its_sessions_but_not_others(panel, tmp_path):
    ines, sam = panel.logged_in(), panel.logged_in("sam", Role.STAFF)
    with closing(Accounts(next(tmp_path.rglob(ACCOUNTS_FILE)))) as command:
        command.put("sam", Role.STAFF, "another password")

    assert sam.get("/residents").url.path == "/login"
    assert ines.get("/residents").status_code == 200


def test_who_changes_their_own_password_stays_and_is_logged_out_elsewhere(panel):
    here, there = panel.logged_in(), panel.logged_in()
    here.post("/accounts", name="ines", role="installer", password="another password")

    assert here.get("/residents").status_code == 200
    assert there.get("/residents").url.path == "/login"
