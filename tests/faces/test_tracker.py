"""Who is who from frame to frame, with literal boxes, state checked after every step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import Box, Face
from edge.faces.tracker import Tracker


def face(left: float, top: float = 100, width: float = 80) -> Face:
    box = Box(left, top, left + width, top + width * 1.2)
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


def ids(tracker: Tracker, time: float, *faces: Face) -> list[int]:
    return [track.id for track in tracker.update(faces, time)[0]]


def steady(tracker: Tracker, time: float, *faces: Face) -> list[bool]:
    return [track.is_steady for track in tracker.update(faces, time)[0]]


def test_a_new_face_has_a_new_id_and_is_not_yet_steady():
    tracks, ended = Tracker().update([face(100)], 0.0)

    assert [(track.id, track.is_steady, track.first_seen) for track in tracks] == [(1, False, 0.0)]
    assert ended == []


def test_a_walking_face_keeps_its_id():
    tracker = Tracker()
    for n in range(20):
        assert ids(tracker, n / 15, face(100 + 12 * n)) == [1]


def test_a_short_loss_keeps_the_id_a_long_one_does_not():
    tracker = Tracker()
    assert ids(tracker, 0.0, face(100)) == [1]
    assert ids(tracker, 0.3) == []
    assert ids(tracker, 0.6, face(105)) == [1]
    assert tracker.update([], 1.4) == ([], [1])
    assert ids(tracker, 1.5, face(105)) == [2]


def test_after_a_gap_the_face_may_be_another_one():
    tracker = Tracker()
    assert steady(tracker, 0.0, face(100)) == [False]
    assert steady(tracker, 0.1, face(100)) == [True]
    assert steady(tracker, 0.65, face(100)) == [False]


def test_two_that_cross_keep_their_ids_or_get_new_ones_but_are_in_doubt_when_near():
    tracker = Tracker()
    doubted = False
    for n in range(30):
        tracks, _ = tracker.update([face(100 + 14 * n), face(520 - 14 * n, top=110)], n / 15)
        near = abs((100 + 14 * n) - (520 - 14 * n)) < 0.8 * 80
        if near:
            assert not any(track.is_steady for track in tracks)
            doubted = True
    assert doubted


def test_a_face_that_appears_beside_another_takes_nothing_over():
    tracker = Tracker()
    ids(tracker, 0.0, face(100))
    ids(tracker, 0.07, face(100), face(300))

    assert ids(tracker, 0.14, face(300)) == [2]


def test_a_face_that_doubles_in_size_is_another_face():
    tracker = Tracker()
    ids(tracker, 0.0, face(200, width=60))

    assert ids(tracker, 0.07, face(180, width=120)) == [2]


def test_a_step_back_in_time_ends_every_track():
    tracker = Tracker()
    ids(tracker, 10.0, face(100))

    assert tracker.update([], 9.0) == ([], [1])


def test_clear_ends_everybody():
    tracker = Tracker()
    ids(tracker, 0.0, face(100), face(300))

    assert tracker.clear() == [1, 2]
    assert ids(tracker, 0.1, face(100)) == [3]


@given(
    st.lists(
        st.lists(st.tuples(st.floats(-50, 700), st.floats(-50, 500), st.floats(1, 300)), max_size=6),
        max_size=15,
    )
)
def test_ids_are_unique_per_frame_and_every_track_ends_once(frames):
    tracker = Tracker()
    ended: list[int] = []
    seen: set[int] = set()
    for n, placed in enumerate(frames):
        tracks, gone = tracker.update([face(*card) for card in placed], n / 10)
        assert len({track.id for track in tracks}) == len(placed)
        seen |= {track.id for track in tracks}
        ended += gone
    ended += tracker.clear()
    assert sorted(ended) == sorted(seen)


def test_whoever_stands_behind_somebody_leaves_no_doubt_about_them():
    """The next one in a queue stands there all the time."""
    tracker = Tracker()
    for n in range(10):
        front = steady(tracker, n / 15, face(200, width=150), face(325, width=105))[0]
        assert front is (n > 0)


def test_somebody_as_near_does_and_so_does_who_is_behind_where_the_face_was_as_small():
    tracker = Tracker()
    for n in range(3):
        assert steady(tracker, n / 15, face(200, width=150), face(300, width=130))[0] is False
    shrunk = Tracker()
    steady(shrunk, 0.0, face(200, width=115), face(300, width=100))
    assert steady(shrunk, 0.1, face(195, width=150), face(300, width=100))[0] is False
