from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from edge.policy import rules_toml
from edge.policy.rules_toml import parse_rules

EXAMPLE = Path(__file__).parents[2] / "systemd" / "rules.toml"


def test_the_example_is_valid_as_it_is():
    book = parse_rules(EXAMPLE.read_text(encoding="utf-8"))
    assert set(book.levels) == {"resident", "cleaner", "rescue"}


def test_the_example_is_valid_with_everything_switched_on():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(
        line.removeprefix("#") if line[:1] == "#" and line[1:2] != " " else line for line in lines
    )
    assert tomllib.loads(text)["holidays"] == {"country": "CN"}
    book = parse_rules(text)
    assert book.usual_modes
    assert book.disabled
    assert book.lockout.switch_off


TABLES = [
    kind
    for kind in vars(rules_toml).values()
    if isinstance(kind, type) and issubclass(kind, rules_toml._Table)
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_the_example_names_everything_that_can_be_said(table):
    text = EXAMPLE.read_text(encoding="utf-8")

    assert [name for name in table.model_fields if not re.search(rf"\[{name}|\b{name} = ", text)] == []
