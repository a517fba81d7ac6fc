"""A few of the kill and hang trials; all of them: `make kill-trials`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hardware.kill_trials import KINDS, small_range, unordered_pulses
from tests.hardware.mini_systemd import UNIT, seconds

ROOT = Path(__file__).parents[2]

BUSY_MACHINE = 4.0
"""This suite shares its machine; the goals themselves are judged by the full run on a quiet one."""


@pytest.mark.slow
def test_whoever_dies_or_hangs_the_relay_falls_and_no_start_moves_it(tmp_path: Path) -> None:
    count = 2 * len(KINDS)
    with small_range(tmp_path, seed=7) as field:
        trials = list(field.trials(count))
    late = [trial for trial in trials if trial.seconds > BUSY_MACHINE * trial.limit_seconds]
    assert late == []
    assert field.supervisor.starts > count // 2
    assert unordered_pulses(field.lines, orders=count) == 0
    assert not field.lines.energised


def test_the_container_is_given_every_file_that_its_trials_import() -> None:
    """Another one beside them ended `boot_trial` before its first kill."""
    shown = (
        "import sys, tests.hardware.inside_container; print(*[m for m in sys.modules if m[:6] == 'tests.'])"
    )
    done = subprocess.run([sys.executable, "-c", shown], cwd=ROOT, capture_output=True, text=True, check=True)
    script = (ROOT / "tests" / "hardware" / "container.sh").read_text()
    copied = set(re.findall(r'"\$repository/tests/([\w.]+)"', script))
    needed = {name.split(".")[1] for name in done.stdout.split()}
    assert {name if (ROOT / "tests" / name).is_dir() else f"{name}.py" for name in needed} <= copied


def test_the_unit_tried_is_the_unit_installed() -> None:
    assert UNIT.is_file()
    assert (seconds("100ms"), seconds("2s")) == (0.1, 2.0)
