"""What the notices of consent say of a door: the ways in beside the face are those of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config import load_settings
from edge.service.panel.operator import operator_of

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
[door]
id = "gate"
[camera]
source = "0"
[lock]
driver = "dry-run"
"""


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("", ()),
        ('[access]\ncard_reader = "/dev/input/card"\n', ("card",)),
        ("[access.wiegand]\nd0 = 5\nd1 = 6\n", ("card",)),
        ('[access]\nkeypad = "/dev/input/keys"\n', ("pin",)),
        ('[access]\nkeypad = "/dev/input/keys"\n[access.wiegand]\nd0 = 5\nd1 = 6\n', ("card", "pin")),
    ],
)
def test_every_reader_of_the_settings_is_a_way_in_that_the_notice_offers(
    tmp_path: Path, text: str, ways: tuple[str, ...]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(BASE + text)
    assert operator_of(load_settings(file)).other_ways == ways
