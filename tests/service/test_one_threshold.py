"""One door has one threshold: its log, its panel and its first look tell the same number."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from edge.faces.manifest import load_manifest
from edge.matcher.calibration import calibration_of
from edge.recognition.evidence import share_of_look
from edge.service.panel import office
from edge.service.panel.office import PanelOptions
from edge.service.recognition.recogniser import ErrorRate, Models, build_matcher


def test_a_similarity_that_was_accepted_by_hand_is_still_accepted() -> None:
    """0.3213 was the least before the calibration on more people: a door must not stop at an upgrade."""
    calibration = calibration_of("sface", load_manifest().model("sface").calibration)
    assert calibration.fixed(0.3213, 10).threshold == 0.3213


@pytest.mark.parametrize("residents", [1, 40, 300])
def test_the_log_the_panel_and_the_first_look_tell_one_number(residents: int) -> None:
    calibration = calibration_of("sface", load_manifest().model("sface").calibration)
    embedder = SimpleNamespace(model_id="m1", dim=32)
    parts = SimpleNamespace(detector=None, embedder=embedder, calibration=calibration)
    models = cast("Models", parts)
    rows = np.random.default_rng(1).standard_normal((residents, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matcher = build_matcher(models, ErrorRate(), {f"r{n}": [row] for n, row in enumerate(rows)})
    wish = PanelOptions("gate", Path())

    told = office._recogniser(wish, models, lambda: matcher).point(residents)

    assert told == matcher.operating_point() == matcher.operating_point(share_of_look(1))
    assert told.fpir == 1e-3
