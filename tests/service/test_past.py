"""What the journal remembers of the time before this start."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.domain import EventDraft, Reason
from edge.events import Kind
from edge.policy.attempts import Attempts
from edge.policy.lockout import LockoutRule
from edge.service.chores.past import held_ages_seconds, restarts, wrong_tries
from edge.store.journal import SqliteJournal

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write(journal: Path, *entries: tuple[str, float]) -> None:
    with closing(SqliteJournal(journal, "door-1", boot="b", clock_trust=lambda: "synced")) as store:
        for kind, age_seconds in entries:
            store.append(EventDraft(Kind(kind), NOW - timedelta(seconds=age_seconds), 1.0))


def test_the_weeks_held_alarms_are_found_with_their_ages(tmp_path: Path) -> None:
    day = 86_400.0
    write(
        tmp_path / "journal.db",
        ("door.held", 8 * day),
        ("door.held", 6 * day),
        ("door.held_repeat", 5 * day),
        ("door.opened", day),
        ("door.held", 60),
        ("door.held", -3600),  # the clock was ahead then
    )
    assert held_ages_seconds(tmp_path / "journal.db", NOW) == [6 * day, 60]


def test_restarts_of_the_last_ten_minutes_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "journal.db", *(("service.started", age) for age in (900, 500, 400, 30, 1)))
    assert restarts(tmp_path / "journal.db", NOW) == 4


def test_the_day_s_wrong_pins_and_cards_count_after_a_start(tmp_path: Path) -> None:
    """Somebody who can cut the power has no more tries than anybody else."""
    path = tmp_path / "journal.db"
    wrong = {"method": "pin", "number": "12"}
    entries: list[tuple[float, Reason, dict[str, str]]] = [
        (90_000.0, Reason.INCORRECT_AUTHENTICATION_FACTOR, wrong),
        *((40_000.0 - n, Reason.INCORRECT_AUTHENTICATION_FACTOR, wrong) for n in range(19)),
        (9.0, Reason.OUT_OF_TIME_RANGE, wrong),
        (8.0, Reason.UNKNOWN_CREDENTIAL, {"method": "card", "card": "w26:1:1"}),
        (7.0, Reason.UNKNOWN_CREDENTIAL, {"method": "card", "card": "w26:1:1"}),
        (6.0, Reason.UNKNOWN_CREDENTIAL, {"method": "face"}),
        (5.0, Reason.INCORRECT_AUTHENTICATION_FACTOR, {"method": "pin"}),
        (-7200.0, Reason.INCORRECT_AUTHENTICATION_FACTOR, wrong),  # the clock is behind by now
    ]
    with closing(SqliteJournal(path, "door-1", boot="b", clock_trust=lambda: "synced")) as store:
        for age, reason, data in entries:
            at = NOW - timedelta(seconds=age)
            store.append(EventDraft(Kind.ACCESS_DENIED, at, 1.0, reason=str(reason), data=data))
    tries = wrong_tries(path, NOW)
    assert [(one.reader, one.claim) for one in tries].count(("card", None)) == 1
    assert len(tries) == 22
    attempts = Attempts(LockoutRule(), lambda: 50.0)
    attempts.remember(tries[:19])
    assert attempts.refuse("pin", "12") is None
    attempts.remember(tries[19:])
    refusal = attempts.refuse("pin", "12")
    assert refusal is not None
    assert refusal.reason is Reason.SECOND_FACTOR_REQUIRED
    assert attempts.refuse("pin", "13") is None
    assert attempts.refuse("card") is None


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be looked at" * 99])
def test_without_a_readable_journal_nothing_is_remembered(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    assert held_ages_seconds(path, NOW) == []
    assert restarts(path, NOW) == 0
    assert wrong_tries(path, NOW) == []
