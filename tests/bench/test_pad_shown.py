"""Presentations changed: what a harder door would see of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bench.pad.set import Presentation
from edge.bench.pad.shown import SERIES, Slower, lit
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


@pytest.mark.parametrize(("part", "shown"), [(0.5, (20, 115, 127)), (2.0, (80, 255, 255))])
def test_less_and_more_light(part, shown):
    image = np.array([[[40, 230, 255]]], np.uint8)
    np.testing.assert_array_equal(lit(part)(image)[0, 0], shown)


def test_every_series_names_each_of_its_variations_once():
    living = [Presentation(Path(f"{name}.avi"), name, "live") for name in "abcd"]
    shown = [*living, Presentation(Path("e.avi"), "a", "phone replay")]
    names = [name for series in SERIES.values() for name, _ in series(shown)]
    assert len(names) == len(set(names))
    assert {"0.50 of the light", "2 times the light"} <= set(names)
