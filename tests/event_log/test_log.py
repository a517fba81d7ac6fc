"""Two verbs: what is recorded is stored sooner or later, what is committed is stored now or never."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from edge.domain import EventDraft
from edge.errors import JournalUnavailable
from edge.event_log.log import EventLog
from edge.event_log.unsaved import UnsavedEvents
from edge.events import Kind
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from tests.waiting import PATIENCE

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Card(MemoryJournal):
    """A journal on a card that fails, stalls and comes back when told."""

    def __init__(self, clock: ManualClock):
        super().__init__()
        self.clock = clock
        self.problem: Exception | None = None
        self.stall_seconds = 0.0
        self.asked = 0

    def append(self, draft):
        self.asked += 1
        self.clock.advance(self.stall_seconds)
        if self.problem is not None:
            raise self.problem
        return super().append(draft)

    @property
    def kinds(self):
        return [str(draft.kind) for draft in self.drafts]


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
def card(clock):
    return Card(clock)


@pytest.fixture
def log(card, clock):
    return EventLog(card, clock)


def draft(kind: Kind, who: str | None = None, reason: str | None = None, **data) -> EventDraft:
    return EventDraft(kind, NOON, 0.0, who, reason, data)


def card_refused(number: int) -> EventDraft:
    return draft(Kind.ACCESS_DENIED, None, "unknown_credential", method="card", card=f"hid:{number}")


FULL = JournalUnavailable("journal.db: disk full")


def test_what_is_recorded_while_the_disk_is_full_is_stored_later_first_and_in_order(card, log):
    card.problem = FULL
    assert log.record(draft(Kind.ACCESS_GRANTED)) is None
    assert log.record(draft(Kind.DOOR_OPENED)) is None
    card.problem = None

    assert log.record(draft(Kind.DOOR_CLOSED)) is not None

    assert card.kinds == ["access.granted", "door.opened", "health.journal", "door.closed"]
    assert card.drafts[2].data == {"waited": 2}
    assert log.unsaved == 0


def test_what_waits_is_stored_without_waiting_for_the_next_event(card, log):
    card.problem = FULL
    log.record(draft(Kind.ACCESS_GRANTED))
    log.retry()
    card.problem = None

    log.retry()

    assert card.kinds == ["access.granted", "health.journal"]


def test_what_was_refused_is_not_stored_later(card, log):
    """Once the caller was told that a consent was not withdrawn, the journal must not say that it was."""
    card.problem = FULL
    with pytest.raises(JournalUnavailable):
        log.commit(draft(Kind.CONSENT_WITHDRAWN))
    card.problem = None
    log.retry()
    log.record(draft(Kind.DOOR_CLOSED))

    assert card.kinds == ["door.closed"]
    assert log.unsaved == 0


def test_a_commit_is_stored_after_what_waited(card, log):
    card.problem = FULL
    log.record(draft(Kind.DOOR_OPENED))
    card.problem = None

    assert log.commit(draft(Kind.RESIDENT_CHANGED)).seq == 3

    assert card.kinds == ["door.opened", "health.journal", "resident.changed"]


def test_listeners_hear_what_happened_and_not_what_was_refused(card, log):
    heard = []
    log.subscribe(lambda one: heard.append(str(one.kind)))
    log.record(draft(Kind.DOOR_OPENED))
    card.problem = FULL
    log.record(draft(Kind.DOOR_CLOSED))
    with pytest.raises(JournalUnavailable):
        log.commit(draft(Kind.RESIDENT_CHANGED))
    card.problem = None
    log.retry()

    assert heard == ["door.opened", "door.closed"]


def test_a_listener_that_fails_costs_only_its_own_news(card, log):
    heard: list[EventDraft] = []

    def fail(_draft):
        raise RuntimeError("the display is gone")

    log.subscribe(fail)
    log.subscribe(heard.append)

    assert log.record(draft(Kind.ACCESS_GRANTED)) is not None
    assert len(heard) == 1


def test_a_listener_may_write_events_itself(card, log):
    log.subscribe(
        lambda one: log.record(draft(Kind.ACCESS_ATTEMPTS)) if one.kind is Kind.ACCESS_DENIED else None
    )
    log.record(draft(Kind.ACCESS_DENIED))

    assert card.kinds == ["access.denied", "access.attempts"]


def test_nobody_waits_long_for_another_thread_that_is_storing(clock):
    storing, go_on = Event(), Event()

    class Stuck(Card):
        def append(self, draft):
            if draft.kind is Kind.DOOR_OPENED:
                storing.set()
                go_on.wait(PATIENCE)
            return super().append(draft)

    card = Stuck(clock)
    log = EventLog(card, clock)
    other = Thread(target=lambda: log.record(draft(Kind.DOOR_OPENED)))
    other.start()
    assert storing.wait(PATIENCE)
    try:
        assert log.record(draft(Kind.ACCESS_GRANTED)) is None
    finally:
        go_on.set()
        other.join(PATIENCE)
    log.retry()
    assert card.kinds == ["door.opened", "access.granted", "health.journal"]


def test_a_long_queue_does_not_stand_before_somebody_at_the_door(card, clock, log):
    """An hour of events takes a slow card many seconds; an entry waits for a turn of them only."""
    card.problem = FULL
    for _ in range(100):
        log.record(draft(Kind.DOOR_OPENED))
    card.problem, card.stall_seconds = None, 0.05

    began = clock.monotonic()
    assert log.commit(draft(Kind.ACCESS_GRANTED)) is not None
    assert clock.monotonic() - began < 0.5
    assert log.unsaved > 80

    log.close()
    assert log.unsaved == 0
    assert card.kinds.count("door.opened") == 100


def test_how_long_each_took_is_told(card, clock):
    took = []
    log = EventLog(card, clock, timing=lambda one, seconds: took.append((str(one.kind), seconds)))
    card.stall_seconds = 0.25
    log.record(draft(Kind.DOOR_OPENED))

    assert took == [("door.opened", 0.25)]


def test_the_last_events_are_stored_when_it_ends(card, log):
    card.problem = FULL
    log.record(draft(Kind.SERVICE_STOPPED))
    card.problem = None
    log.close()

    assert card.kinds == ["service.stopped", "health.journal"]


class TestWhatMemoryHolds:
    """More events than memory is meant to hold: somebody sweeps cards while the disk is full."""

    @pytest.fixture
    def log(self, card, clock):
        return EventLog(card, clock, unsaved=UnsavedEvents(most=100))

    def test_no_grant_and_no_alarm_is_ever_dropped(self, card, log):
        card.problem = FULL
        kept = [Kind.ACCESS_GRANTED, Kind.ALARM_DURESS, Kind.DOOR_FORCED, Kind.CONSENT_WITHDRAWN]
        for number in range(1000):
            log.record(draft(kept[number % 4], str(number)))
        card.problem = None
        log.retry()

        assert [one.resident_id for one in card.drafts[:-1]] == [str(number) for number in range(1000)]
        assert card.drafts[-1].data == {"waited": 1000}

    def test_a_grant_outlives_any_number_of_refusals(self, card, log):
        card.problem = FULL
        log.record(draft(Kind.ACCESS_GRANTED, "burglar", "granted"))
        for number in range(500):
            log.record(card_refused(number))
        card.problem = None
        log.retry()

        assert sum(one.resident_id == "burglar" for one in card.drafts) == 1

    def test_refusals_that_are_alike_become_one_and_how_many_is_told(self, card, log):
        card.problem = FULL
        for number in range(300):
            log.record(card_refused(number))
        for _ in range(50):
            log.record(draft(Kind.ACCESS_DENIED, "anna", "out_of_time_range", method="pin"))
        card.problem = None
        log.retry()

        folded = card.drafts[0]
        assert (folded.reason, folded.resident_id) == ("unknown_credential", None)
        assert folded.data == {"folded": 250, "first": NOON.isoformat(), "method": "card"}
        assert card.drafts[-1].data == {"waited": 350, "lost": 250}
        assert len(card.drafts) == 1 + 100 + 1

    def test_nothing_is_counted_twice_when_storing_fails_halfway(self, card, log):
        card.problem = FULL
        for number in range(150):
            log.record(card_refused(number))
        for _ in range(3):
            log.retry()
        log.record(card_refused(150))
        card.problem = None
        log.retry()

        assert card.drafts[0].data["folded"] == 51
        assert [one.data.get("card") for one in card.drafts[1:-1]] == [f"hid:{n}" for n in range(51, 151)]
        assert card.drafts[-1].data == {"waited": 151, "lost": 51}
