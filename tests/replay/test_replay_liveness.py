"""`facegate replay --liveness`: which mode ran is told, and it decides."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from edge.cli import app
from tests.fakes.site import copy_photos, record_phone
from tests.places import need_models

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A phone with the resident's photo, and the resident's other photos."""
    need_models("faceplugin")
    folder = tmp_path_factory.mktemp("site")
    copy_photos(folder / "gallery" / "resident", "obama", "obama2")
    return record_phone(folder / "phone.avi"), folder / "gallery"


def replayed(site, mode: str, *more: str):
    clip, gallery = site
    arguments = ["replay", str(clip), "--gallery", str(gallery), "--liveness", mode, "--json", "--no-cache"]
    arguments += more
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return lines[:-1], lines[-1], result.stderr


def test_off_lets_the_phone_in_and_warns(site):
    _, summary, told = replayed(site, "off")

    assert (summary["liveness"], summary["grants"]) == ("off", ["resident"])
    assert "liveness is OFF" in told


def test_passive_keeps_it_out_and_names_its_networks(site):
    decisions, summary, told = replayed(site, "passive", "--nets", "faceplugin")

    assert (summary["liveness"], summary["grants"]) == ("passive", [])
    assert decisions[0]["reason"] == "presentation_attack"
    assert "liveness passive: faceplugin" in told
    assert "liveness is WEAK" in told


def test_strict_keeps_it_out_and_decides_the_same_every_time(site):
    decisions, summary, told = replayed(site, "strict", "--nets", "faceplugin")

    assert (summary["liveness"], summary["grants"]) == ("strict", [])
    assert "liveness strict: faceplugin" in told
    assert replayed(site, "strict", "--nets", "faceplugin")[0] == decisions


def test_networks_without_a_rule_let_nobody_in(site):
    decisions, summary, told = replayed(site, "passive", "--nets", "texture")

    assert summary["grants"] == []
    assert {one["reason"] for one in decisions} == {"pad_unavailable"}
    assert "no face opens this door" in told
