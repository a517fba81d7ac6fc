"""The bench measures what it says, its galleries are what they claim, its plug-ins answer rightly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from edge.bench.matcher.data import Crowd, padded, synthetic
from edge.bench.peer import Adapter, Decide
from edge.cli.bench.matcher import matcher as bench_command
from edge.cli.matcher import matcher as matcher_command
from edge.matcher.search import SearchVerdict
from tests.matcher.galleries import MARGIN, THRESHOLD, brute_force, noise, outcome, unit
from tests.places import need_models, shared_data

if TYPE_CHECKING:
    from pathlib import Path


def residents_of(crowd: Crowd) -> dict[str, np.ndarray]:
    return {f"{i:09d}": crowd.rows[crowd.ident == i] for i in np.unique(crowd.ident)}


def test_the_plug_ins_answer_like_brute_force() -> None:
    crowd = synthetic(2000, 128)
    truth = brute_force(residents_of(crowd), crowd.probes)
    full, decide = Adapter(crowd.rows, crowd.ident), Decide(crowd.rows, crowd.ident)
    for size in (1, 4):
        for start in range(0, 64, size):
            probes, expected = crowd.probes[start : start + size], truth[start : start + size]
            answers = full.query(probes)
            assert [answer[1::2] for answer in answers] == [
                (m.similarity, m.runner_up_similarity) for m in expected
            ]
            assert [(f"{a[0]:09d}", f"{a[2]:09d}") for a in answers] == [
                (m.resident_id, m.runner_up_id) for m in expected
            ]
            for answer, match in zip(decide.query(probes), expected, strict=True):
                stranger = outcome(match, THRESHOLD, MARGIN) is SearchVerdict.STRANGER
                assert answer[0] == (-1 if stranger else int(str(match.resident_id)))
    assert full.nbytes == 2000 * 128 * 5
    assert decide.reranked / decide.asked < 3


def test_the_plug_in_adds_and_removes() -> None:
    crowd = synthetic(100, 64)
    adapter, face = Adapter(crowd.rows, crowd.ident), noise(np.random.default_rng(0), 2, 64)
    adapter.add(face, 12345)
    assert adapter.query(face[:1])[0][0] == 12345
    adapter.remove([12345, 0])
    assert adapter.query(face[:1])[0][0] not in (12345, 0)


def test_padding_keeps_real_people_and_imitates_their_statistics() -> None:
    rng = np.random.default_rng(0)
    common = rng.standard_normal(64)
    people = {
        f"p{i}": list(
            unit(
                common + np.geomspace(2, 0.1, 64) * rng.standard_normal(64) + rng.standard_normal((3, 64)) / 4
            )
        )
        for i in range(150)
    }
    crowd = padded(people, 3000)
    assert len(crowd.rows) == 3000
    assert np.array_equal(crowd.rows[:3], np.stack(people["p0"]))
    assert np.linalg.norm(crowd.rows, axis=1) == pytest.approx(1, abs=1e-5)
    real, likeness = crowd.rows[:450], crowd.rows[450:]
    assert real.mean(axis=0) @ likeness.mean(axis=0) == pytest.approx(
        real.mean(axis=0) @ real.mean(axis=0), rel=0.2
    )
    assert "150 real people" in crowd.origin


def test_the_command_reports_ratios_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "matcher.png"
    command = ["--templates", "200", "--templates", "600", "--dim", "32", "--seconds", "0.05"]
    done = CliRunner().invoke(bench_command, [*command, "--plot", str(picture), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    names = {figure["name"] for figure in found["figures"]}
    assert {"facegate", "facegate-decide", "numpy", "int8-floor", "face_recognition"} <= names
    ours = [figure for figure in found["figures"] if figure["name"] == "facegate"]
    assert [(f["templates"], f["probes"]) for f in ours] == [(200, 1), (200, 4), (600, 1), (600, 4)]
    assert all(f["median_us"] > 0 and f["best_agree"] == 1 for f in ours)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_a_table() -> None:
    command = ["--templates", "100", "--dim", "16", "--probes", "1", "--seconds", "0.01"]
    done = CliRunner().invoke(bench_command, command)
    assert done.exit_code == 0, done.output
    assert "100 x 16, 1 probe(s) at once" in done.output


def test_video_without_people_is_a_wrong_use() -> None:
    done = CliRunner().invoke(bench_command, ["--video", __file__])
    assert done.exit_code == 2
    assert "--gallery" in done.output


@pytest.mark.shared
@pytest.mark.models
def test_the_probes_and_the_share_come_from_a_real_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = shared_data("video", "intel_headpose_male.mp4")
    need_models()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "people").mkdir()
    for person in sorted(shared_data("lfw").iterdir())[:3]:
        (tmp_path / "people" / person.name).symlink_to(person)
    command = ["--gallery", str(tmp_path / "people"), "--video", str(clip)]
    size = ["--templates", "300", "--probes", "1", "--seconds", "0.05", "--json"]
    done = CliRunner().invoke(bench_command, [*command, *size])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["gallery"].startswith("3 real people")
    assert found["video"]["frames"] == 62
    assert found["video"]["searches"] > 0
    assert 0 < found["video"]["share_percent"] < 50


def test_info_names_the_backend_and_the_reason() -> None:
    done = CliRunner().invoke(matcher_command, ["info", "--templates", "300", "--dim", "32", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["one_probe"] in {timing["backend"] for timing in found["timings"]}
    assert "fastest of" in found["reason"]
    forced = CliRunner().invoke(matcher_command, ["info", "--backend", "float32"])
    assert "forced by recognition.matcher" in forced.output
