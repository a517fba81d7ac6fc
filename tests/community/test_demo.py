"""The demo's compound: its doors are what the hub's own parts make of what they told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.runtime.clock import ManualClock
from facegate_hub.community.database import open_book
from facegate_hub.community.demo import RESIDENTS
from facegate_hub.community.uptime import read_doors
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.database_urls import database_url
from facegate_hub.demo_doors import BEGINS, DOORS, GUARD, fill_doors, new_password
from facegate_hub.inbox import InboxKind, InboxState
from tests.community.compound import new_compound
from tests.community.web import staff

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    site = tmp_path_factory.mktemp("demo") / "site"
    fill_doors(site, database_url(site), ManualClock(NOW - timedelta(seconds=BEGINS)))
    desk = DoorsDesk(site, database_url(site))
    yield desk
    desk.close()


@pytest.fixture
def guard(desk, tmp_path):
    return staff(new_compound(tmp_path), "guard-1", doors=desk)


def test_doors_are_as_they_said_what_is_down_first_and_since_when(guard):
    """One is away for an hour and a half, one stands open, one has no picture, one is well."""
    page = guard.get("/doors").text
    places = [
        page.index(f"<b>{name}</b>")
        for name, _ in (DOORS[one] for one in ("lobby-5", "garage", "gate-south"))
    ]
    assert places == sorted(places)
    assert f"last heard {NOW - timedelta(minutes=95) + timedelta(hours=8):%Y-%m-%d %H:%M}" in page
    assert "open · locked" in page
    assert page.count("Last told, before it was away:") == 1
    assert "camera: lost" in page


def test_an_alarm_is_seen_to_and_nothing_is_doubted(desk, guard):
    """Each event came with its door's proof: the hub has no doubt about any journal."""
    (alarm,) = desk.looking.inbox.items(InboxKind.ALARMS, list(InboxState))
    assert (alarm.device, alarm.state, alarm.holder) == ("lobby-3", InboxState.ACKNOWLEDGED, GUARD)
    assert alarm.at == pytest.approx((NOW - timedelta(minutes=40)).timestamp())
    assert desk.looking.inbox.items(InboxKind.DOUBTS, list(InboxState)) == []
    assert desk.looking.signer.audit(50)[1] is None
    page = guard.get("/entries").text
    assert "王秀兰" in page
    assert "proof" not in page


def test_the_guard_of_the_demo_closes_the_alarm(desk, guard):
    """With the password that the command prints; a new one at each start."""
    first, second = new_password(desk.looking), new_password(desk.looking)
    guard.get("/doors")
    guard.send("/doors/enter", name=GUARD, password=first)
    assert guard.status == 403
    guard.get("/doors")
    guard.send("/doors/enter", name=GUARD, password=second)
    assert f"You are giving commands as {GUARD}." in guard.get("/doors").text


def test_faults_have_tickets_since_they_were_seen(desk):
    """The camera's and that of the door that is away; residents see both on their page of doors."""
    book = open_book(desk.folder, None, ManualClock(NOW))
    found = {one.door: one for one in read_doors(book)}
    book.engine.dispose()
    assert {name for name, one in found.items() if one.open} == {"garage", "lobby-5"}
    assert 0 < NOW.timestamp() - found["lobby-5"].open[0].since <= 90 * 60
    assert found["gate-south"].well_percent == 100
    assert 50 < (found["garage"].well_percent or 0) < 100


def test_the_residents_of_the_demo_are_those_whom_its_doors_know(desk):
    """Their pages said that they have no number at the doors, and a list that all of them are left out."""
    known = {number for *_, number in RESIDENTS if number}
    assert {one.id for one in desk.looking.people.page()} == known
    assert all(number.startswith(f"{flat}-") for _, flat, _, _, number in RESIDENTS if number)
