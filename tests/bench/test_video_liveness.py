"""`facegate bench video --liveness`: the mode that is printed is the mode that ran."""

from __future__ import annotations

import pytest

from edge.bench.video import Case, run_ours
from edge.demo.annotate import VideoSink
from edge.demo.render import FPS, HEIGHT, WIDTH, Stage
from edge.demo.story import attack
from edge.faces.detector import load_detector
from tests.fakes.site import PHOTOS, copy_photos
from tests.places import need_models

pytestmark = pytest.mark.models


def record_phone(path):
    """Write the demo's last act: a phone with the resident's photo."""
    sink = VideoSink(path, (WIDTH, HEIGHT), FPS)
    stage = Stage([attack(load_detector())])
    while (frame := stage.read()) is not None:
        sink.add(frame.image)
    sink.close()
    return path


def test_a_phone_is_let_in_with_liveness_off_and_not_with_it_on(tmp_path):
    need_models("yunet", "sface", "faceplugin", *PHOTOS)
    clip = record_phone(tmp_path / "phone.avi")
    copy_photos(tmp_path / "gallery" / "resident", "obama", "obama2")
    galleries = (tmp_path / "gallery",)

    off, passive = (run_ours(Case(clip, galleries, liveness=mode), cold=False) for mode in ("off", "passive"))

    assert off["grants"] == ["resident"]
    assert passive["grants"] == []
    assert passive["cpu_ms_mean"] > 0
