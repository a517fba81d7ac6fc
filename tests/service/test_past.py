"""What the journal remembers of the time before this start."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from edge.domain import EventDraft
from edge.events import Kind
from edge.service.chores.past import held_ages_seconds, restarts
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


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be looked at" * 99])
def test_without_a_readable_journal_nothing_is_remembered(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    assert held_ages_seconds(path, NOW) == []
    assert restarts(path, NOW) == 0
