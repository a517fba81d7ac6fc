"""What a replay cost, told in figures that hold for recordings of any pace."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.bench.video.measure import clip_figures
from edge.domain import Decision, Reason, Verdict
from edge.replay.door import Figures

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def played(frames: int) -> Figures:
    """A replay whose frames took 10 ms each, with a face from the third one on."""
    figures = Figures(frames=frames, cpu_s=frames / 100, wall_s=frames / 100)
    figures.frame_cpu_s = [0.01] * frames
    figures.frame_wall_s = [0.01] * frames
    figures.frame_faces = [0, 0] + [1] * (frames - 2)
    return figures


def granted(frame: int) -> Decision:
    return Decision(Verdict.GRANT, Reason.GRANTED, 1, frame, frame / 10, AT, 1, resident_id="Ann")


def test_a_walk_up_has_as_many_frames_as_the_recording_gives_in_its_time():
    assert clip_figures(played(20), [], 30.0)["cpu_ms_per_3s_walk_up"] == pytest.approx(900)
    assert clip_figures(played(20), [], 12.0)["cpu_ms_per_3s_walk_up"] == pytest.approx(360)


def test_the_cost_of_a_name_is_that_of_the_first_time():
    found = clip_figures(played(20), [granted(4), granted(18)], 10.0)
    assert found["cpu_ms_to_first_name"] == {"Ann": pytest.approx(30)}
