"""Who is who from frame to frame: stable ids through short losses, and doubt when in doubt.

A track only says "probably the same person"; it never carries a name. When another face is
near, a box jumps or a gap opens, the track is marked unsteady and whatever was learned about
it must be earned again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.domain import Box, Face

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_GAP_SECONDS = 0.7
"""A face missing for longer is a new visit: a blink of the detector lasts one to three frames."""

STEADY_IOU = 0.4
"""Least overlap with the last box for evidence to carry over; a swap between neighbours in a
crowd clip happened at 0.25."""

ALONE_IOU = 0.3
"""Enough while no other face is or was in view: a head that bobs between two slow looks."""

STEADY_GAP_SECONDS = 0.45
"""Evidence does not survive a longer absence; two skipped looks at the slowest busy pace."""

MAX_SIZE_RATIO = 1.6
"""A face that grows or shrinks more between two looks is another face."""

NEAR_WIDTHS = 0.8
"""Centres closer than this many face widths: the two could have been exchanged."""

NEARER = 1.25
"""Somebody whose face is so many times as wide stands before the other, and was not exchanged with them
unseen: one of the two would have grown by as much between two looks, and the other shrunk."""


@dataclass(frozen=True, slots=True)
class Track:
    """One followed face as of now. `is_steady` is False when it may be somebody else than before."""

    id: int
    face: Face
    first_seen: float
    last_seen: float
    velocity: tuple[float, float]
    is_steady: bool


class Tracker:
    """Follows faces by overlap with where each should be by now. One thread."""

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}
        self._next_id = 1

    def update(self, faces: Sequence[Face], time: float) -> tuple[list[Track], list[int]]:
        """Return the tracks seen at `time` (in order of id) and the ids that ended.

        `time` is monotonic seconds and must not run backwards; a step back ends every track.
        """
        ended = self._expire(time)
        # Of before this look: a neighbour may just have been lost, and this be theirs.
        others_lately = len(self._tracks) > 1
        pairs = self._assign(faces, time)
        seen = [
            self._follow(face, pairs.get(index), _others(faces, face, others_lately), time)
            for index, face in enumerate(faces)
        ]
        for track in seen:
            self._tracks[track.id] = track
        return sorted(seen, key=lambda track: track.id), ended

    def clear(self) -> list[int]:
        """Forget everybody (the scene jumped) and return the ids that ended."""
        ended = list(self._tracks)
        self._tracks.clear()
        return ended

    def _expire(self, time: float) -> list[int]:
        ended = [
            track.id for track in self._tracks.values() if not 0 <= time - track.last_seen <= MAX_GAP_SECONDS
        ]
        for track_id in ended:
            del self._tracks[track_id]
        return ended

    def _assign(self, faces: Sequence[Face], time: float) -> dict[int, Track]:
        """Pair faces with tracks, best likeness first; ties go to the older track."""
        scored = [
            (likeness, -track.id, index, track)
            for track in self._tracks.values()
            for index, face in enumerate(faces)
            if (likeness := _likeness(track, face, time)) > 0
        ]
        pairs: dict[int, Track] = {}
        taken: set[int] = set()
        for _, _, index, track in sorted(scored, key=lambda row: row[:3], reverse=True):
            if index not in pairs and track.id not in taken:
                pairs[index] = track
                taken.add(track.id)
        return pairs

    def _follow(self, face: Face, track: Track | None, others: Sequence[Face] | None, time: float) -> Track:
        if track is None:
            track_id, self._next_id = self._next_id, self._next_id + 1
            # Nothing is known of a new one, so nothing may carry over to it.
            return Track(track_id, face, time, time, (0.0, 0.0), is_steady=False)
        return replace(
            track,
            face=face,
            last_seen=time,
            velocity=_velocity(track, face, time),
            is_steady=_is_steady(track, face, others, time),
        )


def _likeness(track: Track, face: Face, time: float) -> float:
    """Return 0 for "cannot be", else overlap with the predicted box plus nearness of centres."""
    last = track.face.box
    ratio = face.box.width / max(last.width, 1e-6)
    if not 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
        return 0.0
    elapsed = time - track.last_seen
    dx, dy = track.velocity[0] * elapsed, track.velocity[1] * elapsed
    predicted = Box(last.left + dx, last.top + dy, last.right + dx, last.bottom + dy)
    # Where they were counts as well: whoever stops short is not where their speed would have them.
    overlap = max(predicted.iou(face.box), last.iou(face.box))
    # A tenth for nearness finds a face again that moved by less than its width and overlaps no more; where
    # boxes overlap it hardly counts.
    away = _centre_distance(predicted, face.box) / max(last.width, 1e-6)
    return overlap + max(0.0, 1.0 - away) * 0.1


def _others(faces: Sequence[Face], face: Face, others_lately: bool) -> list[Face] | None:  # noqa: FBT001
    """Return the other faces, or None when nobody else is in view or was a moment ago."""
    others = [other for other in faces if other is not face]
    return others if others or others_lately else None


def _is_steady(track: Track, face: Face, others: Sequence[Face] | None, time: float) -> bool:
    # With where it really was, not with where it should be by now: a prediction proves nothing about who it
    # is.
    overlap = track.face.box.iou(face.box)
    if time - track.last_seen > STEADY_GAP_SECONDS:
        return False
    if others is None:
        return overlap >= ALONE_IOU
    reach = NEAR_WIDTHS * face.box.width
    # Whoever stands behind them does not count, as the next one in a queue does all the time: by then this
    # face would never be steady.
    alike = min(face.box.width, track.face.box.width) / NEARER
    return overlap >= STEADY_IOU and not any(
        _centre_distance(other.box, face.box) < reach or _centre_distance(other.box, track.face.box) < reach
        for other in others
        if other.box.width > alike
    )


def _velocity(track: Track, face: Face, time: float) -> tuple[float, float]:
    """Return pixels per second, half old and half new: enough to bridge a lost look or two."""
    elapsed = max(time - track.last_seen, 1e-3)
    (x, y), (last_x, last_y) = face.box.centre, track.face.box.centre
    old_x, old_y = track.velocity
    return (old_x + (x - last_x) / elapsed) / 2, (old_y + (y - last_y) / elapsed) / 2


def _centre_distance(one: Box, other: Box) -> float:
    (x, y), (other_x, other_y) = one.centre, other.centre
    return float(((x - other_x) ** 2 + (y - other_y) ** 2) ** 0.5)
