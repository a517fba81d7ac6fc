"""`facegate bench video --liveness`: the mode that is printed is the mode that ran."""

from __future__ import annotations

import pytest

from edge.bench.video.measure import Case, run_ours
from tests.fakes.site import copy_photos, record_phone
from tests.places import need_models

pytestmark = pytest.mark.models


def test_a_phone_is_let_in_with_liveness_off_and_not_with_it_on(tmp_path):
    need_models("faceplugin")
    clip = record_phone(tmp_path / "phone.avi")
    copy_photos(tmp_path / "gallery" / "resident", "obama", "obama2")
    galleries = (tmp_path / "gallery",)

    off, passive = (run_ours(Case(clip, galleries, liveness=mode), cold=False) for mode in ("off", "passive"))

    assert off["grants"] == ["resident"]
    assert passive["grants"] == []
    assert passive["cpu_ms_mean"] > 0
