"""What is told when an optional library is missing installs it, wherever facegate runs."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from edge.extras import packages_of, placed, way_to_install, what_is_missing
from tests.places import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
TOLD = ["edge", "facegate_hub", "systemd"]


@pytest.mark.parametrize(
    "extra", ["panel", "passes", "models", "hub", "metrics", "holidays", "fast", "eval", "pi"]
)
def test_the_words_name_this_python_and_every_package_with_its_bounds(extra: str) -> None:
    told = way_to_install(extra)
    listed = PROJECT["optional-dependencies"][extra]
    if len(packages_of(extra)) != len(listed):
        pytest.skip("this environment was installed from an older pyproject.toml: run scripts/test")

    assert told.startswith(f"run: {sys.executable} -m pip install ")
    for package in listed:
        assert package.partition(">")[0].split("[")[0] in told


def test_an_extra_nobody_knows_is_looked_up_in_the_projects_list() -> None:
    assert way_to_install("moon") == "install what pyproject.toml lists under 'moon'"


def without(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run facegate where one module is not installed."""
    code = f"import sys; sys.modules[{module!r}] = None; from edge.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("starlette", ("panel",), "panel"),
        ("sqlalchemy", ("hub", "doors"), "hub"),
        ("onnx", ("models", "install"), "models"),
    ],
)
def test_a_command_without_its_library_is_one_line_with_the_way_out(
    tmp_path, monkeypatch, module, words, extra
):
    monkeypatch.setenv("FACEGATE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    done = without(module, *words)

    assert done.returncode in {1, 78}
    assert "Traceback" not in done.stderr
    assert way_to_install(extra) in done.stderr
    assert "downloading" not in done.stderr


def test_a_module_of_our_own_that_is_missing_is_no_matter_of_extras() -> None:
    assert what_is_missing("edge.nothing") is None
    assert what_is_missing(None) is None


def test_a_document_is_named_where_it_lies(monkeypatch, tmp_path) -> None:
    assert placed("docs/install.md") == str(REPOSITORY / "docs" / "install.md")
    (tmp_path / "share" / "facegate" / "docs").mkdir(parents=True)
    (tmp_path / "share" / "facegate" / "docs" / "only-installed.md").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert placed("docs/only-installed.md") == str(tmp_path / "share/facegate/docs/only-installed.md")
    assert placed("docs/nowhere.md") == "docs/nowhere.md"


def test_no_text_advises_a_name_that_is_not_on_the_index() -> None:
    words = ["grep", "-rnE", r"pip install .{0,3}facegate", "--include=*.py", "--include=*.toml", *TOLD]
    found = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
    documents = subprocess.run(
        ["grep", "-nE", r"pip install .{0,3}facegate", "README.md", *map(str, REPOSITORY.glob("docs/*.md"))],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    assert found + documents == ""
