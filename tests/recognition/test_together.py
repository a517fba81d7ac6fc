"""Who is judged by themselves though somebody else is in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from edge.domain import Box, Face
from edge.faces.tracker import Track
from edge.recognition.together import is_apart


def track(number: int, left: float, top: float, width: float) -> Track:
    box = Box(left, top, left + width, top + 1.2 * width)
    return Track(number, Face(box, np.zeros((5, 2), np.float32), 0.9), 0.0, 0.0, (0.0, 0.0), is_steady=True)


FRONT = track(1, 200, 150, 150)


@pytest.mark.parametrize(
    ("left", "width", "wanted"),
    [
        (330, 105, True),  # the next one in a queue, a fifth of their box behind the first one's
        (330, 140, False),  # as near
        (220, 105, False),  # within the head's outline: may be a picture held before it
        (220, 70, True),  # half as wide, and so twice as far off
        (350, 140, True),  # boxes that only touch
    ],
)
def test_a_face_is_judged_where_nobody_covers_a_part_of_it(left, width, wanted):
    assert is_apart(FRONT, [FRONT, track(2, left, 150, width)]) is wanted


def test_who_is_behind_is_not():
    """Of them a part is hidden."""
    behind = track(2, 330, 150, 105)
    assert not is_apart(behind, [FRONT, behind])
