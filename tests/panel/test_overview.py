"""The overview: does this door work, told in the reader's language, and news without reloading."""

import html
import re

import pytest

from edge.findings import amber, green, red
from edge.web.accounts import Role

GUARD = red("guard", "lost", socket="/run/facegate/relay.sock", command="journalctl -u facegate-relay")
CLOCK = amber(
    "clock", "unsynchronised", now="2026-11-29 12:00", zone="UTC", command="facegate clock --confirm"
)
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
    assert '<code class="whole">facegate clock --confirm</code>' in health, "a command stays in one piece"
    health = re.sub("</?code[^>]*>", "", health)
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
    """The script exchanges these parts by their ids."""
    panel.findings.append(PEOPLE)
    page = panel.logged_in().get("/").text
    assert set(re.findall(r'id="([a-z]+)"[^>]* data-fresh', page)) == {"works", "lamps", "tiles", "newest"}


def clock_form(browser):
    """Return what the form about the clock sends, None where there is none."""
    found = re.search(r'action="/health/clock".*?name="shown" value="([^"]+)"', browser.get("/health").text)
    return found and html.unescape(found[1])


def test_an_installer_says_that_the_clock_is_right(panel):
    panel.findings.append(CLOCK)
    browser = panel.logged_in()
    answer = browser.post("/health/clock", shown=clock_form(browser))
    assert "The clock counts as right" in answer.text
    assert panel.pulses == ["clock"]
    assert [event.kind for event in panel.journal.read()][-1] == "clock.confirmed"


@pytest.mark.parametrize("leap", [-3 * 3600, 3600, 90 * 86_400])
def test_a_word_is_about_the_time_that_was_shown(panel, leap):
    panel.findings.append(CLOCK)
    browser = panel.logged_in()
    shown = clock_form(browser)
    panel.clock.step_wall(leap)
    answer = browser.post("/health/clock", shown=shown)
    assert "Read the time once more" in answer.text
    assert not panel.pulses


@pytest.mark.parametrize("shown", ["", "noon", "2026-11-29", "2026-11-29T12:00"])
def test_a_word_about_no_time_is_none(panel, shown):
    browser = panel.logged_in()
    assert "Read the time once more" in browser.post("/health/clock", shown=shown).text
    assert not panel.pulses


def test_staff_see_that_the_clock_is_in_doubt_and_cannot_end_it(panel):
    panel.findings.append(CLOCK)
    browser = panel.logged_in("wang", Role.STAFF)
    assert clock_form(browser) is None
    assert browser.post("/health/clock", shown=panel.clock.now().isoformat()).status_code == 403
    assert not panel.pulses


def test_a_clock_that_is_right_asks_for_no_word(panel):
    panel.findings.append(green("clock", "fine", now="2026-11-29 12:00", zone="UTC"))
    assert clock_form(panel.logged_in()) is None


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (amber("residents", "none", command="facegate enrol add"), "/enrol"),
        (amber("backup", "none", command="facegate backup FILE"), "/backup"),
        (
            amber("clock", "unsynchronised", now="-", zone="-", command="facegate clock --confirm"),
            "/health#clock",
        ),
    ],
)
def test_what_the_page_can_mend_leads_there_and_only_who_may(panel, found, path):
    """Whoever has a phone in hand has no shell."""
    panel.findings[:] = [found]
    assert f'<a href="{path}">' in panel.logged_in().get("/health").text
    assert f'<a href="{path}">' not in panel.logged_in("eve", Role.AUDITOR).get("/health").text
