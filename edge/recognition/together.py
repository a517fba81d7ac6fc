"""Several people in one picture: who is nearest, who covers whom, and who is looked at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.faces.tracker import NEARER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box
    from edge.faces.tracker import Track
    from edge.recognition.visits import Visit

COVERING = 0.1
"""Of the smaller of two faces' boxes: a detector draws both a little generously."""


def width(track: Track) -> float:
    """Return how wide the face is, in pixels: the nearest are the widest."""
    return track.face.box.width


def is_apart(track: Track, tracks: Sequence[Track]) -> bool:
    """Return whether no other face covers a part of this one, so that it can be judged by itself.

    Whoever stands behind it covers nothing, and boxes that only touch, as in a queue, do not either.
    """
    box = track.face.box
    return not any(
        other.id != track.id
        and not _stands_behind(other.face.box, box)
        and _overlap(other.face.box, box) >= COVERING
        for other in tracks
    )


def _stands_behind(other: Box, box: Box) -> bool:
    """Say whether the narrower of two faces is farther off than the wider one, `box`, and behind it.

    Half as wide it is twice as far off. Less narrow it may be a picture that is held before the other face:
    then its middle is within that one.
    """
    x, y = other.centre
    is_within = box.left <= x <= box.right and box.top <= y <= box.bottom
    return other.width < box.width / 2 or (other.width * NEARER <= box.width and not is_within)


def _overlap(one: Box, other: Box) -> float:
    """Return the part of the smaller box that both share."""
    iou = one.iou(other)
    # What both share is iou / (1 + iou) of the sum of their areas: iou = shared / (sum - shared).
    return iou / (1 + iou) * (one.area + other.area) / max(min(one.area, other.area), 1e-6)


def is_behind(track: Track, tracks: Sequence[Track]) -> bool:
    """Return whether the head of somebody nearer may cover a part of this face.

    A head with its hair is some 1.7 times as wide as the face, and 2.2 times as high.
    """
    box = track.face.box
    # Half of that head to each side, and half of this face: nearer than both together they overlap.
    return any(
        other.face.box.width >= NEARER * box.width
        and abs(other.face.box.centre[0] - box.centre[0]) < 0.86 * other.face.box.width + box.width / 2
        and abs(other.face.box.centre[1] - box.centre[1]) < 1.1 * other.face.box.width + box.height / 2
        for other in tracks
    )


def is_nearest(track: Track, tracks: Sequence[Track]) -> bool:
    """Return whether no other face is wider."""
    return all(track.face.box.width >= other.face.box.width for other in tracks)


def urgency(candidate: tuple[Track, Visit]) -> tuple[bool, float, int]:
    """Return the order of close looks: never looked at, then waiting longest, then the older track."""
    track, visit = candidate
    # The last two only settle ties, so that a replay picks the same face: `-inf` is shared by all new visits.
    return not visit.own_looks, -visit.next_look, -track.id
