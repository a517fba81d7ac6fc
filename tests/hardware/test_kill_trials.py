"""A few of the kill and hang trials; all of them: `make kill-trials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hardware.kill_trials import KINDS, small_range, unordered_pulses
from tests.hardware.mini_systemd import UNIT, seconds

if TYPE_CHECKING:
    from pathlib import Path

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


def test_the_unit_tried_is_the_unit_installed() -> None:
    assert UNIT.is_file()
    assert (seconds("100ms"), seconds("2s")) == (0.1, 2.0)
