"""`facegate events` as a person types it."""

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.cli.table import columns
from edge.domain import EventDraft
from edge.store.journal import SqliteJournal
from tests.waiting import PATIENCE


def draft(kind, minutes_ago=0, **fields):
    return EventDraft(kind, datetime.now(UTC) - timedelta(minutes=minutes_ago), 1.0, **fields)


@pytest.fixture
def journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db", "door-1", boot="b", clock_trust=lambda: "unknown")
    journal.append(draft("access.denied", 180, reason="unknown_credential"))
    journal.append(
        draft("access.granted", 30, resident_id="anna", reason="granted", data={"similarity": 0.7})
    )
    journal.append(draft("door.forced", 1))
    yield journal
    journal.close()


def run(*words):
    result = CliRunner().invoke(app, ["events", *map(str, words)], catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def test_events_are_listed_newest_last(tmp_path, journal):
    """With who, why, the numbers, and a warning when the clock cannot be trusted."""
    code, lines = run("--data", tmp_path)
    assert code == 0
    assert [line.split()[0] for line in lines] == ["no", "1", "2", "3"]
    assert lines[2].split()[3:6] == ["access.granted", "anna", "granted"]
    assert lines[2].endswith("(unknown clock) similarity 0.7")


def test_times_are_those_of_the_site(tmp_path, journal):
    """In the zone that was asked for, named in the heading."""
    at = datetime.fromisoformat(json.loads(run("--data", tmp_path, "--json")[1][0])["ts"])
    for zone in ("Asia/Shanghai", "America/New_York"):
        _, lines = run("--data", tmp_path, "--zone", zone)
        assert f"time ({zone})" in lines[0]
        shown = datetime.fromisoformat(" ".join(lines[1].split()[1:3])).replace(tzinfo=ZoneInfo(zone))
        assert abs(shown - at) < timedelta(milliseconds=1)


def test_a_chinese_number_of_a_flat_keeps_the_columns(tmp_path, journal):
    """A Chinese character takes two columns."""
    journal.append(draft("access.granted", resident_id="3栋1203", reason="granted"))
    _, lines = run("--data", tmp_path)
    assert columns(lines[4][: lines[4].index("granted", 60)]) == columns(
        lines[2][: lines[2].index("granted", 60)]
    )


def test_events_can_be_chosen_by_kind_time_and_number(tmp_path, journal):
    """A kind takes in what is below it; options combine."""

    def numbers(*options):
        return [int(line.split()[0]) for line in run("--data", tmp_path, *options)[1][1:]]

    assert numbers("--kind", "access") == [1, 2]
    assert numbers("--since", "1h") == [2, 3]
    assert numbers("--since", "2001-01-01") == [1, 2, 3]
    assert numbers("-n", 1) == [3]
    assert numbers("-n", 1, "--kind", "access") == [2]
    assert numbers("-n", 0) == [1, 2, 3]
    assert numbers("--person", "anna") == [2]
    assert numbers("--reason", "unknown_credential") == [1]


def test_a_time_that_is_typed_is_one_of_those_that_are_shown(tmp_path, journal):
    """It was read in the machine's zone, which is UTC on most boards, beside times of the site."""
    for zone in ("Asia/Shanghai", "America/New_York"):
        at = (datetime.now(ZoneInfo(zone)) - timedelta(hours=1)).strftime("%Y/%m/%d %H:%M")
        _, lines = run("--data", tmp_path, "--zone", zone, "--since", at)
        assert [line.split()[0] for line in lines[1:]] == ["2", "3"], zone


@pytest.mark.parametrize(
    "day", ["2001/1/1", "2001年1月1日", "２００１－０１－０１", "20010101", "2001-01-01 24:00"]
)
def test_a_day_may_be_typed_as_in_a_list(tmp_path, journal, day):
    _, lines = run("--data", tmp_path, "--since", day)
    assert len(lines) == 4


def test_a_person_is_found_however_their_number_is_typed(tmp_path, journal):
    journal.append(draft("access.granted", resident_id="3-1203", reason="granted"))
    for typed in ("3-1203", "３-１２０３", "3–1203"):
        _, lines = run("--data", tmp_path, "--person", typed)
        assert [line.split()[0] for line in lines[1:]] == ["4"]


def test_no_event_that_fits_is_said(tmp_path, journal):
    """And not shown as an empty success."""
    _, lines = run("--data", tmp_path, "--person", "nobody")
    assert "none of the events fits" in lines[-1]


def test_of_a_journal_without_events_no_choice_is_blamed(tmp_path):
    with closing(SqliteJournal(tmp_path / "journal.db", "door-1", boot="b", clock_trust=lambda: "unknown")):
        pass
    _, lines = run("--data", tmp_path)
    assert not any("none of the events fits" in line for line in lines)


def test_a_time_that_is_none_is_refused(tmp_path, journal):
    """With what may be written instead."""
    code, lines = run("--data", tmp_path, "--since", "soon")
    assert code == 2
    assert "give 30m, 2h, 7d" in lines[-1]


def test_json_lines_are_what_the_broker_gets(tmp_path, journal):
    """One object a line, hash and all."""
    _, lines = run("--data", tmp_path, "--json")
    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3]
    assert json.loads(lines[-1])["hash"] == journal.last().hash


def test_verify_says_how_many_and_the_newest_hash(tmp_path, journal):
    """The newest hash is what one writes down to notice a cut tail later."""
    code, lines = run("verify", "--data", tmp_path)
    assert code == 0
    assert "3 entries, chain intact" in lines[0]
    assert journal.last().hash in lines[1]


def facegate(*words):
    return subprocess.run(
        [sys.executable, "-c", "from edge.cli import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def test_verify_fails_with_one_line_on_a_tampered_journal(tmp_path, journal):
    """Exit code 1 and the first bad entry, for scripts and people."""
    journal.close()
    path = tmp_path / "journal.db"
    path.write_bytes(path.read_bytes().replace(b'"anna"', b'"otto"'))
    done = facegate("events", "--data", tmp_path, "verify")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["facegate: entry 2 was edited: its hash does not fit its content"]


def test_a_missing_journal_is_one_clear_line(tmp_path):
    """And nothing is created by looking."""
    done = facegate("events", "--data", tmp_path / "none")
    assert done.returncode == 1
    assert "there is no journal yet" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_door_that_was_never_started_says_where_its_enrolments_are(tmp_path):
    (tmp_path / "data").mkdir()
    for words in (["events"], ["explain", "last"]):
        done = facegate(*words, "--data", tmp_path / "data")
        assert done.returncode == 1
        assert "begins when the door is first started" in done.stderr
        assert "facegate consent list" in done.stderr


def test_follow_prints_events_as_they_happen(tmp_path, journal):
    """Another process commits, the line appears."""
    follower = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from edge.cli import main; main()",
            "events",
            "--data",
            str(tmp_path),
            "-f",
            "-n1",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stdout is not None
        assert "kind" in follower.stdout.readline()
        assert "door.forced" in follower.stdout.readline()
        journal.append(draft("door.held"))
        assert "door.held" in follower.stdout.readline()
    finally:
        follower.kill()
        follower.communicate(timeout=PATIENCE)
