"""Where tests find models and evaluation data; they skip, or in CI fail, when something is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import ModelMissing
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked

REPOSITORY = Path(__file__).parents[1]


def need_models(*names: str) -> None:
    """Skip unless these models or photos are installed; fail in CI, which installs them."""
    manifest = load_manifest()
    for name in names or ("yunet", "sface"):
        artefact = manifest.models.get(name) or manifest.assets[name]
        try:
            checked(artefact)
        except ModelMissing as error:
            if os.environ.get("FACEGATE_CI") == "1":
                pytest.fail(str(error))
            pytest.skip(str(error))


def shared_data(*parts: str) -> Path:
    """Return a path in the evaluation set, or skip: it is not part of the project."""
    root = Path(os.environ.get("FACEGATE_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the evaluation set is not here: {path} (set FACEGATE_SHARED_DATA)")
    return path
