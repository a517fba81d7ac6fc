"""`facegate clock`: what is certain, why, and a person's word."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import EventDraft
from edge.events import Kind
from edge.runtime.kept_time import KeptTime, Leap, read_kept, write_kept
from edge.store.journal import SqliteJournal


def run(folder, *more):
    done = CliRunner().invoke(app, ["clock", "--data", str(folder), *more])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture
def now():
    return datetime.now(UTC)


def test_a_new_door_knows_nothing(tmp_path):
    assert "certain: nothing yet" in run(tmp_path)


def test_a_floor_in_the_future_is_shown_and_put_right(tmp_path, now):
    with closing(
        SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as one:
        one.append(EventDraft(Kind.DOOR_OPENED, now, 0.0))
    write_kept(tmp_path / "clock-floor", KeptTime(now + timedelta(days=1000), 9e9, 864_000.0))
    shown = run(tmp_path)
    assert "the door has run: 10.0 days" in shown
    assert "before what is certain" in shown
    assert "before what is certain" not in run(tmp_path, "--confirm")
    kept = read_kept(tmp_path / "clock-floor")
    assert abs(kept.floor - now) < timedelta(minutes=5)
    assert kept.ran_seconds == 864_000.0
    with closing(
        SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as one:
        assert [event.kind for event in one.read()] == ["door.opened", "clock.confirmed"]


def test_a_leap_says_what_it_waits_for(tmp_path, now):
    leap = Leap(now, 3600.0, 7200.0)
    write_kept(tmp_path / "clock-floor", KeptTime(now - timedelta(days=30), 9e9, 0.0, leap))
    assert "30 days later after a time without power: certain after 1:00:00 more" in run(tmp_path)


def test_one_too_far_ahead_asks_for_a_person(tmp_path, now):
    write_kept(tmp_path / "clock-floor", KeptTime(now - timedelta(days=500), 9e9))
    assert "--confirm if right" in run(tmp_path)
