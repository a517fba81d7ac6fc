"""What a door with only a camera, a lock and residents does not load: each is paid for at every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.io.small_door import CONFIG
from tests.places import need_models
from tests.processes import in_a_process

if TYPE_CHECKING:
    from pathlib import Path

NOT_NEEDED = {
    "concurrent.futures",  # names an error that Python has itself
    "cryptography.x509",  # sharing of faces, TLS
    "edge.service.sharing.assembly",
    "edge.store.backup",
    "edge.web",
    "http.server",
    "numpy.ma",
    "numpy.random",
    "onnx",
    "paho",
    "prometheus_client",
    "ssl",
    "tarfile",
}

SCRIPT = """
    import os, sys
    from contextlib import ExitStack
    from pathlib import Path
    from edge.cli.run import run
    import numpy as np
    from edge.config import load_settings
    from edge.domain import Box
    from edge.faces.liveness.light import brightened, grain, is_colourless
    from edge.faces.liveness.load import load_nets
    from edge.faces.liveness.planarity import TurnFollower
    from edge.service.door import DoorService

    home = Path(sys.argv[1])
    with ExitStack() as stack:
        parts, _ = DoorService(load_settings(home / "config.toml"), home / "data", os.environ).assemble(stack)
        assert parts.seeing is not None
        # What the first visitor would wait for: colour and grain of the picture, and the three scores.
        picture = np.full((480, 640, 3), (90, 120, 150), np.uint8)
        face = Box(250, 120, 330, 220)
        is_colourless(picture, face)
        grain(picture, face)
        for network in load_nets():
            network.score(brightened(picture, face), face)
        # And who is asked to turn their head: a face with corners that can be followed.
        rows, columns = np.mgrid[:480, :640]
        picture[(rows // 8 + columns // 8) % 2 == 0] = 40
        turn = TurnFollower(picture, face)
        turn.follow(picture)
        assert turn.residual() is not None
        print(*sys.modules)
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    need_models()
    home: Path = tmp_path_factory.mktemp("door")
    (home / "config.toml").write_text(CONFIG)
    return set(in_a_process(SCRIPT, str(home)).split())


@pytest.mark.parametrize("name", sorted(NOT_NEEDED))
def test_a_plain_door_does_not_load(loaded: set[str], name: str) -> None:
    assert name not in loaded


def test_a_plain_door_loads_what_sees(loaded: set[str]) -> None:
    """Or the test above would pass for a door that never came up."""
    assert {"cv2", "onnxruntime", "edge.recognition.pipeline"} <= loaded
