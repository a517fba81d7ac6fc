"""Falling behind is noticed; a wrong clock in the camera is not mistaken for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.lag import LagMeter

if TYPE_CHECKING:
    from collections.abc import Callable

FPS = 15


def run(frames: int, *, arrives: float, stamped: Callable[[int], float], idle: float) -> LagMeter:
    """Frames that arrive every `arrives` seconds, `idle` of it spent waiting."""
    meter = LagMeter()
    for number in range(frames):
        meter.observe(stamped(number), 100 + number * arrives, idle)
    return meter


def test_a_decoder_that_is_too_slow_falls_behind() -> None:
    """15 fps decoded at 10 fps: a third of a second per second."""
    meter = run(60, arrives=0.1, stamped=lambda n: n / FPS, idle=0.0)
    assert 1.0 < meter.seconds < 2.0


def test_who_keeps_up_has_no_lag() -> None:
    assert run(1000, arrives=1 / FPS, stamped=lambda n: n / FPS, idle=0.05).seconds == 0.0


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_a_day_of_drift_does_not_add_up_even_when_busy(drift: float) -> None:
    meter = run(200_000, arrives=1 / FPS, stamped=lambda n: n / FPS * (1 + drift), idle=0.0)
    assert meter.seconds < 0.1


def test_wrong_stamps_are_ignored_while_frames_are_waited_for() -> None:
    assert run(1000, arrives=1 / 20, stamped=lambda n: n / 25, idle=0.04).seconds == 0.0


def test_a_clock_set_in_the_camera_is_no_lag() -> None:
    meter = run(60, arrives=1 / FPS, stamped=lambda n: n / FPS + (3600 if n < 30 else 0), idle=0.0)
    assert meter.seconds < 0.1


def test_no_stamps_are_no_lag() -> None:
    assert run(100, arrives=0.1, stamped=lambda _: 0.0, idle=0.0).seconds == 0.0


def test_catching_up_counts_down() -> None:
    meter = run(60, arrives=0.1, stamped=lambda n: n / FPS, idle=0.0)
    behind = meter.seconds
    for number in range(60, 70):
        meter.observe(number / FPS, 106 + number * 0.001, 0.0)
    assert meter.seconds < behind


@given(st.lists(st.tuples(st.floats(), st.floats(0, 10), st.floats(-1, 10)), max_size=50))
def test_it_never_breaks(frames: list[tuple[float, float, float]]) -> None:
    meter = LagMeter()
    arrived = 0.0
    for stamp, passed, idle in frames:
        arrived += passed
        lag = meter.observe(stamp, arrived, idle)
        assert lag >= 0
        assert math.isfinite(lag)
