"""Recording labelled presentations, and judging what was recorded."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from edge.bench.pad.hidden import cropped
from edge.bench.pad.record import FPS, place, record
from edge.bench.pad.set import load_presentations
from edge.bench.pad.watch import Watcher
from edge.camera.file import VideoFile
from edge.cli.pad import pad
from edge.errors import EvaluationRefused
from tests.faces.liveness.nets import Eye
from tests.fakes.scene import Actor, Scene, axis

ANNA, PHONE = Actor(0, axis(0)), Actor(1, axis(0))


class Standing:
    """A camera before which somebody stands."""

    def __init__(self, scene: Scene, actor: Actor, fps: float = 30.0, frames: int = 300) -> None:
        self.scene, self.actor, self.left, self.seq = scene, actor, frames, 0
        scene.fps = fps

    def read(self):
        if not self.left:
            return None
        self.left -= 1
        self.seq += 1
        return self.scene.frame(self.seq, (self.actor, 250 + self.seq % 3, 120, 130))

    def close(self) -> None:
        """Nothing is open."""


class TestRecording:
    @pytest.mark.parametrize("fps", [10.0, 15.0, 30.0])
    def test_the_recording_has_the_pace_and_the_length_that_were_asked_for(self, tmp_path, fps):
        path = place(tmp_path, "live", "07", "now")

        frames = record(Standing(Scene([ANNA]), ANNA, fps), path, 2.0, lambda frame: None)

        assert abs(frames - 2.0 * FPS) <= 1
        camera = VideoFile(path)
        assert camera.fps == pytest.approx(FPS)
        assert camera.size == (640, 480)

    def test_a_camera_without_pictures_leaves_no_recording(self, tmp_path):
        path = place(tmp_path, "live", "07", "now")

        with pytest.raises(EvaluationRefused, match="no picture"):
            record(Standing(Scene([ANNA]), ANNA, frames=0), path, 2.0, lambda frame: None)
        assert not path.exists()

    @pytest.mark.parametrize("name", ["../x", "a/b", "", ".", ".hidden"])
    def test_names_that_leave_the_folder_are_refused(self, tmp_path, name):
        with pytest.raises(EvaluationRefused):
            place(tmp_path, name, "07", "now")
        with pytest.raises(EvaluationRefused):
            place(tmp_path, "phone", name, "now")

    def test_what_was_recorded_can_be_judged(self, tmp_path):
        for actor, species in ((ANNA, "live"), (PHONE, "phone")):
            record(
                Standing(Scene([actor]), actor),
                place(tmp_path, species, "07", "now"),
                2.0,
                lambda frame: None,
            )
        scene = Scene([ANNA, PHONE])
        watcher = Watcher(scene, scene, [Eye({0: 0.9, 1: 0.1})])

        live, phone = (watcher.watch(one) for one in load_presentations(tmp_path))

        assert (live.is_accepted, phone.is_accepted) == (True, False)
        assert len(live.answers) == 4
        assert not phone.is_accepted_within(5)


class TestCommand:
    def test_record_says_what_is_still_missing(self, tmp_path):
        source = place(tmp_path / "source", "live", "1", "now")
        record(Standing(Scene([ANNA]), ANNA), source, 1.5, lambda frame: None)
        folder = tmp_path / "out"
        words = [
            "record",
            "--species",
            "phone",
            "--person",
            "07",
            "--camera",
            str(source),
            "--folder",
            str(folder),
        ]

        done = CliRunner().invoke(pad, [*words, "--seconds", "1"], catch_exceptions=False)

        assert done.exit_code == 0, done.output
        assert "phone: 1 presentations of 1 people; without an error, 58 more for at most 5 %" in done.output
        again = CliRunner().invoke(pad, ["missing", str(folder)], catch_exceptions=False)
        assert "298 more for at most 1 %" in again.output


class TestHiddenBorder:
    def test_the_face_stays_where_it_is_and_the_rest_is_gone(self):
        scene = Scene([ANNA])
        frame = scene.frame(0, (ANNA, 250, 120, 130))
        (face,) = scene.detect(frame.image)

        cut, moved = cropped(frame, face, 1.5)

        assert cut.image.shape[0] == pytest.approx(1.5 * face.box.height, abs=2)
        (found,) = scene.detect(cut.image)
        assert found.box == moved.box
        np.testing.assert_allclose(found.landmarks, moved.landmarks, atol=0.01)
