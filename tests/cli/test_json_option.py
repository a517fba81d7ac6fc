"""What a command lists, a program can read: `--json` gives one object per line of plain ASCII."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.domain import EventDraft, Resident
from edge.enrol.ways_in import WaysIn
from edge.events import Kind
from edge.runtime.json_lines import json_line
from edge.store.account_rows import ACCOUNTS_FILE
from edge.store.journal import SqliteJournal
from edge.store.residents import ResidentStore
from edge.web.accounts import Accounts, Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD = "Anna\u202e安娜"
SHUT = '[schedules.shut]\nmon = []\n[levels.resident]\nschedule = "shut"\n'
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LISTS = {
    *("facegate explain", "facegate models verify", "facegate policy simulate", "facegate provision lives"),
    *("facegate hub audit", "facegate hub config show", "facegate hub doors", "facegate hub faces show"),
    "facegate hub events doubts",
}
"""Commands that tell what is there under another name than `list`."""


def commands(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, f"{path} {name}")


def test_every_command_that_lists_has_it() -> None:
    found = dict(commands(app, "facegate"))
    lists = LISTS | {path for path in found if path.endswith(" list")}
    assert len(lists) > len(LISTS)
    missing = [path for path in lists if "as_json" not in {one.name for one in found[path].params}]
    assert not missing


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with closing(ResidentStore(tmp_path / "residents.db")) as store:
        store.put(Resident("anna", "安娜"), [])
    with closing(
        SqliteJournal(tmp_path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
    ) as journal:
        facts = {"method": "face", "similarity": 0.71}
        at = datetime.now(UTC)
        journal.append(EventDraft(Kind.ACCESS_GRANTED, at, 1.0, "anna", "granted", facts))
    with WaysIn.of(tmp_path) as ways:
        ways.set_pin("anna", "1203", "480516")
        ways.give_card("w26:17:4711", "anna", takes_over=True)
    with closing(Accounts(tmp_path / ACCOUNTS_FILE)) as accounts:
        accounts.put("ines", Role.INSTALLER, "correct horse 9")
    return tmp_path


def told(*words: object) -> list[dict[str, Any]]:
    given = [str(word) for word in words]
    output = CliRunner().invoke(app, [*given, "--json"], catch_exceptions=False).output
    assert output.isascii()
    return [json.loads(line) for line in output.splitlines()]


def test_pins_cards_and_accounts_without_any_secret(data: Path) -> None:
    assert told("pin", "list", "--data", data) == [{"number": "1203", "person": "anna", "is_duress": False}]
    assert told("card", "list", "--data", data) == [{"card": "w26:17:4711", "person": "anna"}]
    assert told("account", "list", "--data", data) == [
        {"name": "ines", "role": "installer", "is_edited": False}
    ]


def test_an_entry_is_explained(data: Path) -> None:
    (row,) = told("explain", "last", "--data", data)
    assert (row["kind"], row["data"]["similarity"]) == ("access.granted", 0.71)
    assert row["sentence"]
    assert row["facts"]


def test_what_rules_would_change_and_the_totals(data: Path) -> None:
    (data / "rules.toml").write_text(SHUT)
    change, totals = told("policy", "simulate", "--data", data, "--rules", data / "rules.toml")
    assert (change["was"], change["would_be"], change["is_allowed"]) == (
        "granted",
        "out_of_time_range",
        False,
    )
    assert totals["newly_refused"] == totals["openings"] == 1


def test_models_say_what_they_are_and_whether_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGATE_MODELS", str(tmp_path))
    rows = {row["name"]: row for row in told("models", "list")}
    assert rows["sface"]["state"] == "not installed"
    assert rows["sface"]["sha256"]


def test_a_line_is_plain_and_tells_moments_in_iso_form() -> None:
    assert json_line({"at": NOW, "name": ODD, "to": {"b", "a"}}) == (
        '{"at": "2026-03-04T05:06:07+00:00", "name": "Anna\\u202e\\u5b89\\u5a1c", "to": ["a", "b"]}'
    )
