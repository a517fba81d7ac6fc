"""On embeddings of real faces, whose directions are anything but even, the answers are exact too."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.faces.detector import load_detector
from edge.faces.embedder import load_embedder
from tests.matcher.galleries import Residents, assert_exact, backend_names, matcher_of
from tests.places import need_models, shared_data

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE, STRANGERS = 60, 30


@pytest.fixture(scope="module")
def faces() -> tuple[Residents, np.ndarray]:
    """Return residents from one photo each, and probes: other photos of them, and strangers."""
    protocol = shared_data("lfw_open_set_protocol.csv")
    need_models()
    roles = _roles(protocol)
    detector, embedder = load_detector(), load_embedder()

    def embed(path: str) -> np.ndarray | None:
        image = cv2.imread(str(protocol.parent / path))
        assert image is not None
        found = detector.detect(image)
        return embedder.embed(image, found[0].landmarks) if found else None

    chosen = [name for name in roles["genuine_probe"] if name in roles["enrol"]][:PEOPLE]
    residents = {name: embed(roles["enrol"][name][0]) for name in chosen}
    probes = [embed(roles["genuine_probe"][name][0]) for name in chosen]
    probes += [embed(paths[0]) for paths in list(roles["unknown_probe"].values())[:STRANGERS]]
    return (
        {name: row[None] for name, row in residents.items() if row is not None},
        np.stack([probe for probe in probes if probe is not None]),
    )


def _roles(protocol: Path) -> dict[str, dict[str, list[str]]]:
    roles: dict[str, dict[str, list[str]]] = {}
    with protocol.open(newline="") as file:
        for line in csv.DictReader(file):
            roles.setdefault(line["role"], {}).setdefault(line["identity"], []).append(line["path"])
    return roles


@pytest.mark.shared
@pytest.mark.models
@pytest.mark.parametrize("backend", backend_names())
def test_real_faces_are_matched_exactly(backend: str, faces: tuple[Residents, np.ndarray]) -> None:
    residents, probes = faces
    assert len(residents) > PEOPLE * 0.9
    assert_exact(matcher_of(residents, backend), residents, probes)


@pytest.mark.shared
@pytest.mark.models
@pytest.mark.parametrize("backend", backend_names())
def test_real_faces_each_enrolled_under_two_names(backend: str, faces: tuple[Residents, np.ndarray]) -> None:
    residents, probes = faces
    doubled = residents | {f"{name}.again": rows for name, rows in residents.items()}
    assert_exact(matcher_of(doubled, backend), doubled, probes)
