"""The overview: does this door work, told in the reader's language, and news without reloading."""

import re

from edge.findings import amber, green, red
from edge.web.accounts import Role

GUARD = red("guard", "lost", socket="/run/facegate/relay.sock", command="journalctl -u facegate-relay")
CLOCK = amber("clock", "unsynchronised", now="2026-11-29 12:00", command="facegate clock --confirm")
PEOPLE = green("residents", "fine", count=3)


def test_what_is_wrong_stands_on_top_with_the_way_out(panel):
    """Only what is wrong; everything that was looked at is on the page of the door's health."""
    panel.findings.extend([GUARD, CLOCK, PEOPLE])
    browser = panel.logged_in()
    page = browser.get("/").text
    assert 'class="works red"' in page
    assert "Something does not work here" in page
    assert "/run/facegate/relay.sock" in page
    assert "journalctl -u facegate-relay" in page
    assert page.index("relay.sock") < page.index("facegate clock --confirm")
    assert PEOPLE.what.said() not in page
    health = browser.get("/health").text
    assert all(one.what.said() in re.sub("&#39;", "'", health) for one in (GUARD, CLOCK, PEOPLE))


def test_a_door_that_works_says_so(panel):
    """In green, without a list; and in Chinese for who reads Chinese."""
    panel.findings.append(PEOPLE)
    browser = panel.logged_in("wang", Role.STAFF)
    assert "This door works." in browser.get("/").text
    browser.get("/language/zh?back=/")
    page = browser.get("/").text
    assert "门禁工作正常" in page
    assert 'class="works green"' in page


def test_a_panel_without_a_door_says_nothing_of_one(panel):
    """An enrolment desk has no guard and no camera to look at."""
    assert 'class="works' not in panel.logged_in().get("/").text


def test_what_is_new_can_be_taken_out_of_the_page(panel):
    """The script exchanges these parts by their ids, every few seconds."""
    panel.findings.append(PEOPLE)
    page = panel.logged_in().get("/").text
    assert set(re.findall(r'id="([a-z]+)"[^>]* data-fresh', page)) == {"works", "tiles", "newest"}
