"""Where the evaluation material and the installed networks are, or why a test is skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import ModelMissing
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked

ROOT = Path(__file__).resolve().parents[3]


def shared_data() -> Path:
    folder = Path(os.environ.get("FACEGATE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"no shared evaluation set at {folder}: set FACEGATE_SHARED_DATA")
    return folder


def shared_weights() -> Path:
    folder = shared_data().parent / "weights"
    if not (folder / "weights.csv").is_file():
        pytest.skip(f"no shared liveness weights at {folder}")
    return folder


def installed(name: str) -> Path:
    """The file of an installed model; in CI its absence is a failure."""
    try:
        return checked(load_manifest().model(name))
    except ModelMissing as error:
        if os.environ.get("FACEGATE_CI") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
