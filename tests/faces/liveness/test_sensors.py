"""A second camera in near infrared: a face that is absent there is an attack."""

from __future__ import annotations

import cv2
import pytest

from edge.camera.file import VideoFile
from edge.domain import Box, Frame, Reason
from edge.errors import CameraLost
from edge.faces.liveness.sensors import NearInfrared, SensorCheck, SensorEvidence, SideBySide
from tests.faces.liveness.nets import Visit, setup
from tests.fakes.scene import Actor, axis
from tests.present import present

ANNA = Actor(0, axis(0))


class Recording:
    """A camera that plays frames, and may fail in the end."""

    def __init__(self, frames: list[Frame], *, fails: bool = False) -> None:
        self.frames, self.fails = list(frames), fails

    def read(self) -> Frame | None:
        if not self.frames and self.fails:
            raise CameraLost("unplugged")
        return self.frames.pop(0) if self.frames else None

    def close(self) -> None:
        """Nothing is open."""


class Constant:
    """A sensor that always says the same."""

    source = "depth"

    def __init__(self, score: float, *, is_valid: bool = True, late: float = 0.0) -> None:
        self.reading = (score, is_valid, late)

    def evidence(self, frame, face) -> SensorEvidence:
        score, is_valid, late = self.reading
        return SensorEvidence(score, is_valid, frame.time - late, self.source)


def door(*sensors, score: float = 0.95) -> Visit:
    world = setup({0: score}, [ANNA])
    return Visit(SensorCheck(world.check, sensors), world.scene)


def infrared(frames: int, *, shows_face: bool, **kwargs) -> NearInfrared:
    world = setup({}, [ANNA])
    placed = [(ANNA, 250.0, 120.0, 130.0)] if shows_face else []
    recording = Recording([world.scene.frame(seq, *placed) for seq in range(frames)], **kwargs)
    return NearInfrared(recording, world.scene)


class TestNearInfrared:
    def test_a_face_that_is_there_too_passes(self):
        visit = door(infrared(30, shows_face=True))

        visit.show(ANNA, 10)

        assert present(visit.assess()).passed
        assert present(visit.assess()).cues["near-infrared"] == 1.0

    def test_a_face_that_is_absent_there_is_an_attack(self):
        visit = door(infrared(30, shows_face=False))

        visit.show(ANNA, 10)

        verdict = visit.assess()
        assert verdict is not None
        assert (verdict.passed, verdict.reason) == (False, Reason.PRESENTATION_ATTACK)
        assert verdict.cues["near-infrared"] == 0.0

    def test_a_face_elsewhere_in_the_infrared_picture_does_not_count(self):
        sensor = infrared(30, shows_face=True)
        sensor._placed = SideBySide(shift_x=300.0)
        visit = door(sensor)

        visit.show(ANNA, 10)

        assert not present(visit.assess()).passed

    @pytest.mark.parametrize("fails", [False, True], ids=["ended", "unplugged"])
    def test_a_camera_that_stops_is_a_failure_not_a_skip(self, fails):
        visit = door(infrared(3, shows_face=True, fails=fails))

        visit.show(ANNA, 20)
        assert visit.assess() is None
        visit.show(ANNA, 40)

        assert present(visit.assess()).reason is Reason.PAD_UNAVAILABLE

    def test_a_second_recording_works_as_the_second_camera(self, tmp_path):
        world = setup({}, [ANNA])
        path = tmp_path / "infrared.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
        for seq in range(30):
            writer.write(world.scene.frame(seq, (ANNA, 250.0, 120.0, 130.0)).image)
        writer.release()
        visit = door(NearInfrared(VideoFile(path), world.scene))

        visit.show(ANNA, 12)

        assert present(visit.assess()).passed

    def test_two_cameras_side_by_side_are_mapped_onto_each_other(self):
        assert SideBySide(0.5, 10, -5).onto(Box(100, 200, 300, 400)) == Box(60, 95, 160, 195)


class TestRule:
    def test_the_inner_check_still_decides(self):
        visit = door(Constant(1.0), score=0.1)

        visit.show(ANNA, 10)

        assert present(visit.assess()).reason is Reason.PRESENTATION_ATTACK

    @pytest.mark.parametrize(
        "sensor",
        [
            Constant(1.0, is_valid=False),
            Constant(1.0, late=0.2),
            Constant(float("nan")),
            Constant(7.0),
            Constant(-1.0),
        ],
        ids=["invalid", "late", "nan", "too high", "negative"],
    )
    def test_readings_that_do_not_count_are_a_failure(self, sensor):
        visit = door(sensor)

        visit.show(ANNA, 60)

        assert present(visit.assess()).reason is Reason.PAD_UNAVAILABLE

    def test_every_sensor_must_agree(self):
        visit = door(Constant(1.0), infrared(60, shows_face=False))

        visit.show(ANNA, 10)

        assert not present(visit.assess()).passed

    def test_a_reset_forgets_the_readings(self):
        visit = door(Constant(1.0))
        visit.show(ANNA, 10)

        visit.check.reset(1)

        assert visit.assess() is None
