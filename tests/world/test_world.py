"""Simulated worlds keep the three promises; `python -m tests.world --seeds 1000` is the long run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.io.card import library
from tests.world.__main__ import ROOT

pytestmark = pytest.mark.slow

FIRST_SEED = 1
WORLDS = 25
"""The same ones for everybody who changes the door: new ones are what the long run is for."""


def test_simulated_worlds_keep_the_promises():
    library()
    words = ["--seeds", str(WORLDS), "--acts", "6", "--seed", str(FIRST_SEED)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.world", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


WRONG_CLOCKS = (6280, 6381, 6412, 7073, 7107, 7161, 7201, 7393)
"""Stories in which a clock that was wrong for days unlocked a door, erased a face or kept a guest out."""


def test_clocks_that_are_wrong_for_days_break_no_promise():
    """In one process: to load the door and the hub takes longer than to play a story of theirs."""
    library()
    done = subprocess.run(
        [sys.executable, "-m", "tests.world", "--seed", *map(str, WRONG_CLOCKS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"{len(WRONG_CLOCKS)} seeds, 0 broken" in done.stdout


def test_a_seed_is_the_same_story_every_time():
    library()
    words = ["--seeds", "1", "--seed", "42", "--acts", "8", "--tell"]
    tales = [
        subprocess.run(
            [sys.executable, "-m", "tests.world", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert tales[0] == tales[1]
