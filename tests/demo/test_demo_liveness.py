"""`facegate demo --video` with liveness on: the living person comes in, the recording of him does not."""

from __future__ import annotations

import cv2
import pytest
from click.testing import CliRunner

from edge.camera.file import VideoFile
from edge.cli import app
from edge.errors import ModelMissing
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from tests.places import need_models, shared_data

pytestmark = [pytest.mark.models, pytest.mark.shared, pytest.mark.slow]


def part(source, target, seconds, start=0.0):
    """Copy a stretch of a recording and return where it is."""
    camera = VideoFile(source)
    writer = None
    try:
        while (frame := camera.read()) is not None and frame.time < start + seconds:
            if frame.time >= start:
                height, width = frame.image.shape[:2]
                code = cv2.VideoWriter.fourcc(*"MJPG")
                writer = writer or cv2.VideoWriter(str(target), code, camera.fps, (width, height))
                writer.write(frame.image)
    finally:
        camera.close()
        if writer is not None:
            writer.release()
    return target


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two recordings and one resident, enrolled from the living one's first pictures."""
    need_models("yunet", "sface", "faceplugin")
    folder = tmp_path_factory.mktemp("site")
    live = part(shared_data("video", "tvl_live.mp4"), folder / "live.avi", 3.0)
    replay = part(shared_data("video", "tvl_replay.mp4"), folder / "replay.avi", 3.0)
    person = folder / "gallery" / "resident"
    person.mkdir(parents=True)
    camera = VideoFile(live)
    for index in range(31):
        frame = camera.read()
        if index % 15 == 0:
            assert frame is not None
            cv2.imwrite(str(person / f"{index}.png"), frame.image)
    camera.close()
    return folder, live, replay


def has_pair() -> bool:
    """Return whether the networks of the publisher's address are installed here."""
    manifest = load_manifest()
    try:
        for name in ("silentface-2.7", "silentface-4.0"):
            checked(manifest.model(name))
    except ModelMissing:
        return False
    return True


@pytest.mark.parametrize(
    ("which", "mode", "comes_in"), [(0, "passive", True), (1, "passive", False), (1, "off", True)]
)
def test_who_comes_in(site, tmp_path, which, mode, comes_in):
    """With the packaged network alone liveness is weak: a living face is asked for more, not let in by it."""
    folder, *clips = site
    is_enough = mode == "off" or has_pair()
    arguments = ["--gallery", str(folder / "gallery"), "--out", str(tmp_path), "--liveness", mode]

    result = CliRunner().invoke(app, ["demo", "--video", str(clips[which]), *arguments])

    assert result.exit_code == 0, result.output
    assert f"liveness {mode}" in result.output
    assert ("GRANT resident" in result.output) is (comes_in and is_enough)
    assert ("presentation_attack" in result.output) is (not comes_in)
