"""What each mode costs, beside the same visits without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bench.pad.door import DoorResult, TrialVisit
from edge.bench.pad.page import cost_table, door_line
from edge.bench.pad.set import Presentation


def visit(
    name: str, *, species: str = "live", seconds: float | None = None, cpu_s: float = 1.0
) -> TrialVisit:
    """A clip of 100 frames on which Anna came in after `seconds`, or nobody did."""
    residents = () if seconds is None else ("anna",)
    to_grant = None if seconds is None else cpu_s / 2
    return TrialVisit(Presentation(Path(name), "anna", species), residents, (), seconds, cpu_s, 100, to_grant)


OFF = DoorResult(
    "off",
    (
        visit("a", seconds=0.0),
        visit("b", seconds=0.2),
        visit("c", seconds=0.1),
        visit("x", species="phone", seconds=0.1),
    ),
)
ON = DoorResult(
    "passive",
    (
        visit("a", seconds=0.5, cpu_s=3.0),
        visit("b", seconds=0.8, cpu_s=3.0),
        visit("c", cpu_s=3.0),
        visit("x", species="phone", cpu_s=3.0),
    ),
)
STRICT = DoorResult("strict", (visit("a", cpu_s=4.0), visit("b", cpu_s=4.0)))


def test_a_mode_is_compared_on_the_clips_that_every_mode_opened():
    rows = cost_table([OFF, ON]).splitlines()

    assert "2 living clips that every mode opened" in rows[0]
    assert rows[-2] == "| off | 10.00 | +0.00 | 500 | +0 | 0.10 | 0.20 |"
    assert rows[-1] == "| passive | 30.00 | +20.00 | 1500 | +1000 | 0.65 | 0.80 |"


def test_a_mode_that_opened_for_nobody_has_no_time():
    assert cost_table([OFF, ON, STRICT]).splitlines()[-1] == "| strict | 40.00 | +30.00 | - | - | - | - |"


def test_an_attack_that_opens_is_told_with_its_interval():
    line = door_line(OFF)

    assert "1 of 1 recordings of enrolled people opened the door (IAPAR 100.0 %" in line
    assert "3 of 3 living clips did" in line


def test_no_attack_no_rate():
    assert door_line(STRICT).count("no rate") == 1


@pytest.mark.parametrize("result", [OFF, ON, STRICT], ids=lambda one: one.mode)
def test_cost_counts_every_frame(result):
    assert result.cpu_ms_per_frame == pytest.approx(
        1e3 * sum(one.cpu_s for one in result.visits) / (100 * len(result.visits))
    )
