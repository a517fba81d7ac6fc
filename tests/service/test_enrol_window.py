"""Staff enrol only while somebody opened the window; it closes itself, and each step is an event."""

import pytest

from edge.domain import DoorEvent, EventDraft
from edge.errors import JournalUnavailable, PanelRefused
from edge.event_log.log import EventLog
from edge.runtime.clock import ManualClock
from edge.service.property.enrol_window import MOST_SECONDS, EnrolWindow
from tests.sync.hubside import MemoryJournal


class FullJournal:
    """A journal on a full card."""

    def append(self, draft: EventDraft) -> DoorEvent:
        raise JournalUnavailable("disk full")

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def journal():
    return MemoryJournal()


@pytest.fixture
def window(clock, journal):
    return EnrolWindow(clock, EventLog(journal, clock))


def kinds(journal):
    return [draft.kind for draft in journal.drafts]


def test_closed_at_the_start_and_the_refusal_names_the_way(window, journal):
    with pytest.raises(PanelRefused, match="open it remotely"):
        window.require_open("staff-1")
    assert (journal.drafts[0].kind, journal.drafts[0].data["by"]) == ("enrol.refused", "staff-1")


def test_open_for_the_time_given_and_closed_by_itself_once(window, clock, journal):
    assert window.open(600, "Desk") == 600
    window.require_open("staff-1")
    clock.advance(599)
    window.tick()
    window.require_open("staff-1")
    clock.advance(1)
    with pytest.raises(PanelRefused):
        window.require_open("staff-1")
    window.tick()
    window.tick()
    assert kinds(journal) == ["enrol.window_opened", "enrol.refused", "enrol.window_closed"]
    assert journal.drafts[0].data == {"by": "Desk", "seconds": 600}


def test_opened_again_it_counts_from_then(window, clock):
    window.open(60, "Desk")
    clock.advance(50)
    window.open(60, "Desk")
    clock.advance(30)
    assert window.seconds_left == pytest.approx(30)


def test_closed_by_somebody(window, journal):
    assert window.close("Desk") is False
    window.open(60, "Desk")
    assert window.close("Installer") is True
    assert window.seconds_left == 0
    assert journal.drafts[-1].data == {"by": "Installer"}


@pytest.mark.parametrize("seconds", [0, -1, MOST_SECONDS + 1, float("nan"), float("inf")])
def test_no_window_without_an_end(window, journal, seconds):
    with pytest.raises(PanelRefused, match="3600"):
        window.open(seconds, "Desk")
    assert window.seconds_left == 0
    assert journal.drafts == []


def test_what_cannot_be_logged_is_not_opened(clock):
    window = EnrolWindow(clock, EventLog(FullJournal(), clock))
    with pytest.raises(JournalUnavailable):
        window.open(60, "Desk")
    assert window.seconds_left == 0
    with pytest.raises(PanelRefused):
        window.require_open("staff-1")
