"""Passkeys in a real Chromium with a virtual authenticator; and what none of them lets in."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.passkeys import Passkeys, why_no_passkeys
from facegate_hub.community.schema import PASSKEYS
from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
from facegate_hub.console.app import make_console
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from facegate_hub.page.app import make_page
from tests.browser.chromium import served
from tests.browser.person import Person
from tests.community.compound import new_compound
from tests.community.web import resident, staff

WANG = {"page": ("wang", PAGE_COOKIE), "console": ("dora", CONSOLE_COOKIE)}


@pytest.fixture
def phone(browser):
    """A phone that is unlocked by its holder when a key is asked for."""
    options = VirtualAuthenticatorOptions(
        protocol=VirtualAuthenticatorOptions.Protocol.CTAP2,
        transport=VirtualAuthenticatorOptions.Transport.INTERNAL,
        has_resident_key=True,
        has_user_verification=True,
        is_user_verified=True,
    )
    browser.add_virtual_authenticator(options)
    yield browser
    browser.remove_virtual_authenticator()
    browser.get("about:blank")


def store_of(compound, doer):
    return compound.book if doer.kind == "person" else compound.staff


def logged_in(phone, url, doer, cookie, compound):
    token = Devices(store_of(compound, doer)).begin(doer, "test")
    fields = {"name": cookie, "value": token, "url": url, "path": "/", "secure": True, "httpOnly": True}
    phone.execute_cdp_cmd("Network.setCookie", fields)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("side", ["page", "console"])
def test_a_key_is_made_lets_in_and_is_taken_away(phone, tmp_path, side):
    """For residents and for staff: afterwards a browser without any cookie is in by the key alone."""
    compound = new_compound(tmp_path)
    name, cookie = WANG[side]
    doer = Doer("person", compound.people[name]) if side == "page" else Doer("account", name)
    app = make_page(compound.book, compound.terms)
    if side == "console":
        app = make_console(compound.staff, compound.terms, "https://home.example")
    (tmp_path / "tls").mkdir()
    with served(app, tmp_path / "tls") as address:
        url = address.replace("127.0.0.1", "localhost")
        logged_in(phone, url, doer, cookie, compound)
        person = Person(phone, url)
        person.go("/language/en?back=/passkeys")
        person.press("Make a passkey on this device")
        person.wait_for("last used")
        assert len(Passkeys(store_of(compound, doer)).all(doer)) == 1
        phone.execute_cdp_cmd("Network.clearBrowserCookies", {})
        person.go("/language/en?back=/passkey")
        person.press("Log in with a passkey")
        person.wait_for("Hello, wang" if side == "page" else "dora")
        person.go("/passkeys")
        person.press("Remove")
        person.wait_for("You have no passkey yet")
        phone.execute_cdp_cmd("Network.clearBrowserCookies", {})
        person.go("/language/en?back=/passkey")
        person.press("Log in with a passkey")
        person.wait_for("does not let you in here")
        assert phone.find_elements(By.CSS_SELECTOR, ".top form") == []


def test_a_page_that_was_opened_by_a_number_says_what_is_missing():
    """And why, in words; a name is enough."""
    assert why_no_passkeys("192.0.2.7:8445") == "no_name"
    assert why_no_passkeys("[2001:db8::1]:8445") == "no_name"
    assert why_no_passkeys("gate") == "no_name"
    assert why_no_passkeys("") == "no_name"
    assert why_no_passkeys("home.example:8445") is None


def test_answers_that_are_none_let_nobody_in(tmp_path):
    """Whatever is sent, to a question that was asked or to none; and a page asks each question once."""
    compound = new_compound(tmp_path)
    keys = Passkeys(compound.book)
    for answer in ("", "{}", "[]", "null", "{" * 9000, json.dumps({"rawId": 7}), "x" * 30_000):
        keys.login_question("home.example", "browser")
        assert keys.login("home.example", "browser", answer) is None
    desk = staff(compound)
    desk.client.headers["host"] = "hub.example"
    for answer in ("", "{}", json.dumps({"id": "a", "rawId": "YQ", "type": "public-key", "response": {}})):
        desk.get("/passkey")
        assert "data-passkey" in desk.page
        desk.send("/passkey", answer=answer)
        assert desk.status == 403, answer
    home = resident(compound, "wang")
    home.client.headers["host"] = "home.example"
    home.get("/passkeys")
    home.send("/passkeys", answer="{}")
    assert home.status == 422


def test_guesses_are_slowed_down_as_those_of_passwords_are(tmp_path):
    """By address."""
    desk = staff(new_compound(tmp_path))
    desk.client.headers["host"] = "hub.example"
    seen = []
    for _ in range(12):
        desk.get("/passkey")
        desk.send("/passkey", answer="{}")
        seen.append(desk.status)
    assert 429 in seen


def test_an_account_that_begins_again_has_no_key_left(tmp_path):
    """A lost phone's key lets nobody in; nor does one of somebody who has moved out."""
    compound = new_compound(tmp_path)
    wang = compound.people["wang"]
    _give(compound.staff, "account:dora", "a")
    _give(compound.book, f"person:{wang}", "b")
    keys, staffs = Passkeys(compound.book), Passkeys(compound.staff)
    assert len(staffs.all(Doer("account", "dora"))) == 1
    StaffAccounts(compound.staff).begin_again(SYSTEM, "dora")
    assert staffs.all(Doer("account", "dora")) == []
    assert len(keys.all(Doer("person", wang))) == 1
    for tie in compound.register.one(wang).ties:
        compound.register.end_tie(SYSTEM, tie.id)
    assert keys.all(Doer("person", wang)) == []


def _give(store, holder, name):
    row = {"id": name, "holder": holder, "host": "home.example", "data": b"", "uses": 0}
    with store.writing() as writing:
        values = {**row, "label": "test", "made_at": writing.at, "used_at": writing.at}
        writing.connection.execute(sa.insert(PASSKEYS).values(**values))
