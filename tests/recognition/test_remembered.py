"""A face that steps out and in again goes on with its visit; another face does not."""

from __future__ import annotations

from edge.domain import Reason
from edge.recognition.remembered import MEMORY_SECONDS, MOST_FACES, RecentFaces
from edge.recognition.visits import Visit
from tests.fakes.scene import axis, leaning
from tests.present import present


def ended(face, looks: int = 2, told: set[Reason] | None = None) -> Visit:
    visit = Visit(1, 0.0)
    visit.evidence.add(0.0, face)
    visit.evidence.looks = looks
    visit.told = told or set()
    return visit


def test_the_same_face_is_known_and_what_it_spent_with_it():
    recent = RecentFaces()
    recent.keep(ended(axis(3), 4, {Reason.UNKNOWN_CREDENTIAL}), 10.0)

    known = recent.recall(leaning(3, 0.7), 60.0)

    assert known is not None
    assert (known.looks, known.told) == (4, frozenset({Reason.UNKNOWN_CREDENTIAL}))
    assert recent.recall(axis(4), 60.0) is None


def test_a_face_is_forgotten_after_some_minutes():
    recent = RecentFaces()
    recent.keep(ended(axis(3)), 10.0)
    assert recent.recall(axis(3), 10.0 + MEMORY_SECONDS) is not None
    assert recent.recall(axis(3), 10.1 + MEMORY_SECONDS) is None


def test_each_visit_of_a_face_replaces_the_one_before():
    recent = RecentFaces()
    for looks in (2, 5, 9):
        recent.keep(ended(axis(3), looks), float(looks))
    assert present(recent.recall(axis(3), 10.0)).looks == 9
    assert len(recent._faces) == 1


def test_memory_is_bounded_and_shows_no_face():
    recent = RecentFaces()
    recent.keep(Visit(1, 0.0), 0.0)
    assert not recent._faces, "nobody was looked at"
    for n in range(10 * MOST_FACES):
        recent.keep(ended(axis(n % 16)), float(n))
    assert len(recent._faces) <= MOST_FACES
    assert "face" not in repr(recent._faces[0]).lower().replace("remembered", "")
