"""`facegate policy` and `facegate explain` as a person types them."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import EventDraft, Resident
from edge.errors import ConfigError, StoreError
from edge.events import Kind
from edge.store.journal import SqliteJournal
from edge.store.reader import JournalReader
from edge.store.residents import ResidentStore

NOW = datetime.now(UTC)
STRICT = """
[schedules.shut]
mon = []
[levels.resident]
schedule = "shut"
"""


@pytest.fixture
def data(tmp_path):
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [])
    with closing(
        SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as journal:
        numbers = {"method": "face", "similarity": 0.71, "threshold": 0.52}
        for days in (30, 2, 1):
            at = NOW - timedelta(days=days)
            journal.append(EventDraft(Kind.ACCESS_GRANTED, at, 1.0, "anna", "granted", numbers))
        journal.append(
            EventDraft(Kind.ACCESS_DENIED, NOW, 2.0, None, "unknown_credential", {"method": "face"})
        )
        journal.append(EventDraft(Kind.DOOR_CLOSED, NOW, 3.0))
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).output


def rules(folder, text):
    (folder / "rules.toml").write_text(text)
    return folder / "rules.toml"


def test_rules_are_tried_on_the_last_days(data):
    lines = run("policy", "simulate", "--data", data, "--rules", rules(data, STRICT)).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("anna  face  granted -> out_of_time_range (level resident, schedule shut)")
    assert lines[-1].startswith(
        "2 of 2 openings would have been refused (2 out_of_time_range); 0 of 1 refusals"
    )


def test_since_reaches_further_back(data):
    lines = run("policy", "simulate", "--data", data, "--rules", rules(data, STRICT), "--since", "60d")
    assert "3 of 3 openings" in lines


def test_the_present_rules_change_nothing(data):
    output = run("policy", "simulate", "--data", data, "--rules", rules(data, ""), "--strict-clock")
    assert output.startswith("0 of 2 openings")


def test_check_lists_what_was_understood_or_every_mistake(data):
    assert "level resident: doors *; schedule shut; methods *" in run(
        "policy", "check", "--rules", rules(data, STRICT)
    )
    with pytest.raises(ConfigError, match=r"levels\.a\.schedule"):
        run("policy", "check", "--rules", rules(data, "[levels.a]\nschedule = 'x'"))
    with pytest.raises(ConfigError, match="cannot be read"):
        run("policy", "check", "--rules", data / "missing.toml")


def test_nobody_enrolled_is_said_plainly(tmp_path):
    with pytest.raises(StoreError, match="no residents yet"):
        run("policy", "simulate", "--data", tmp_path, "--rules", rules(tmp_path, ""))


def test_an_event_is_explained_by_number_id_or_as_the_last(data):
    by_number = run("explain", "--data", data, "3")
    assert "opened for anna (face)" in by_number
    assert re.search(r"Similarity +0\.71\n +Threshold +0\.52", by_number)
    assert "stayed shut for somebody not recognised" in run("explain", "--data", data, "last")
    assert "北" not in run("explain", "--data", data, "last")
    assert "未识别人员" in run("explain", "--data", data, "last", "-l", "zh")


def test_an_event_that_is_not_there_says_where_to_look(data):
    with pytest.raises(StoreError, match="no event of that name"):
        run("explain", "--data", data, "99")
    with pytest.raises(StoreError, match="facegate events"):
        run("explain", "--data", data, "zzzz")


def test_what_several_events_can_be_meant_by_is_said_with_all_of_them(data):
    """Ids begin with the time, in hexadecimal: what looks like a number may be the beginning of one."""
    with closing(JournalReader(data / "journal.db")) as journal:
        events = journal.read()
    first = events[0].id
    common = "01"  # as every id does for the next hundred years
    with pytest.raises(StoreError, match=f"{len(events)} events can be meant") as told:
        run("explain", "--data", data, common)
    for event in events[-8:]:
        assert f"{event.id} (number {event.seq}, {event.kind}, {event.at:%Y-%m-%d}" in str(told.value)
    assert run("explain", "--data", data, first) == run("explain", "--data", data, str(events[0].seq))


def test_a_number_that_is_also_the_beginning_of_an_id_is_not_guessed_at(tmp_path):
    ids = iter(["a stream", "0190aaaa-1", "0003bbbb-2", "01a0cccc-3"])
    with closing(
        SqliteJournal(
            tmp_path / "journal.db",
            "north",
            boot="b",
            clock_trust=lambda: "synced",
            new_id=lambda _at: next(ids),
        )
    ) as journal:
        for _ in range(3):
            journal.append(EventDraft(Kind.ACCESS_DENIED, NOW, 0.0))
    with pytest.raises(StoreError, match=r"0003: 2 events can be meant.*01a0cccc-3 \(number 3.*0003bbbb-2"):
        run("explain", "--data", tmp_path, "0003")
    assert run("explain", "--data", tmp_path, "3") == run("explain", "--data", tmp_path, "01a")
