"""What is told when an optional library is missing installs it, wherever facegate runs."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from edge.extras import packages_of, way_to_install
from tests.places import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
TOLD = ["edge", "facegate_hub", "systemd"]


@pytest.mark.parametrize(
    "extra", ["panel", "passes", "models", "hub", "metrics", "holidays", "fast", "eval", "pi"]
)
def test_the_words_name_this_python_and_every_package_with_its_bounds(extra: str) -> None:
    told = way_to_install(extra)

    assert told.startswith(f"run: {sys.executable} -m pip install ")
    assert len(packages_of(extra)) == len(PROJECT["optional-dependencies"][extra])
    for package in PROJECT["optional-dependencies"][extra]:
        assert package.partition(">")[0].split("[")[0] in told


def test_an_extra_nobody_knows_is_looked_up_in_the_projects_list() -> None:
    assert way_to_install("moon") == "install what pyproject.toml lists under 'moon'"


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
