"""Presentations changed: what a harder door would see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.bench.pad.shown import Slower
from tests.fakes.scene import Scene

if TYPE_CHECKING:
    from edge.domain import Frame


class Recorded:
    """Thirty frames a second, for a second."""

    def __init__(self) -> None:
        scene = Scene([], fps=30.0)
        self._frames = [scene.frame(number) for number in range(30)]

    def read(self) -> Frame | None:
        return self._frames.pop(0) if self._frames else None

    def close(self) -> None:
        self._frames.clear()


@pytest.mark.parametrize("fps", [3.0, 5.0, 12.0, 15.0])
def test_a_slower_camera_has_no_more_frames_a_second_from_the_first_one_on(fps):
    camera, times = Slower(Recorded(), fps), list[float]()
    while (frame := camera.read()) is not None:
        times.append(frame.time)
    assert times[0] == 0.0
    for number, time in enumerate(times):
        assert time == pytest.approx(number / fps, abs=1 / 30)
    assert len(times) == pytest.approx(fps, abs=1)
