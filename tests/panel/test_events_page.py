"""The page of events: found by person, reason and day, followed, and taken along as a table."""

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.domain import EventDraft
from edge.panel.app import make_app
from edge.web.accounts import Role
from tests.panel.office import open_panel

DAY = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)
"""In Shanghai this is the 15th."""


@pytest.fixture
def panel(tmp_path, stack):
    """A panel in Shanghai whose door has let in, refused and been forced."""
    panel = open_panel(tmp_path, stack, zone=ZoneInfo("Asia/Shanghai"))
    write(panel, "access.granted", 0, "3栋1203", "granted")
    write(panel, "access.denied", 1, "3栋1203", "out_of_time_range")
    write(panel, "access.granted", 24, "anna", "granted")
    write(panel, "door.forced", 48)
    return panel


def write(panel, kind, hours, resident=None, reason=None, **data):
    panel.journal.append(
        EventDraft(kind, DAY + timedelta(hours=hours), 1.0, resident_id=resident, reason=reason, data=data)
    )


def kinds(page):
    return re.findall(r"<code>([a-z.]+\.[a-z_]+)</code>", page.text)


def test_events_are_found_by_person_reason_and_the_sites_own_day(panel):
    """Alone and together; what was asked for stays in the form and in the tabs."""
    browser = panel.logged_in()
    assert kinds(browser.get("/events?person=3栋1203")) == ["access.denied", "access.granted"]
    assert kinds(browser.get("/events?reason=granted")) == ["access.granted"] * 2
    assert kinds(browser.get("/events?since=2026-03-15&until=2026-03-15")) == [
        "access.denied",
        "access.granted",
    ]
    assert kinds(browser.get("/events?since=2026-03-16&until=2026-03-16&group=entries")) == ["access.granted"]
    page = browser.get("/events?person=anna&reason=granted")
    assert kinds(page) == ["access.granted"]
    assert 'value="anna"' in page.text
    assert re.search(r'href="/events\?[^"]*group=door[^"]*"', page.text)


@pytest.mark.parametrize(
    "query",
    [
        *("since=yesterday", "until=2026-02-30", "since=2026-03-16&until=2026-03-15"),
        *("until=9999-12-31", "since=0001-01-01"),
    ],
)
def test_a_day_that_is_none_is_refused_in_words(panel, query):
    """Not with a bare error, and not by showing everything."""
    answer = panel.logged_in().get(f"/events?{query}")
    assert answer.status_code == 422
    assert "<h1>" in answer.text


@pytest.mark.parametrize("query", ["group=nosuch", "reason=nosuch", "before=x", "before=" + "9" * 400])
def test_what_is_not_ours_in_an_address_is_left_out(panel, query):
    """An old bookmark still shows events."""
    assert panel.logged_in().get(f"/events?{query}").status_code == 200


def test_a_search_that_finds_little_goes_on_where_it_stopped_reading(panel):
    """Nothing is skipped between two pages, however long the journal is."""
    for number in range(4500):
        write(panel, "door.rex", 50 + number / 3600)
    browser = panel.logged_in()
    found, address = [], "/events?person=anna"
    for _ in range(4):
        page = browser.get(address)
        found += kinds(page)
        older = re.search(r'href="(/events\?[^"]*before=\d+[^"]*)"', page.text)
        if not older:
            break
        address = older[1].replace("&amp;", "&")
    assert found == ["access.granted"]


def test_the_table_is_in_the_sites_time_and_says_who_took_it(panel):
    """Ready for a spreadsheet, Chinese included; the journal keeps that it was taken, and by whom."""
    browser = panel.logged_in("wang", Role.STAFF)
    answer = browser.get("/events.csv?person=3栋1203")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert rows[2][1] == "2026-03-15 04:00:00"
    assert rows[2][3] == "3栋1203"
    told = panel.events("events.exported")[-1].data
    assert (told["by"], told["entries"]) == ("wang", 2)


def test_a_table_that_does_not_reach_back_says_so(panel):
    """At a busy gate it ended at 20,000 rows, and a day further back was empty: as if nobody had come."""
    (one,) = panel.desk.events(None, 1)

    def busy(before, count):
        newest = 20_100 if before is None else before - 1
        return [replace(one, seq=seq) for seq in range(newest, max(0, newest - count), -1)]

    panel.desk = replace(panel.desk, events=busy)
    panel.app = make_app(panel.desk)
    rows = list(csv.reader(io.StringIO(panel.logged_in().get("/events.csv").content.decode("utf-8-sig"))))
    assert len(rows) == 20_002
    assert rows[-1][1].startswith("NOT COMPLETE: read back to entry 101 only.")


def test_no_cell_is_a_formula(panel):
    """Spreadsheets calculate what begins with = + - or @."""
    write(panel, "access.denied", 60, "=cmd|' /C calc'!A0", "unknown_credential")
    rows = list(csv.reader(io.StringIO(panel.logged_in().get("/events.csv").text.lstrip("\ufeff"))))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_the_newest_events_come_by_themselves_and_older_pages_stay(panel):
    """What somebody reads does not move under their eyes."""
    browser = panel.logged_in()
    assert 'id="found" data-fresh' in browser.get("/events").text
    assert "data-fresh" not in browser.get("/events?before=3").text


@pytest.mark.parametrize(
    ("days", "told"),
    [("since=yesterday", "yesterday"), ("since=2026-03-15&until=2026-03-01", "before the first")],
)
def test_a_day_that_cannot_be_keeps_the_other_wishes(panel, days, told):
    answer = panel.logged_in().get(f"/events?person=anna&reason=granted&{days}")
    assert answer.status_code == 422
    assert re.search(rf'role="alert" class="bad">[^<]*{told}', answer.text)
    assert 'name="person" value="anna"' in answer.text
    assert 'value="granted" selected' in answer.text
