"""`facegate models` as a person uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from edge.cli.models import chosen_artefacts, models
from edge.errors import InstallError, ModelCorrupt
from edge.faces.manifest import load_manifest
from edge.faces.weights import models_directory
from tests.places import REPOSITORY, need_models


def facegate_models(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(models, arguments, env={"FACEGATE_MODELS": str(directory)})


def test_without_names_the_needed_models_are_chosen_and_demo_adds_the_photos() -> None:
    manifest = load_manifest()
    names = [item.name for item in chosen_artefacts(manifest, (), with_demo=False)]
    assert names[:2] == ["yunet", "sface"]
    assert "dlib-resnet" not in names
    both = [item.name for item in chosen_artefacts(manifest, (), with_demo=True)]
    assert both == [*names, *manifest.assets]


def test_names_choose_models_single_photos_and_all_photos_each_once() -> None:
    manifest = load_manifest()
    found = chosen_artefacts(manifest, ("dlib-resnet", "biden", "demo-photos"), with_demo=True)
    assert sorted(item.name for item in found) == sorted(["dlib-resnet", *manifest.assets])
    with pytest.raises(InstallError, match="no model is called 'facenet'"):
        chosen_artefacts(manifest, ("facenet",), with_demo=False)


def test_an_empty_directory_is_listed_and_fails_verification(tmp_path: Path) -> None:
    listed = facegate_models(tmp_path, "list")
    assert listed.exit_code == 0
    assert listed.output.count("not installed") >= 8
    assert "Apache-2.0" in listed.output
    verified = facegate_models(tmp_path, "verify")
    assert isinstance(verified.exception, ModelCorrupt)
    assert "facegate models install" in str(verified.exception)


@pytest.mark.models
def test_installed_models_verify_until_one_byte_changes(tmp_path: Path) -> None:
    need_models("yunet", "sface")
    result = facegate_models(tmp_path, "install", "yunet", "sface", "--from", str(models_directory()))
    assert "2 installed" in result.output
    assert facegate_models(tmp_path, "verify").output.count("wrong file") == 0
    path = tmp_path / load_manifest().model("sface").file
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    broken = facegate_models(tmp_path, "verify")
    assert "wrong file" in broken.output
    assert isinstance(broken.exception, ModelCorrupt)


@pytest.mark.models
def test_install_repairs_what_is_damaged_and_leaves_the_rest(tmp_path: Path) -> None:
    need_models("yunet", "obama")
    shutil.copytree(models_directory() / "demo", tmp_path / "demo")
    (tmp_path / "demo" / "obama.jpg").write_bytes(b"torn")
    arguments = ("install", "obama", "obama2", "--from", str(models_directory()))
    assert "1 installed" in facegate_models(tmp_path, *arguments).output
    assert "0 installed" in facegate_models(tmp_path, *arguments).output


def a_folder_with(folder: Path, *names: str) -> Path:
    """Copy installed models, prepared, into a folder that somebody brings."""
    need_models(*names)
    folder.mkdir()
    for name in names:
        shutil.copy(models_directory() / load_manifest().model(name).file, folder)
    return folder


@pytest.mark.models
def test_without_a_liveness_network_nothing_is_called_installed(tmp_path: Path) -> None:
    brought = a_folder_with(tmp_path / "brought", "yunet", "sface")
    result = facegate_models(tmp_path / "models", "install", "--from", str(brought))
    assert isinstance(result.exception, InstallError)
    assert "faceplugin" in str(result.exception)
    verified = facegate_models(tmp_path / "models", "verify")
    assert isinstance(verified.exception, ModelCorrupt)
    assert "faceplugin; run: facegate models install" in str(verified.exception)


@pytest.mark.models
def test_what_would_only_strengthen_the_door_is_tried_and_its_absence_stays_visible(tmp_path: Path) -> None:
    brought = a_folder_with(tmp_path / "brought", "yunet", "sface", "faceplugin")
    result = facegate_models(tmp_path / "models", "install", "--from", str(brought))
    assert result.exit_code == 0, result.output
    assert "3 installed" in result.output
    assert "warning: not to be had: silentface-2.7, silentface-4.0" in result.output
    verified = facegate_models(tmp_path / "models", "verify")
    assert verified.exit_code == 0
    assert "warning: not installed: silentface-2.7, silentface-4.0" in verified.output


def without_onnx(folder: Path) -> Path:
    """Return a folder of all that this environment has, but what prepares models."""
    for path in Path(click.__file__).parents[1].iterdir():
        if not path.name.startswith("onnx-") and path.name != "onnx":
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.models
def test_what_keeps_two_networks_away_is_said_once(tmp_path: Path) -> None:
    brought = a_folder_with(tmp_path / "brought", "yunet", "sface", "faceplugin")
    models_here = tmp_path / "models"
    facegate_models(models_here, "install", "--from", str(brought))
    (tmp_path / "packages").mkdir()
    # -S: no packages but these.
    words = [sys.executable, "-S", "-c", "from edge.cli import main; main()", "models", "install"]
    path = f"{REPOSITORY}:{without_onnx(tmp_path / 'packages')}"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "FACEGATE_MODELS": str(models_here)}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    assert done.stderr.count("preparing a model needs onnx") == 1
    assert "not to be had: silentface-2.7, silentface-4.0" in done.stderr


def test_the_least_set_is_a_detector_an_embedder_and_one_liveness_network() -> None:
    needed = [model for model in load_manifest().models.values() if model.is_needed]
    assert sorted(model.role for model in needed) == ["detector", "embedder", "liveness"]


@pytest.mark.parametrize("command", [[], ["install"], ["list"], ["verify"]])
def test_every_help_ends_with_an_example(command: list[str]) -> None:
    output = CliRunner().invoke(models, [*command, "--help"]).output
    assert "Example: facegate models" in output
