"""`facegate demo` as a newcomer sees it: real models, the gate opens for the resident and only for him."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.errors import ModelMissing
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked, models_directory
from tests.places import need_models

pytestmark = [pytest.mark.models, pytest.mark.slow]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    need_models("yunet", "sface", "obama", "obama2", "obama3", "biden", "astronaut", "faceplugin")
    out = tmp_path_factory.mktemp("demo")
    return CliRunner().invoke(app, ["demo", "--out", str(out)]), out


def test_the_gate_opens_for_the_resident_and_nobody_else(shown):
    result, _ = shown

    assert result.exit_code == 0, result.output
    assert result.output.count("GRANT Obama") == 2
    assert result.output.count("GRANT") == 2
    assert result.output.count("RELAY energised") == 2
    assert result.output.count("RELAY at rest") == 2


def test_a_phone_with_the_residents_photo_stays_outside(shown):
    result, _ = shown

    last_act = result.output[result.output.index("act 5") :]
    assert "DENY  nobody: presentation_attack" in last_act
    assert "GRANT" not in last_act


def test_the_journal_is_written_and_verified(shown):
    result, out = shown

    assert "hash chain intact" in result.output
    assert list(out.glob("journal-*.db"))


def test_there_is_something_to_look_at(shown):
    _, out = shown

    assert (out / "walk-ups.mp4").stat().st_size > 100_000
    assert (out / "contact-sheet.png").read_bytes().startswith(b"\x89PNG")


def test_it_says_which_liveness_ran_and_what_it_cost(shown):
    result, _ = shown

    assert "liveness off" in result.output
    assert "ms CPU a frame" in result.output


def test_an_own_recording_needs_a_gallery(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"no video")

    result = CliRunner().invoke(app, ["demo", "--video", str(clip)])

    assert result.exit_code == 2
    assert "--gallery" in result.output


def test_a_demo_that_nothing_could_judge_fails_with_the_way_out(tmp_path, monkeypatch):
    need_models("yunet", "sface", "obama")
    installed = models_directory()
    for name in ("demo", *(load_manifest().model(name).file for name in ("yunet", "sface"))):
        (tmp_path / name).symlink_to(installed / name)
    monkeypatch.setenv("FACEGATE_MODELS", str(tmp_path))

    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])

    assert isinstance(result.exception, ModelMissing)
    assert "run: facegate models install" in str(result.exception)


def test_a_photo_of_the_demo_that_is_missing_names_the_option_that_brings_it(tmp_path):
    with pytest.raises(ModelMissing, match="run: facegate models install --demo"):
        checked(load_manifest().asset("obama"), tmp_path)
