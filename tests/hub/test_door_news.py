"""A code that a door shows lets its person onto the page; residents see a service that is signed there."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from edge.domain import Resident
from edge.panel.app import make_app
from edge.web.accounts import Role, new_code, plain_code
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.doors import meet_doors
from facegate_hub.community.entry import Invitations
from facegate_hub.community.schema import LEDGER
from facegate_hub.community.uptime import read_doors
from facegate_hub.community.verify import verify
from facegate_hub.door_news import DoorNews
from facegate_hub.tables import EVENTS, open_tables
from tests.community.compound import new_compound
from tests.community.web import resident
from tests.hub.away import table_away
from tests.panel.office import open_panel
from tests.present import present

DAY = 86_400


class Site:
    def __init__(self, folder):
        self.compound = new_compound(folder)
        self.engine = open_tables(f"sqlite:///{folder / 'hub.db'}")
        self.number = 0
        self.start()

    def start(self):
        self.news = DoorNews(self.engine, self.compound.book, self.compound.book.now)

    def hear(self, kind, door="gate", proven=1, ago=0, who=None, **data):
        self.number += 1
        at = (self.compound.clock.now() - timedelta(seconds=ago)).isoformat()
        row = {"device": door, "stream": "s", "seq": self.number, "at": at, "kind": kind, "proven": proven}
        body = json.dumps({"data": data})
        with self.engine.begin() as connection:
            values = {**row, "prev": "", "hash": "", "resident": who, "body": body}
            connection.execute(sa.insert(EVENTS).values(**values))

    def show_code(self, who="r-wang", **more):
        """Have a door show a code, and return it."""
        code = new_code(20)
        digest = hashlib.sha256(plain_code(code).encode()).hexdigest()
        fields = {"digest": digest, "until": self.compound.book.now() + 7 * DAY, **more}
        self.hear("invite.made", who=who, **{"proven": 1, **fields})
        return code

    def enter(self, name="wang", number="r-wang"):
        self.compound.register.change(SYSTEM, self.compound.people[name], resident=number)

    def doors(self):
        return resident(self.compound, "wang").get("/doors").text


def lets_in(site, code):
    """Try a code at the page, as a phone does; return whether it is let in."""
    phone = resident(site.compound)
    phone.get("/enter")
    phone.send("/enter", code=code)
    if phone.status != 200:
        return False
    phone.send("/enter/accept")
    return "3-1203" in phone.get("/me").text


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.engine.dispose()


def test_a_code_of_a_door_lets_its_person_in_once(site):
    """As the very person whom the desk entered; looking again makes no second invitation."""
    site.enter()
    code = site.show_code()
    assert not lets_in(site, code)  # the hub has not heard of it yet
    assert site.news.look() == 1
    site.start()
    assert site.news.look() == 0
    assert lets_in(site, code)
    assert not lets_in(site, code)
    with site.compound.book.looking() as connection:
        assert verify(connection, site.compound.book.sealer).problems == []


def test_a_code_that_was_withdrawn_before_the_hub_heard_of_it_lets_nobody_in(site):
    """A door that is away tells of its codes when it is back: a lost one would have counted again."""
    site.enter()
    lost = site.show_code()
    site.compound.clock.advance(60)
    assert Invitations(site.compound.book).withdraw(SYSTEM, ["3-1203"]) == 0
    site.compound.clock.advance(60)
    new = site.show_code()
    site.news.look()
    assert not lets_in(site, lost)
    assert lets_in(site, new)
    with site.compound.book.looking() as connection:
        assert verify(connection, site.compound.book.sealer).problems == []


def test_the_code_on_a_door_s_own_page_is_the_one_that_lets_in(site, tmp_path):
    """From the person's sheet at the door, through its journal, to the resident's phone."""
    site.enter()
    with ExitStack() as stack:
        (tmp_path / "door").mkdir()
        panel = open_panel(tmp_path / "door", stack)
        panel.desk = replace(panel.desk, residents_page="https://home.example")
        panel.app = make_app(panel.desk)
        panel.desk.residents.put(Resident("r-wang", "王"), ())
        sam = panel.logged_in("sam", Role.STAFF)
        sam.get("/residents/r-wang")
        code = present(re.search(r'class="secret">([^<]+)<', sam.post("/residents/r-wang/invite").text))[1]
        event = panel.events("invite.made")[0]
    told = {**event.data, "until": site.compound.book.now() + DAY}  # the two clocks of the test differ
    site.hear("invite.made", who=event.resident_id, **told)
    assert site.news.look() == 1
    assert lets_in(site, code)


def test_somebody_whom_the_desk_enters_later_is_let_in_then(site):
    """Who was enrolled at the door first needs no second code."""
    code = site.show_code()
    assert site.news.look() == 0
    site.enter()
    assert site.news.look() == 1
    assert lets_in(site, code)


def test_what_a_door_did_not_prove_lets_nobody_in(site):
    """Nor what is too old, makes no sense, or names a number that two people have."""
    site.enter()
    for fields in (
        {"proven": None},
        {"until": site.compound.book.now() - 1},
        {"until": "soon"},
        {"until": 10**30},
        {"digest": "x" * 64},
        {"digest": 7},
        {"who": "r-nobody"},
    ):
        code = site.show_code(**fields)
        assert site.news.look() == 0, fields
        assert not lets_in(site, code)
    site.enter("li")
    assert not site.show_code() or site.news.look() == 0


def test_a_door_makes_no_flood_of_codes(site):
    """Three for one person, as the desk has."""
    site.enter()
    for _ in range(6):
        site.show_code()
    assert site.news.look() == 3


def test_who_has_left_is_not_let_in_by_a_code_of_before(site):
    """A door may have been offline for days."""
    site.enter()
    code = site.show_code()
    person = site.compound.register.one(site.compound.people["wang"])
    for tie in person.ties:
        site.compound.register.end_tie(SYSTEM, tie.id)
    assert site.news.look() == 0
    assert not lets_in(site, code)


def test_residents_see_when_a_door_was_last_serviced_and_when_next(site):
    """Once for each signature, however often the hub starts; overdue is said."""
    now = site.compound.book.now()
    site.hear("service.done", part="camera", next=now + 90 * DAY)
    site.hear("service.done", part="lock", next=now + 90 * DAY, ago=3600)
    site.hear("service.done", door="garage", part="whole", next=now - 1)
    site.hear("service.done", door="cellar", part="whole", next=now + DAY, proven=None)
    site.hear("service.done", part=7, next="never")
    assert site.news.look() == 3
    site.start()
    assert site.news.look() == 0
    meet_doors(site.compound.book, dict.fromkeys(["gate", "garage", "cellar"], ""))
    found = {one.door: one.service for one in read_doors(site.compound.book)}
    assert present(found["gate"]).part == "camera"
    assert found["cellar"] is None
    page = site.doors()
    assert "(camera)" in page
    assert "overdue" in page
    assert "No service has been signed" in page


def test_a_book_that_fails_for_a_while_loses_no_service(site):
    for part in ("battery", "lock"):
        site.hear("service.done", part=part, next=site.compound.book.now() + 30 * DAY)
    with table_away(site.compound.book.engine, LEDGER), pytest.raises(sa.exc.OperationalError):
        site.news.look()
    assert site.news.look() == 2
    assert site.news.look() == 0


def test_a_name_that_is_no_text_holds_nothing_up(site):
    now = site.compound.book.now()
    site.hear("service.done", part="\ud800", next=now + DAY)
    site.hear("service.done", part="lock", next=now + DAY)
    site.news.look()
    site.news.look()
    site.enter()
    site.show_code()
    assert site.news.look() == 1
