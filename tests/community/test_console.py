"""The console: one-time code, password and app; what each duty sees; people and accounts."""

from __future__ import annotations

import base64
import re

import pytest
import sqlalchemy as sa

from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import Doer
from facegate_hub.community.duties import Duty
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.schema import LEDGER
from facegate_hub.community.staff_store import CODES_MADE, open_staff
from facegate_hub.community.tickets import Report
from facegate_hub.community.totp import code_at, step_of
from facegate_hub.community.verify import verify
from tests.community.compound import RESIDENTS, STAFF, Compound, add_account, new_compound
from tests.community.web import resident, staff
from tests.community.world import new_book
from tests.present import present

DAY = 86_400
PAGES = {
    "/tickets": {"mona", "mike", "dora", "guard-1", "technician-1", "technician-2", "chair"},
    "/new": {"mona", "mike", "dora", "guard-1"},
    "/people": {"mona", "mike", "dora"},
    "/counts": {"mona", "mike", "dora", "chair", "audit", "root"},
    "/accounts": {"root", "chair"},
    "/book": {"mona", "mike", "chair", "audit", "root"},
}


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


@pytest.mark.parametrize("path", PAGES)
def test_each_duty_sees_its_pages_and_no_others(compound, path):
    for name in STAFF:
        desk = staff(compound, name)
        assert (desk.get(path).status_code == 200) == (name in PAGES[path]), name
        assert f'href="{path}"' in desk.get("/").text or name not in PAGES[path], "the menu shows it"


def test_nobody_reads_complaints_and_keeps_accounts(compound):
    for duty in Duty:
        names = [name for name, theirs in STAFF.items() if theirs is duty]
        assert not (set(names) & PAGES["/people"] and set(names) & PAGES["/accounts"])


def test_the_first_account_by_its_code_then_password_and_app(tmp_path):
    book, clock = new_book(tmp_path)
    store = open_staff(tmp_path, book)
    accounts = StaffAccounts(store)
    code = accounts.first_code()

    other = new_compound(tmp_path / "other")
    empty = Compound(book, clock, other.terms, other.tickets, other.register, store)
    desk = staff(empty)
    desk.get("/first")
    desk.send("/first", name="admin", code="AAAAA-AAAAA-AAAAA", password="a good long password")
    assert desk.status == 403
    assert code is not None
    desk.send("/first", name="admin", code=code, password="short")
    assert desk.status == 422
    desk.get("/first")
    desk.send("/first", name="admin", code=code, password="a good long password")
    secret = base64.b32decode(present(re.search(r"<code>([A-Z2-7 ]+)</code>", desk.page))[1].replace(" ", ""))
    desk.send("/first/app", digits=code_at(secret, book.now()))
    assert desk.title == "Accounts"
    assert accounts.first_code() is None
    again = staff(empty)
    again.get("/login")
    again.send("/login", name="admin", password="a good long password", digits=code_at(secret, book.now()))
    assert again.status == 403, "digits are good once"
    clock.advance(60)
    again.send("/login", name="admin", password="wrong", digits=code_at(secret, book.now()))
    assert again.status == 403
    again.send("/login", name="admin", password="a good long password", digits=code_at(secret, book.now()))
    assert again.title == "Accounts"
    clock.advance(31 * 60)
    again.get("/accounts")
    assert again.title == "Log in", "a console that nobody touches logs out"


def test_a_lost_phone_begins_again_and_is_logged_out(compound):
    accounts, desk = StaffAccounts(compound.staff), staff(compound, "dora")
    assert accounts.begin_again(Doer("command", "root"), "nobody") is None
    code = accounts.begin_again(Doer("command", "root"), "dora")
    desk.get("/tickets")
    assert desk.title == "Log in"
    assert code is not None
    secret = accounts.claim("dora", code, "a good long password")
    assert secret is not None
    assert present(accounts.activate("dora", code, code_at(secret, compound.book.now()))).duty is Duty.DESK


def test_a_one_time_code_is_too_old_after_a_week(compound):
    """It was good for ever: whoever found an old slip became whom it had been made for."""
    accounts, clock = StaffAccounts(compound.staff), compound.clock
    first = present(accounts.begin_again(Doer("command", "root"), "dora"))
    secret = present(accounts.claim("dora", first, "a good long password"))
    clock.advance(7 * DAY - 60)
    assert accounts.claim("dora", first, "another long password") is not None
    assert accounts.codes()["dora"] == compound.book.now() + 60
    clock.advance(60)
    assert accounts.codes()["dora"] is None
    assert accounts.claim("dora", first, "a third long password") is None
    assert accounts.activate("dora", first, code_at(secret, compound.book.now())) is None
    keeper = staff(compound, "root")
    assert "code too old" in keeper.get("/accounts").text
    keeper.send("/accounts", name="dora", duty="desk", do="again")
    assert "good for 7 days" in keeper.page
    assert "code not used yet" in keeper.page
    again = present(re.search(r'huge code">([^<]+)<', keeper.page))[1]
    assert accounts.claim("dora", again, "a fourth long password") is not None


def test_a_code_of_a_clock_that_was_far_ahead_does_not_wait_for_it(compound):
    compound.clock.advance(300 * DAY)
    accounts = StaffAccounts(compound.staff)
    code = present(accounts.begin_again(Doer("command", "root"), "dora"))
    compound.clock.step_wall(-300 * DAY)
    assert accounts.claim("dora", code, "a good long password") is None


def test_the_time_of_an_older_version_s_code_begins_with_this_one(tmp_path):
    book, clock = new_book(tmp_path)
    store = open_staff(tmp_path, book)
    code = present(StaffAccounts(store).first_code())
    with store.engine.begin() as connection:
        connection.execute(sa.delete(CODES_MADE))
    clock.advance(30 * DAY)
    accounts = StaffAccounts(open_staff(tmp_path, book))
    assert accounts.claim("admin", code, "a good long password") is not None
    clock.advance(7 * DAY)
    accounts = StaffAccounts(open_staff(tmp_path, book))
    assert accounts.claim("admin", code, "a good long password") is None


def test_a_login_is_slowed_down_and_says_the_same_for_every_name(compound):
    desk = staff(compound)
    desk.get("/login")
    pages = []
    for name in ("mona", "nobody", "root", "mona", "mona", "mona"):
        desk.send("/login", name=name, password="x" * 12, digits="000000")
        pages.append((desk.status, desk.page))
    assert pages[0] == pages[1]
    assert pages[-1][0] == 429


@pytest.mark.parametrize(
    ("by", "duty", "is_made"),
    [
        ("root", "desk", True),
        ("root", "manager", True),
        ("root", "committee", False),
        ("chair", "committee", True),
        ("chair", "manager", False),
        ("chair", "admin", False),
    ],
)
def test_each_side_makes_its_own_accounts(compound, by, duty, is_made):
    desk = staff(compound, by)
    desk.get("/accounts")
    desk.send("/accounts", name="somebody", duty=duty)
    assert (StaffAccounts(compound.staff).one("somebody") is not None) == is_made


def test_the_last_account_that_keeps_accounts_stays_and_others_are_logged_out(compound):
    desk = staff(compound, "root")
    dora = staff(compound, "dora")
    desk.get("/accounts")
    desk.send("/accounts", name="root", do="end")
    assert "last account" in desk.page
    desk.get("/accounts")
    desk.send("/accounts", name="dora", do="end")
    dora.get("/tickets")
    assert dora.title == "Log in"


def test_people_are_found_by_name_and_flat_moved_in_and_out(compound):
    desk = staff(compound, "dora")
    desk.get("/people/new")
    desk.send("/people/new", name="张伟", flat="5-101", kind="tenant", contact="138 0013 8000")
    assert desk.title == "张伟"
    for wanted in ("张", "5-101", "0013"):
        desk.get("/people", params={"q": wanted})
        assert "张伟" in desk.page
    person = present(re.search(r'href="/people/(\w+)"><b>张伟', desk.page))[1]
    desk.get(f"/people/{person}")
    desk.send("/invite", person=person)
    for words in (
        "Works once, within 7 days",
        "7 天内有效，只能用一次",
    ):  # the paper is not the clerk's to read
        assert words in desk.page
    code = present(re.search(r'class="code">([A-Z0-9-]+)<', desk.page))[1]
    phone = resident(compound)
    phone.get("/enter")
    phone.send("/enter", code=code)
    phone.send("/enter/accept")
    assert phone.title == "Hello, 张伟"
    desk.get(f"/people/{person}")
    desk.send(f"/people/{person}/end")
    phone.get("/")
    assert phone.title == "Enter"


def test_the_desk_logs_out_the_phones_of_who_has_lost_one(compound):
    """Whoever found it read their tickets and made visitor passes until they had a phone again."""
    lost, neighbour = resident(compound, "wang"), resident(compound, "li")
    desk, wang = staff(compound, "dora"), compound.people["wang"]
    desk.get(f"/people/{wang}")
    assert "logged in to the residents’ page: 1" in desk.page
    desk.send(f"/people/{wang}/phones")
    assert "logged in to the residents’ page: 0" in desk.page
    lost.get("/visitors")
    assert lost.title == "Enter"
    neighbour.get("/visitors")
    assert neighbour.title != "Enter"
    with compound.book.looking() as connection:
        query = sa.select(LEDGER.c.actor).where(LEDGER.c.kind == "device.ended")
        assert connection.execute(query).scalars().all() == ["account:dora"]
        assert verify(connection, compound.book.sealer).problems == []


def test_tickets_of_who_works_here_no_more_are_for_somebody_else(compound):
    """They stayed with somebody who never looks again, and no list said so."""
    desk, root = staff(compound, "dora"), staff(compound, "root")
    report = Report(
        TicketKind.REPAIR, "water", "The tap drips", flat="3-1203", requester=compound.people["wang"]
    )
    number = compound.tickets.report(compound.asker("wang"), report)[0]
    compound.act("dora", number, TicketAct.ASSIGN, assignee="technician-1")
    compound.act("technician-1", number, TicketAct.START)
    desk.get("/tickets")
    assert "works here no more" not in desk.page

    root.get("/accounts")
    root.send("/accounts", name="technician-1", do="end")
    assert root.status == 200
    assert "technician-1 is logged out everywhere" in root.page
    assert "facegate hub principal end" in root.page

    desk.get("/tickets")
    assert "works here no more" in desk.page
    desk.get(f"/tickets/{number}")
    assert "technician-1 works here no more: assign it anew." in desk.page
    desk.send(f"/tickets/{number}/step", act="assign", assignee="technician-2")
    assert "works here no more" not in desk.page
    own = resident(compound, "wang")
    own.get(f"/tickets/{number}")
    assert "works here no more" not in own.page


def test_a_repair_that_came_twice_is_named_in_the_one_that_goes_on(compound):
    """Nothing said so there, and of the merged one that its time stands still for the resident."""
    desk = staff(compound, "dora")
    numbers = []
    for name in ("wang", "li"):
        flat, person = RESIDENTS[name], compound.people[name]
        again = Report(TicketKind.REPAIR, "water", "The hall is wet", flat=flat, requester=person)
        numbers.append(compound.tickets.report(compound.asker(name), again)[0])
    kept, same = numbers
    compound.act("dora", same, TicketAct.MERGE, into=str(kept))
    desk.get(f"/tickets/{kept}")
    assert f'<dt>The same was reported as</dt><dd><a href="/tickets/{same}">#{same}</a>' in desk.page
    desk.get(f"/tickets/{same}")
    assert "ended: no time runs any more" in desk.page
    assert "paused while it waits" not in desk.page
    own = resident(compound, "wang")
    own.get(f"/tickets/{kept}")
    assert "The same was reported as" not in own.page, "a neighbour's is not theirs to see"


def test_who_ends_their_own_account_is_logged_out(compound):
    add_account(compound.staff, "second", Duty.ADMIN)
    root = staff(compound, "root")
    root.get("/accounts")
    root.send("/accounts", name="root", do="end")
    assert root.title == "Log in"
    root.get("/accounts")
    assert root.title == "Log in"


def test_the_book_is_verified_on_the_page(compound):
    desk = staff(compound, "audit")
    desk.get("/book?verify=1")
    assert "The book is intact" in desk.page
    assert "wang" not in desk.page


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(at, code):
    secret = b"12345678901234567890"  # RFC 6238, appendix B, the last six digits
    assert code_at(secret, at) == code
    assert step_of(secret, f"{code[:3]} {code[3:]}", at + 30, 0) == at // 30
    assert step_of(secret, code, at + 61, 0) is None
    assert step_of(secret, code, at, at // 30) is None
