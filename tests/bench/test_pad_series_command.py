"""`facegate evaluate pad --series` from the command line to the tables, on real recordings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from edge.cli.evaluate.pad import pad
from tests.faces.liveness.places import installed, shared_data

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.shared, pytest.mark.models, pytest.mark.slow]

LISTED = """path,person,species,start,end
video/zub_live.mov,zub,live,,0.3
video/lp_s32.mp4,lp_s32,live,,0.3
video/zub_replay.mp4,zub,replay,3,3.3
"""
VARIATIONS = {"plain": 1, "shrunken": 3, "groups": 2}


def test_series_come_out_as_tables(tmp_path: Path) -> None:
    for name in ("yunet", "sface", "faceplugin"):
        installed(name)
    listing, page = tmp_path / "listed.csv", tmp_path / "page.md"
    listing.write_text(LISTED)
    series = ", ".join(VARIATIONS)
    arguments = [str(shared_data()), "--list", str(listing), "--nets", "faceplugin", "--series", series]

    result = CliRunner().invoke(pad, [*arguments, "--page", str(page), "--json"], catch_exceptions=False)

    rows = json.loads(result.stdout)["series"]
    off = [row for row in rows if row["mode"] == "off"]
    assert {row["mode"] for row in rows} == {"off", "faceplugin", 'faceplugin, weak_liveness = "accept"'}
    assert {row["series"] for row in off} == set(VARIATIONS)
    for name, least in VARIATIONS.items():
        assert len([row for row in off if row["series"] == name]) >= least
    assert [row["let_in"] for row in off if row["series"] == "plain"] == [2]
    assert all(row["wrong"] == 0 for row in rows)
    assert "## The same people before harder doors" in page.read_text()


def test_an_unknown_series_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("yunet", "sface", "faceplugin"):
        installed(name)
    listing = tmp_path / "listed.csv"
    listing.write_text(LISTED)
    arguments = [str(shared_data()), "--list", str(listing), "--nets", "faceplugin", "--series", "fog"]
    result = CliRunner().invoke(pad, arguments)
    assert "no series is called fog" in str(result.exception)
