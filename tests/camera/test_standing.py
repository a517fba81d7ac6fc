"""A hung camera whose printed clock runs on is noticed, and no scene that is only quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from edge.camera.check import PictureHealth, PictureState
from edge.camera.file import VideoFile
from edge.camera.standing import KEPT, STILL_SECONDS, StandingPicture
from tests.camera.scenes import frame, plain, scene
from tests.places import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image

SIZE = (320, 240)
LONG = round(3 * STILL_SECONDS)


def with_clock(image: Image, second: int) -> Image:
    drawn = image.copy()
    cv2.rectangle(drawn, (6, 4), (118, 20), (0, 0, 0), -1)
    cv2.putText(drawn, f"12:{second // 60:02}:{second % 60:02}", (8, 17), 0, 0.5, (255, 255, 255))
    return drawn


def judged(shown: Callable[[int], Image], seconds: int = LONG, start: int = 0) -> list[bool]:
    standing = StandingPicture()
    return [standing.observe(frame(shown(n), float(n))) for n in range(start, start + seconds)]


def test_a_picture_that_stands_still_behind_a_running_clock_is_noticed_after_a_minute() -> None:
    found = judged(lambda n: with_clock(scene(0, SIZE), n))
    assert not any(found[: round(STILL_SECONDS)])
    assert all(found[round(STILL_SECONDS) + 1 :])


def test_the_encoder_of_a_hung_camera_brings_the_same_few_pictures() -> None:
    """After each whole picture the next ones are refined, the same way each time."""
    assert judged(lambda n: with_clock(scene(n % (KEPT - 1), SIZE), n))[-1]


def test_a_live_camera_with_a_clock_is_not_standing() -> None:
    assert not any(judged(lambda n: with_clock(scene(n, SIZE), n)))


def test_a_quiet_stream_that_changes_only_with_its_whole_pictures_is_not_standing() -> None:
    assert not any(judged(lambda n: with_clock(scene(n // 25, SIZE), n)))


def test_what_stands_still_altogether_or_is_played_again_and_again_is_left_to_others() -> None:
    assert not any(judged(lambda _: scene(0, SIZE)))
    assert not any(judged(lambda n: scene(n % 5, SIZE)))
    assert not any(judged(lambda n: scene(n % 30, SIZE)))


def test_somebody_before_a_wall_without_noise_is_no_clock() -> None:
    """Rendered pictures have no noise; a person takes more of the picture than a clock does."""

    def shown(n: int) -> Image:
        image = scene(0, SIZE)
        cv2.circle(image, (160 + n % 60, 130), 60, (90, 120 + n % 100, 180), -1)
        return image

    assert not any(judged(shown))


@pytest.mark.parametrize("level", [4, 120, 255])
def test_darkness_and_glare_have_no_noise_either(level: int) -> None:
    assert not any(judged(lambda n: with_clock(plain(level, noise=0, size=SIZE), n)))


def test_it_is_over_as_soon_as_the_picture_moves() -> None:
    standing = StandingPicture()
    for n in range(LONG):
        standing.observe(frame(with_clock(scene(0, SIZE), n), float(n)))
    assert not standing.observe(frame(with_clock(scene(1, SIZE), LONG), float(LONG)))


def test_another_size_and_a_clock_that_goes_back_begin_anew() -> None:
    standing = StandingPicture()
    for n in range(LONG):
        standing.observe(frame(with_clock(scene(0, SIZE), n), float(n)))
    assert not standing.observe(frame(with_clock(scene(0, (640, 480)), LONG), float(LONG)))
    assert not standing.observe(frame(with_clock(scene(0, (640, 480)), 0), 0.0))


def test_health_tells_of_it_as_frozen_and_that_it_is_over() -> None:
    health = PictureHealth()
    states = [health.observe(frame(with_clock(scene(0, SIZE), n), float(n))) for n in range(LONG)]
    assert states[0] is PictureState.OK
    assert states[-1] is PictureState.FROZEN
    live = [health.observe(frame(with_clock(scene(n, SIZE), n), float(n))) for n in range(LONG, LONG + 20)]
    assert live[-1] is PictureState.OK


def test_a_hung_camera_that_was_opened_anew_stays_frozen() -> None:
    health = PictureHealth()
    for n in range(LONG):
        health.observe(frame(with_clock(scene(0, SIZE), n), float(n)))
    health.restart()
    assert health.observe(frame(with_clock(scene(0, SIZE), LONG + 9), LONG + 9.0)) is PictureState.FROZEN


def test_a_hung_stream_that_is_opened_anew_each_minute_is_frozen_once_until_it_really_lives() -> None:
    """A decoder that begins inside a group of pictures shows for some seconds what was not shown before."""
    health, opened = PictureHealth(), 0
    states: list[PictureState] = []
    for n in range(10 * 60):
        if states and states[-1] is PictureState.FROZEN and n % 60 == 0:
            opened = n
            health.reopened()
        begun = opened + n % 60 if opened and n % 60 < 12 else 0
        states.append(health.observe(frame(with_clock(scene(begun, SIZE), n), float(n))))
    frozen = states.index(PictureState.FROZEN)
    assert set(states[frozen:]) == {PictureState.FROZEN}
    assert opened > 60
    health.reopened()
    live = [health.observe(frame(with_clock(scene(n, SIZE), n), float(n))) for n in range(600, 660)]
    assert live[-1] is PictureState.OK, "a camera that is well again is told within a minute"


@pytest.mark.slow
def test_a_recorded_entrance_is_not_standing() -> None:
    """Two minutes of a camera that hangs above a passage; in a shorter clip nothing is judged to stand."""
    clip, standing = VideoFile(shared_data("video", "intel_one_by_one_no_faces.mp4")), StandingPicture()
    seconds = 0.0
    while (read := clip.read()) is not None:
        assert not standing.observe(read), read.time
        seconds = read.time
    clip.close()
    assert seconds > 2 * STILL_SECONDS
