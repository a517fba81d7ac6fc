"""What makes the whole picture unfit is told once, and told again when it is over."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from edge.domain import Frame
from edge.events import Kind
from edge.recognition.notices import StaffNotices
from edge.recognition.picture import CALM_SECONDS, SHAPE_SECONDS, PictureTrouble


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
