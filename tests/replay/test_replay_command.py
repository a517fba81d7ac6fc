"""`facegate replay --json`: the contract of every line, and the same lines every time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from edge.cli import app
from tests.fakes.site import copy_photos, record_walk_ups

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> tuple[Path, Path]:
    """A recording of a stranger and a resident, and a gallery folder."""
    folder = tmp_path_factory.mktemp("site")
    clip = record_walk_ups(folder / "evening.avi", 0, 2)
    copy_photos(folder / "gallery" / "flat-1203", "obama", "obama2")
    return clip, folder / "gallery"


def replay(site: tuple[Path, Path], tmp_path: Path, *more: str) -> list[dict[str, Any]]:
    clip, gallery = site
    result = CliRunner(env={"XDG_CACHE_HOME": str(tmp_path)}).invoke(
        app, ["replay", str(clip), "--gallery", str(gallery), "--json", *more]
    )
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Where `played` left what it reckoned of the gallery."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def played(site, cache) -> list[dict[str, Any]]:
    """The lines of one replay, for all who only read them."""
    return replay(site, cache)


def test_the_stranger_is_denied_and_the_resident_granted(played):
    *decisions, summary = played

    assert [(d["verdict"], d["resident"]) for d in decisions] == [("deny", None), ("grant", "flat-1203")]
    assert summary["grants"] == ["flat-1203"]


def test_every_decision_has_the_agreed_keys(played):
    *decisions, _ = played

    keys = {"type", "frame", "time_s", "track", "verdict", "reason", "resident", "similarity", "runner_up"}
    for decision in decisions:
        assert decision["type"] == "decision"
        assert keys | {"threshold", "faces_in_view"} <= decision.keys()


def test_the_summary_has_the_agreed_keys(played):
    summary = played[-1]

    assert summary["type"] == "summary"
    keys = {"frames", "faces", "embeddings", "grants", "cpu_s", "wall_s", "stage_cpu_ms_p50"}
    assert keys | {"time_to_grant_s", "first_decision_after_start_s", "peak_rss_mb"} <= summary.keys()
    assert summary["frames"] == 255
    assert set(summary["time_to_grant_s"]) == {"flat-1203"}
    assert set(summary["stage_cpu_ms_p50"]) == {"detect", "embed", "match"}


def test_the_same_recording_gives_the_same_decisions_bit_for_bit(site, played, cache):
    again = [replay(site, cache, *more)[:-1] for more in ((), ("--no-cache",))]

    assert any(cache.rglob("*.*"))
    assert all(lines == played[:-1] for lines in again)


def test_a_gallery_may_be_given_several_times(site, tmp_path):
    summary = replay(site, tmp_path, "--gallery", str(site[1]))[-1]

    assert summary["residents"] == 1


def test_a_gallery_without_anybody_is_a_clear_error(site, tmp_path):
    result = CliRunner().invoke(app, ["replay", str(site[0]), "--gallery", str(tmp_path)])

    assert "nobody could be enrolled" in str(result.exception)


def test_a_stricter_rate_asks_for_more_similarity(site, tmp_path):
    usual, strict = (replay(site, tmp_path, "--fpir", rate)[0] for rate in ("1e-3", "1e-5"))

    assert strict["threshold"] > usual["threshold"]


@pytest.mark.parametrize("rate", ["0", "1", "-1", "nan"])
def test_an_absurd_rate_is_refused(site, tmp_path, rate):
    clip, gallery = site
    result = CliRunner(env={"XDG_CACHE_HOME": str(tmp_path)}).invoke(
        app, ["replay", str(clip), "--gallery", str(gallery), "--fpir", rate]
    )

    assert result.exit_code != 0
    assert "--fpir" in result.output
