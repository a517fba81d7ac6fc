"""What makes the whole picture unfit is told once, and told again when it is over."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from edge.domain import Frame
from edge.events import Kind
from edge.recognition.notices import StaffNotices
from edge.recognition.picture import CALM_SECONDS, SHAPE_SECONDS, PictureTrouble
from edge.recognition.pipeline import Pipeline
from tests.fakes.scene import Actor, Residents, Scene, axis


def test_a_camera_that_sees_only_turned_faces_says_so_and_how_to_mend_it():
    trouble = PictureTrouble()
    assert trouble.note_face(1, 180) is None
    assert trouble.note_face(1, 180) is None
    assert trouble.note_face(2, 180) is None
    news = trouble.note_face(3, 180)
    assert news is not None
    assert news["state"] == "turned"
    assert "camera.rotate = 180" in news["way_out"]
    assert trouble.note_face(4, 180) is None
    assert trouble.note_face(5, 0) == {"state": "ok"}
    assert trouble.note_face(6, 0) is None


def test_one_odd_face_among_upright_ones_is_no_news():
    trouble = PictureTrouble()
    news = [trouble.note_face(n, 180 if n % 3 else 0) for n in range(60)]
    assert news == [None] * 60


def test_jumps_that_repeat_are_told_and_their_end_too():
    trouble = PictureTrouble()
    news = [trouble.note_jump(float(n)) for n in range(20)]
    assert [one["state"] for one in news if one] == ["jumping"]
    assert trouble.settle(19.0 + CALM_SECONDS - 1) is None
    assert trouble.settle(19.0 + CALM_SECONDS) == {"state": "ok"}
    assert trouble.settle(500.0) is None


def test_a_cut_now_and_then_is_no_news():
    trouble = PictureTrouble()
    assert [trouble.note_jump(n * 5.0) for n in range(100)] == [None] * 100


def test_people_who_step_in_and_out_close_by_are_no_trouble_of_the_picture():
    """A body that fills half the picture changes it at once; the face is seen before or after that."""
    trouble = PictureTrouble()
    for person in range(20):
        at = person * 3.0
        assert trouble.note_jump(at, 0.6) is None
        assert trouble.settle(at + 0.3) is None
        trouble.note_people(at + 0.7)
        assert trouble.settle(at + 1.5) is None
        trouble.note_people(at + 1.7)
        assert trouble.note_jump(at + 2.0, 0.5) is None
        assert trouble.settle(at + 2.9) is None


def test_half_a_picture_that_jumps_while_nobody_is_there_is_told():
    trouble = PictureTrouble()
    news = []
    for n in range(20):
        news += [trouble.note_jump(float(n), 0.5), trouble.settle(n + 0.5)]
    assert [one["state"] for one in news if one] == ["jumping"]


def test_a_whole_picture_that_jumps_is_told_whoever_is_there():
    trouble = PictureTrouble()
    news = []
    for n in range(20):
        trouble.note_people(n + 0.5)
        news.append(trouble.note_jump(float(n), 0.9))
    assert [one["state"] for one in news if one] == ["jumping"]


def test_a_crowd_that_walks_in_close_before_the_camera_is_no_trouble_at_the_door():
    """Red before: each of them jumps when they come and when they go."""
    scene = Scene([Actor(0, axis(0))])
    pipeline = Pipeline(scene, scene, Residents({}))
    person, seq = scene.actors[0], 0
    for _ in range(8):
        for left in [None] * 5 + [250.0 + n % 3 for n in range(20)]:
            placed = () if left is None else ((person, left, 100.0, 150.0),)
            seq += 1
            pipeline.observe(_with_body(scene.frame(seq, *placed), is_there=left is not None))
    assert Kind.HEALTH_PICTURE not in {one.kind for one in pipeline.take_notices()}


def _with_body(frame, *, is_there: bool):
    """Return a corridor with doors, and a dark coat under the face that fills half of the picture."""
    image = frame.image.copy()
    wall = np.full_like(image, 118)
    wall[:, 60:140] = wall[:, 500:580] = 60
    wall[20:470:40, :] = 150
    is_wall = (image == 118).all(axis=2)
    image[is_wall] = wall[is_wall]
    if is_there:
        coat = image[280:, 40:600]
        coat[:] = 5
        coat[::20] = 60
        image[:280, 180:250] = image[:280, 402:470] = 5
    return Frame(image, frame.seq, frame.time, frame.at)


def sized(trouble, sizes):
    """Return what is told of pictures of these sizes, one a second."""
    return [news for n, (width, height) in enumerate(sizes) if (news := trouble.note_size(width, height, n))]


def test_a_picture_that_changes_its_shape_is_told_once_and_when_it_has_it_again():
    long = round(2 * SHAPE_SECONDS)
    sizes = [(1920, 1080)] * 3 + [(640, 480)] * long + [(270, 480)] * long + [(640, 360)] * 62
    assert sized(PictureTrouble(), sizes) == [
        {"state": "reshaped", "was": "1920x1080", "now": "640x480"},
        {"state": "ok"},
    ]


def test_another_size_of_the_same_shape_and_a_moment_of_another_one_are_no_news():
    short = round(SHAPE_SECONDS) - 1
    assert not sized(PictureTrouble(), [(1920, 1080), (1920, 1088), (1280, 720), (2560, 1440)] * 10)
    assert not sized(PictureTrouble(), ([(640, 360)] + [(640, 480)] * short) * 10)


def test_a_link_that_goes_to_and_fro_between_two_shapes_is_one_trouble():
    there, back = [(640, 480)] * 8, [(640, 360)] * 8
    told = sized(PictureTrouble(), [(640, 360), *(there + back) * 200, *[(640, 360)] * 62])
    assert [one["state"] for one in told] == ["reshaped", "ok"]


def test_a_trouble_that_goes_on_is_told_again_when_another_one_ends():
    trouble = PictureTrouble()
    for n in range(4):
        trouble.note_face(n, 90)
    for n in range(20):
        trouble.note_jump(float(n))
    after = trouble.settle(19.0 + CALM_SECONDS)
    assert after is not None
    assert after["state"] == "turned"
    assert trouble.note_face(9, 0) == {"state": "ok"}


def test_staff_are_told_by_an_event_of_the_camera_s_picture():
    notices = StaffNotices()
    for n in range(30):
        size = (1080, 1920, 3) if n < 5 else (480, 640, 3)
        notices.of_rest(Frame(np.zeros(size, np.uint8), n, float(n), datetime.now(UTC)))
    (draft,) = notices.take()
    assert draft.kind == Kind.HEALTH_PICTURE
    assert draft.data == {"state": "reshaped", "was": "1920x1080", "now": "640x480"}
