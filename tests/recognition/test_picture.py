"""What makes the whole picture unfit is told once, and told again when it is over."""

from __future__ import annotations

from edge.recognition.picture import CALM_SECONDS, PictureTrouble


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
