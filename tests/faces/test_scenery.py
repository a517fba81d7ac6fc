"""What hangs there is scenery; who stands there is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.domain import Box, Face
from edge.faces.scenery import SCREEN_SECONDS, STILL_SECONDS, Scenery
from edge.faces.tracker import Track
from tests.fakes.scene import FRONTAL

pytestmark = pytest.mark.slow

SIZE = (240, 300)
RNG = np.random.default_rng(5)
GRAIN = [RNG.normal(0, 3.0, (*SIZE, 3)).astype(np.float32) for _ in range(8)]


def blots(seed: int, size: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (12, 12, 3)).astype(np.float32)
    return np.clip(120 + 45 * cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), 0, 255)


def picture(x: float, y: float, seed: int = 1, width: int = 100, light: float = 1.0):
    """A wall with one picture of `width` px, its centre at (x, y)."""
    image = np.full((*SIZE, 3), 110.0, np.float32)
    left, top = round(x - width / 2), round(y - width / 2)
    image[top : top + width, left : left + width] = blots(seed, (width, width))
    grain = GRAIN[int(RNG.integers(len(GRAIN)))]
    return np.clip(image * light + grain, 0, 255).astype(np.uint8)


def track(x: float, y: float, track_id: int = 1, width: float = 90.0, nose: float = 0.0) -> Track:
    box = Box(x - width / 2, y - width / 2, x + width / 2, y + width / 2)
    landmarks = (FRONTAL * width + (box.left, box.top)).astype(np.float32)
    landmarks[2, 0] += nose * width
    return Track(track_id, Face(box, landmarks, 0.9), 0.0, 0.0, (0.0, 0.0), is_steady=True)


class Watch:
    """Scenery, shown one face four times a second."""

    def __init__(self):
        self.scenery = Scenery()
        self.now = 0.0

    def show(self, seconds: float, paint, where, hopeless=()):
        """Return whether the face was taken for a visitor in each picture."""
        seen = []
        for _ in range(round(seconds * 4)):
            self.now += 0.25
            seen.append(bool(self.scenery.visitors(paint(self.now), [where(self.now)], self.now, hopeless)))
        return seen


def poster(t: float):
    return picture(150, 120)


def hung(t: float) -> Track:
    return track(150 + RNG.normal(0, 0.4), 120 + RNG.normal(0, 0.4))


def test_a_poster_becomes_scenery_after_seconds_and_is_told_once():
    watch = Watch()
    seen = watch.show(60, poster, hung)
    assert seen.index(False) <= 4 * (STILL_SECONDS + 1)
    assert not any(seen[seen.index(False) :])
    assert [place.kind for place in watch.scenery.news] == ["picture"]


def test_it_stays_scenery_under_new_tracks_in_swinging_and_in_slowly_fading_light():
    watch = Watch()
    watch.show(8, poster, hung)

    def fading(t):
        return picture(150, 120, light=0.7 + 0.2 * np.cos(t / 10) + 0.1 * np.sin(8 * t))

    assert not any(watch.show(60, fading, lambda t: track(150, 120, track_id=int(t * 4))))
    assert len(watch.scenery.news) == 1


def test_a_poster_is_told_once_a_day_whatever_the_sun_does():
    """A look every half minute for 24 hours, from noon to dusk to noon."""
    watch = Watch()
    watch.show(8, poster, hung)
    seen = []
    for number in range(2880):
        watch.now += 30.0
        image = picture(150, 120, light=0.7 + 0.3 * np.cos(2 * np.pi * number / 2880))
        seen += watch.scenery.visitors(image, [track(150, 120, track_id=number)], watch.now, ())
    assert seen == []
    assert len(watch.scenery.news) == 1


def test_another_picture_in_its_place_is_looked_at():
    watch = Watch()
    watch.show(8, poster, hung)
    seen = watch.show(2, lambda t: picture(150, 120, seed=2), lambda t: track(150, 120, track_id=2))
    assert all(seen)


def test_a_picture_held_still_and_then_moved_is_looked_at():
    watch = Watch()
    watch.show(8, poster, hung)
    seen = watch.show(2, lambda t: picture(150 + 60, 120), lambda t: track(210, 120))
    assert all(seen)


def test_somebody_who_steps_before_the_poster_is_looked_at():
    watch = Watch()
    watch.show(8, poster, hung)
    swaying = lambda t: picture(150 + 3 * np.sin(2 * t), 122, seed=7)  # noqa: E731
    seen = watch.show(3, swaying, lambda t: track(152, 123, 9))
    assert all(seen)
    assert not any(watch.show(2, poster, hung)), "and the poster is still known behind them"


@pytest.mark.parametrize("sway", [4.0, 8.0])
def test_a_person_who_stands_there_is_never_scenery(sway):
    """Three centimetres to and fro: less than anybody sways."""
    watch = Watch()
    seen = watch.show(
        120,
        lambda t: picture(150 + sway * np.sin(1.7 * t), 120 + sway / 2 * np.sin(2.3 * t)),
        lambda t: track(150 + sway * np.sin(1.7 * t), 120 + sway / 2 * np.sin(2.3 * t)),
    )
    assert all(seen)


def test_a_head_that_turns_is_never_scenery():
    watch = Watch()
    assert all(watch.show(60, poster, lambda t: track(150, 120, nose=0.1 * np.sin(t))))


class TestScreen:
    """A talking head on a screen: new pixels all the time, always in one place."""

    def film(self, t: float):
        return picture(150 + 3 * np.sin(3 * t), 120, seed=int(t * 4))

    def test_it_becomes_scenery_when_nothing_ever_came_of_it(self):
        watch = Watch()
        seen = watch.show(60, self.film, hung, hopeless={1})
        assert seen.index(False) == pytest.approx(4 * SCREEN_SECONDS, abs=4)
        assert not any(seen[seen.index(False) :])
        assert [place.kind for place in watch.scenery.news] == ["screen"]

    def test_who_may_still_be_let_in_is_not(self):
        assert all(Watch().show(120, self.film, hung))

    def test_it_is_looked_at_again_when_it_is_carried_off(self):
        watch = Watch()
        watch.show(60, self.film, hung, hopeless={1})
        assert all(watch.show(3, self.film, lambda t: track(225, 120), hopeless={1}))

    def test_a_face_that_comes_nearer_from_there_is_looked_at(self):
        watch = Watch()
        watch.show(60, self.film, hung, hopeless={1})
        assert all(watch.show(3, self.film, lambda t: track(150, 120, width=130), hopeless={1}))

    def test_another_track_in_its_place_is_looked_at(self):
        """Whoever steps before the screen must not be taken for it."""
        watch = Watch()
        watch.show(60, self.film, hung, hopeless={1})
        assert all(watch.show(3, self.film, lambda t: track(152, 121, track_id=2)))
