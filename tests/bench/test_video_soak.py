"""A soak finds what grows or decides otherwise, and nothing where a door is the same at every loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from edge.bench.video.soak import LoopedClip, soak
from edge.replay.door import Recognition
from tests.fakes.scene import Actor, Residents, Scene, axis, leaning

if TYPE_CHECKING:
    from pathlib import Path

RESIDENT, STRANGER = Actor(0, axis(0)), Actor(1, leaning(0, 0.3, other=2))
FPS = 30.0


@pytest.fixture
def scene() -> Scene:
    return Scene([RESIDENT, STRANGER], size=(320, 240), fps=FPS)


@pytest.fixture
def clip(tmp_path: Path, scene: Scene) -> Path:
    """A resident passes; a stranger comes and still stands there when the recording ends."""
    path = tmp_path / "passing.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), FPS, scene.size)
    for seq in range(120):
        placed = [(RESIDENT, 20.0, 60.0, 90.0)] if 10 <= seq < 60 else []
        placed += [(STRANGER, 200.0 - seq / 4, 60.0, 90.0)] if seq >= 50 else []
        writer.write(scene.frame(seq, *placed).image)
    writer.release()
    return path


def test_a_door_decides_the_same_in_every_loop_strangers_included(clip: Path, scene: Scene) -> None:
    recognition = Recognition(scene, scene, Residents({"li": axis(0), "wang": axis(5)}))
    found = soak(clip, recognition, 5 * 24.0, lambda _: None)
    assert found["loops"] >= 5
    assert found["decisions_per_loop"] >= 2
    assert found["loops_that_differ"] == 0


def test_steps_between_frames_are_the_same_in_every_loop(clip: Path) -> None:
    looped = LoopedClip(clip, 100.0)
    times: list[list[float]] = []
    for frame in looped.frames():
        if len(looped.starts) > len(times):
            times.append([])
        times[-1].append(frame.time - looped.starts[-1])
    assert len(times) > 3
    assert all(one == times[0] for one in times)


def test_who_decides_otherwise_in_a_later_loop_is_found(clip: Path, scene: Scene) -> None:
    residents = Residents({"li": axis(0), "wang": axis(5)})

    def forget(line: str) -> None:
        if line.startswith("loop 3"):
            del residents.rows["li"]

    found = soak(clip, Recognition(scene, scene, residents), 100.0, forget)
    assert 0 < found["loops_that_differ"] < found["loops"]
