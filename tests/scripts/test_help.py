"""The scripts of a checkout say what they do before they do anything, and clear away nothing of anybody's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(REPOSITORY / "scripts" / script), *arguments]
    # A look at the words needs no tool: with none at hand nothing can be installed by mistake.
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("script", ["bundle", "demo", "install", "lint", "test"])
def test_every_script_tells_what_it_does(script: str) -> None:
    told = run(script, "--help")

    assert told.returncode == 0
    assert told.stdout
    assert not told.stdout.startswith("[")  # a line of progress
    assert "#" not in told.stdout


def test_a_bundle_is_not_written_over_a_folder_of_somebodys(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")

    refused = run("bundle", str(tmp_path))

    assert refused.returncode == 1
    assert "no bundle" in refused.stderr
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_bundle_takes_no_option_for_a_folder() -> None:
    refused = run("bundle", "--heer")

    assert refused.returncode == 1
    assert "--heer: there is no such option" in refused.stderr
