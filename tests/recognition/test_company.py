"""Whoever stands behind a resident while the door is unlocked is told of, once, when it is locked again."""

from __future__ import annotations

from edge.recognition.company import Company


def test_more_faces_than_people_let_in_are_told_when_the_door_is_locked_again():
    company = Company()
    company.unlocked(10.0, 5.0)
    assert [company.see(10.0 + n, faces) for n, faces in enumerate([1, 3, 2, 1, 0])] == [None] * 5
    assert company.see(15.1, 0) == {"most_faces": 3, "let_in": 1}
    assert company.see(15.2, 4) is None


def test_one_face_for_each_who_was_let_in_is_no_news():
    company = Company()
    company.unlocked(10.0, 5.0)
    company.unlocked(12.0, 5.0)
    company.see(13.0, 2)
    assert company.see(16.0, 2) is None, "still unlocked for the second"
    assert company.see(17.1, 1) is None


def test_faces_before_and_after_do_not_count():
    company = Company()
    assert company.see(1.0, 9) is None
    company.unlocked(10.0, 5.0)
    company.see(11.0, 1)
    assert company.see(20.0, 9) is None
