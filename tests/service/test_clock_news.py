"""What is told of a clock: once when nobody stands behind it, once when it is right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import TrustedTime
from edge.runtime.kept_time import KeptTime, write_kept
from edge.service.entry.clock_news import ClockNews

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def told(news: ClockNews, time: TrustedTime) -> dict[str, object]:
    time.checkpoint()
    found = news.look(time)
    assert news.look(time) is None, "once"
    return found or {}


@pytest.mark.parametrize(("hours", "is_told"), [(0.5, False), (3, True), (-3, True), (90 * 24, True)])
def test_a_clock_that_leaves_the_doors_own_count_is_told_and_so_is_its_return(
    tmp_path: Path, hours: float, is_told: bool
) -> None:
    write_kept(tmp_path / "clock", KeptTime(NOON, 9e6, is_vouched=True))
    clock, news = ManualClock(NOON), ClockNews()
    time = TrustedTime(clock, tmp_path / "clock", lambda: True)
    assert told(news, time) == {}
    clock.step_wall(hours * 3600)
    found = told(news, time)
    assert (found.get("state"), found.get("hours")) == (("disputed", abs(hours)) if is_told else (None, None))
    assert ("--confirm" in str(found.get("way_out"))) == is_told
    clock.step_wall(-hours * 3600)
    assert told(news, time) == ({"state": "ok"} if is_told else {})


def test_a_battery_that_nobody_confirmed_is_told_until_somebody_does(tmp_path: Path) -> None:
    news = ClockNews()
    time = TrustedTime(ManualClock(NOON), tmp_path / "clock", lambda: False, has_rtc=True)
    assert told(news, time)["state"] == "unconfirmed"
    time.confirm()
    assert told(news, time) == {"state": "ok"}


def test_a_clock_long_after_what_is_certain_is_told_in_days(tmp_path: Path) -> None:
    write_kept(tmp_path / "clock", KeptTime(NOON, 9e6, is_vouched=True))
    time = TrustedTime(ManualClock(NOON + timedelta(days=30)), tmp_path / "clock", lambda: True)
    found = told(ClockNews(), time)
    assert (found["state"], found["days"]) == ("ahead", 30.0)
