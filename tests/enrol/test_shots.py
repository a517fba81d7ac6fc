"""From pictures to templates, or a refusal that says what to do differently."""

from __future__ import annotations

import numpy as np
import pytest

from edge.domain import Quality
from edge.enrol.lookalike import refuse_lookalike
from edge.enrol.shots import Harvest, Shot, ShotTaker, agreeing, mean_of, resident_rows
from edge.errors import EnrolmentRefused
from tests.fakes.scene import Actor, Residents, Scene, axis, leaning

ANNA = Actor(0, axis(0))
OTHER = Actor(1, axis(1))
QUALITY = Quality(60, 0.2, 0, 0, 0, 120)


def taker(*actors: Actor) -> tuple[ShotTaker, Scene]:
    scene = Scene(list(actors))
    return ShotTaker(scene, scene), scene


def shot(embedding: np.ndarray, source: str = "photo") -> Shot:
    return Shot(embedding, QUALITY, source)


def test_a_good_picture_gives_a_unit_embedding():
    enroller, scene = taker(ANNA)

    taken = enroller.from_image(scene.frame(0, (ANNA, 260, 150, 120)).image, "anna.jpg")

    assert np.allclose(taken.embedding, axis(0))
    assert taken.quality.is_usable


@pytest.mark.parametrize(
    ("placed", "words"),
    [
        ([], "no face found"),
        ([(ANNA, 300, 200, 40)], "px between the eyes, at least 24 needed: come closer"),
        ([(ANNA, 160, 150, 120), (OTHER, 380, 150, 120)], "two faces of similar size"),
        ([(Actor(0, axis(0), turned=0.6), 260, 150, 120)], "turned (yaw"),
    ],
)
def test_a_poor_picture_is_refused_by_name_with_advice(placed, words):
    enroller, scene = taker(*[actor for actor, *_ in placed] or [ANNA])

    with pytest.raises(EnrolmentRefused) as caught:
        enroller.from_image(scene.frame(0, *placed).image, "photo-7.jpg")

    assert "photo-7.jpg" in str(caught.value)
    assert words in str(caught.value)


def test_a_bystander_in_the_background_does_no_harm():
    enroller, scene = taker(ANNA, OTHER)

    taken = enroller.from_image(scene.frame(0, (ANNA, 260, 150, 120), (OTHER, 20, 60, 60)).image, "anna.jpg")

    assert np.allclose(taken.embedding, axis(0))


def test_a_clip_gives_a_few_shots_spread_over_poses():
    enroller, scene = taker(ANNA)
    frames = [scene.frame(n, (ANNA, 200 + n, 150, 120)) for n in range(90)]

    harvest = enroller.from_clip(frames, "clip.mp4")

    assert 1 <= len(harvest.shots) <= 5


def test_a_clip_without_a_good_frame_is_refused_with_the_commonest_reason():
    enroller, scene = taker(ANNA)
    frames = [scene.frame(n, (ANNA, 300, 200, 30)) for n in range(60)]

    with pytest.raises(EnrolmentRefused, match=r"come closer.*none of \d+"):
        enroller.from_clip(frames, "clip.mp4")


def test_an_empty_clip_is_refused():
    enroller, _ = taker(ANNA)

    with pytest.raises(EnrolmentRefused, match=r"^clip\.mp4 holds no picture that can be read"):
        enroller.from_clip([], "clip.mp4")


def test_one_odd_picture_among_several_is_left_out():
    shots = [shot(leaning(0, 0.9, other=n), f"{n}.jpg") for n in (3, 4, 5)]

    good = agreeing(Harvest([*shots, shot(axis(1), "wrong.jpg")]))

    assert len(good.shots) == 3
    assert "wrong.jpg: does not resemble" in str(good.refused[0])


def test_two_pictures_of_two_people_are_refused_both():
    with pytest.raises(EnrolmentRefused, match="two people"):
        agreeing(Harvest([shot(axis(0), "a.jpg"), shot(axis(1), "b.jpg")]))


def test_nothing_usable_is_refused_with_all_the_reasons():
    with pytest.raises(EnrolmentRefused, match=r"a\.jpg: blurred, b\.jpg: dark"):
        agreeing(Harvest(refused=["a.jpg: blurred", "b.jpg: dark"]))


def test_a_resident_is_his_shots_and_their_mean():
    rows = resident_rows([shot(leaning(0, 0.9, other=3)), shot(leaning(0, 0.9, other=4))])

    assert len(rows) == 3
    assert np.allclose(rows[2], mean_of(rows[:2]))
    assert np.linalg.norm(rows[2]) == pytest.approx(1.0)
    assert len(resident_rows([shot(axis(0))])) == 1


def test_a_look_alike_is_refused_by_name_and_number():
    gallery = Residents({"flat-1203": axis(0), "flat-7": axis(1)}, threshold=0.5)

    with pytest.raises(EnrolmentRefused, match=r"flat-9 looks like flat-1203 \(similarity 0.80"):
        refuse_lookalike(gallery, "flat-9", [leaning(0, 0.8)])


def test_a_resident_may_resemble_himself_and_nobody_else():
    gallery = Residents({"flat-1203": axis(0), "flat-7": axis(1)}, threshold=0.5)

    refuse_lookalike(gallery, "flat-1203", [axis(0)])
    with pytest.raises(EnrolmentRefused, match="flat-7"):
        refuse_lookalike(gallery, "flat-1203", [leaning(1, 0.7)])
