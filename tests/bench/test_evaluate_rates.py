"""`facegate evaluate rates` on made-up people: tables and plots that a person can read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge.bench.evaluate import report as evaluate_report
from edge.bench.evaluate.calibrate import People, fit
from edge.bench.evaluate.images import Embedded

DIM = 32


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(5)

    def unit(rows: np.ndarray) -> np.ndarray:
        return (rows / np.linalg.norm(rows)).astype(np.float32)

    photos = {}
    for n in range(320):
        centre = rng.standard_normal(DIM)
        shots = [unit(centre + 0.35 * rng.standard_normal(DIM)) for _ in range(1 + 4 * (n % 2))]
        photos[f"person-{n:03d}"] = [Embedded(shot, shot) for shot in shots]
    people = People.gather(photos)
    mean, calibration = fit(people, with_centre=False)
    return evaluate_report.measure(people, mean, calibration, unacquired=3, draws=3)


def test_the_table_names_what_stands_behind_it(report):
    text = evaluate_report.text(report)

    assert "320 people" in text
    assert "3 more without a face" in text
    assert "| as shipped |" in text


def test_the_json_is_plain(report):
    assert json.loads(json.dumps(evaluate_report.as_json(report)))


def test_the_plots_are_pictures(report, tmp_path):
    written = evaluate_report.draw(report, tmp_path)

    assert len(written) == 3
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
