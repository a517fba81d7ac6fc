from __future__ import annotations

import tomllib
from pathlib import Path

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
