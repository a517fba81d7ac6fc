"""Who rings and who is expected, in a real Chromium: on the resident's phone and on the guard's console."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from selenium.webdriver.common.by import By

from edge.wire.ended_passes import EndedPass, PassEnds
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.rings import RingState
from facegate_hub.community.schema import PASSES, RINGS
from facegate_hub.community.visits import DoorWord, note_doors
from facegate_hub.console.app import make_console
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.database import put
from facegate_hub.page.app import make_page
from facegate_hub.tables import DEVICES, GRANTED_PASSES, PASS_END_SETS, RINGS_HEARD, open_tables
from tests.browser.chromium import DESKTOP, PHONE, resize, served
from tests.community.compound import new_compound
from tests.community.test_whole_way import Staged, look

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ID, GOOD = "0102030405060708", "ff" * 8


@pytest.fixture
def staged(browser, tmp_path):
    compound = new_compound(tmp_path)
    rung(compound)
    expected(compound)
    (tmp_path / "site.json").touch()
    engine = open_tables(f"sqlite:///{tmp_path / 'hub.db'}")
    signed(engine, compound.book.now())
    heard(engine, compound.book.now())
    with ExitStack() as stack, closing(DoorsDesk(tmp_path, str(engine.url))) as doors:
        folders = [tmp_path / name for name in ("page", "console")]
        for folder in folders:
            folder.mkdir()
        page = stack.enter_context(served(make_page(compound.book, compound.terms), folders[0]))
        console = stack.enter_context(
            served(make_console(compound.staff, compound.terms, page, doors), folders[1])
        )
        yield Staged(compound, browser, (page, console))
        browser.get("about:blank")
    engine.dispose()


def signed(engine, now):
    """The same passes as the hub has signed them: the door at the gate has heard of the end of one."""
    shared = {"doors": "gate,lobby-3", "host": "3-1203-2", "flat": "3-1203", "begins": now}
    told = PassEnds("gate", 3, (EndedPass(ID, datetime.fromtimestamp(now + 7200, UTC)),))
    rows = ((GOOD, "visitor", None), (ID, "courier", now - 5))
    with engine.begin() as connection:
        for one, kind, ended in rows:
            more = {"id": one, "kind": kind, "until": now + 7200, "ended_at": ended}
            put(connection, GRANTED_PASSES, shared | more)
        put(connection, PASS_END_SETS, {"device": "gate", "rev": 3, "body": told.encode().decode()})
        put(connection, DEVICES, {"id": "gate", "avail": "online", "state": '{"passes_ended":3}'})


def heard(engine, now):
    """The same rings as the hub has heard them: the newest rings now, others were answered or not."""
    rows = [("now", "3-1203", 2, None), ("no", "3-1203", 20, "no"), ("over", None, 200, None)]
    with engine.begin() as connection:
        for name, flat, ago, answer in rows:
            row = {"id": name, "door": "lobby-3", "flat": flat, "rang_at": now - ago, "answer": answer}
            put(connection, RINGS_HEARD, row)


def rung(compound):
    """Rings in each state: the newest rings now."""
    now = compound.book.now()
    with compound.book.engine.begin() as connection:
        for number, state in enumerate(RingState):
            row = {"id": f"ring-{number}", "door": "lobby-3", "flat": "3-1203" if number % 3 else None}
            row |= {"rang_at": now - 5 - 50 * number, "state": state.value}
            connection.execute(sa.insert(RINGS).values(**row))
        ringing = {"id": "now", "door": "lobby-3", "flat": "3-1203", "rang_at": now - 2}
        connection.execute(sa.insert(RINGS).values(**ringing, state="ringing"))


def expected(compound):
    """A visitor's pass that is good, and one that still opens a door which has not heard of its end."""
    now = compound.book.now()
    shared = {
        "maker": compound.people["wang"],
        "flat": "3-1203",
        "begins": now,
        "ends": now + 7200,
        "uses": 2,
    }
    shared |= {"begins": now, "ends": now + 7200, "wished_at": now, "doors": "gate,lobby-3"}
    with compound.book.writing() as writing:
        text = writing.keep("FG1:" + "A" * 90, f"person:{compound.people['wang']}")
        for name, more in (
            ("good", {"kind": "visitor", "state": "granted", "text": text}),
            ("gone", {"kind": "courier", "state": "ended", "why": "passed_on"}),
        ):
            row = shared | more | {"pass_id": ID if name == "gone" else GOOD}
            writing.enter(SYSTEM, "pass.granted", f"pass:{name}", Change(PASSES, name, row))
    words = {(ID, "gate"): DoorWord.CONFIRMED, (ID, "lobby-3"): DoorWord.OFFLINE}
    note_doors(compound.book, words)


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh"), (DESKTOP, "en")])
def test_who_rings_and_who_is_expected(staged, size, language):
    """The guard ends a pass, and its maker reads why."""
    resize(staged.browser, size)
    staged.window = size
    guard, phone = staged.staff(language, "guard-1"), staged.resident(language, "wang")
    phone.go("/")
    phone.sees("somebody_rings", door="lobby-3")
    look(phone, "rings-home")
    phone.go("/rings")
    look(phone, "rings")
    phone.go("/visitors")
    look(phone, "visitors")
    phone.go("/visitors/gone")
    look(phone, "visitor-ended")
    guard.go("/visitors")
    guard.sees("ring.ringing")
    look(guard, "visitors")
    guard.open("end_pass")
    guard.choose("why", "wrong_person")
    look(guard, "visitors-end")
    guard.browser.find_element(By.CSS_SELECTOR, "details[open] button").click()
    guard.sees("pass_end.wrong_person")
    look(guard, "visitors-ended")
    phone.go("/visitors/good")
    phone.sees("pass_why.wrong_person")
    look(phone, "visitor-why")
    assert [one.faults for one in (guard, phone)] == [{}, {}]
    logged = [entry for entry in staged.browser.get_log("browser") if entry["source"] != "network"]
    assert logged == []
