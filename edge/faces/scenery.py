"""Faces that hang there: posters, portraits, screens. What never moves is part of the place.

Two ways to become scenery. A *picture* is the same in every pixel for some seconds, but for light
and noise; nobody who breathes manages that. A *screen* moves, but its face stays in one place for
long, and nothing ever came of looking at it. Scenery is neither compared nor counted nor "somebody
else near", and it cannot be let in. It is released as soon as the place changes: another picture
there, or a face that leaves it. A face that came from elsewhere is never the scenery it stands in
front of, unless it is that very picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.faces.quality import pose

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edge.domain import Box, Face, Image
    from edge.faces.tracker import Track

    Patch = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

PATCH_PX = 24
PATCH_REACH = 0.75
"""The patch is a square this many face widths to each side of the face's centre."""

SAME_PICTURE = 0.09
"""Most mean difference of two patches, each of mean 0 and deviation 1, that is light and noise.
Posters of 50 and 100 px faces under noise of 3 and 10 counts, coded at crf 35, or in light that
swings by 20 %, gave 0.07 at most over 4 s; six living people before fixed cameras 0.2 at least."""

SAME_POSE_DEG = 14.0
"""Most that the yaw and the pitch of the five landmarks wander together, as their ranges' sum. The
same posters: 2.9 to 13.2 in 4 s; living people 15.8 and more."""

STILL_SECONDS = 4.0
STILL_LOOKS = 4
"""At the slowest pace a face is looked at once a second."""

SCREEN_SECONDS = 30.0
IN_PLACE_WIDTHS = 0.35
IN_PLACE_RATIO = 1.25
"""A face stays in its place while its centre is this near, in its own widths, and its size alike."""

PLACE_LIFE_SECONDS = 24 * 3600.0
"""A picture that a van hid for an hour, or the night, is not told anew."""

MOST_PLACES = 16


@dataclass(slots=True)
class _Stay:
    """How long one track has been where it is, and since when nothing there has changed."""

    box: Box
    since: float
    patch: Patch
    still_since: float
    still_looks: int = 0
    poses: list[tuple[float, float]] = field(default_factory=list)
    """Least and most of yaw and of pitch, in degrees, since nothing changes."""

    def is_still(self, patch: Patch, face: Face, time: float) -> bool:
        """Take what the place and its face look like now; say whether both have long stayed the same."""
        yaw, pitch, _ = pose(face.landmarks)
        before = self.poses or [(yaw, yaw), (pitch, pitch)]
        poses = [
            (min(low, now), max(high, now)) for (low, high), now in zip(before, (yaw, pitch), strict=True)
        ]
        if _is_same(patch, self.patch) and sum(high - low for low, high in poses) <= SAME_POSE_DEG:
            self.poses = poses
            self.still_looks += 1
        else:
            self.patch, self.still_since, self.still_looks, self.poses = patch, time, 0, []
        return self.still_looks >= STILL_LOOKS and time - self.still_since >= STILL_SECONDS


@dataclass(slots=True)
class HangingPicture:
    """Where a face hangs, in pixels: what it looks like (a picture) or whose track it is (a screen)."""

    box: Box
    patch: Patch
    seen_at: float
    track_id: int | None = None

    @property
    def kind(self) -> str:
        """`picture` or `screen`."""
        return "picture" if self.track_id is None else "screen"


class Scenery:
    """Tells visitors from what hangs there. One thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._stays: dict[int, _Stay] = {}
        self._places: list[HangingPicture] = []
        self.news: list[HangingPicture] = []
        """Places found since somebody last emptied this list; each is listed once."""

    def visitors(
        self,
        image: Image,
        tracks: Sequence[Track],
        time: float,
        hopeless: Collection[int],
        let_in: Collection[int] = (),
    ) -> list[Track]:
        """Return the tracks that are people, or may be.

        `hopeless` are the tracks that were looked at often enough and never came to anything: only
        they can be a screen. Somebody who was `let_in` is never among them, and how long they stood there
        until then proves nothing against them.
        """
        # Only where there are faces: an empty corridor costs no conversion.
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if tracks else None
        self._places = [one for one in self._places if time - one.seen_at <= PLACE_LIFE_SECONDS]
        self._stays = {track.id: self._stays[track.id] for track in tracks if track.id in self._stays}
        # Who was let in, and is refused after the door fell shut, is no screen for having stood there before.
        for stay in (self._stays[track_id] for track_id in let_in if track_id in self._stays):
            stay.since = time
        return [track for track in tracks if not self._hangs(grey, track, time, track.id in hopeless)]

    def _hangs(self, grey: Image | None, track: Track, time: float, is_hopeless: bool) -> bool:  # noqa: FBT001
        if grey is None or not (known := self._find(grey, track)):
            return grey is not None and self._settles(grey, track, time, is_hopeless)
        known.seen_at = time
        return True

    def _find(self, grey: Image, track: Track) -> HangingPicture | None:
        """Return the known place that this face is, or None; a screen's track that left ends its place."""
        for place in self._places:
            inside = _is_in_place(track.face.box, place.box)
            # A screen moves, so its place is known by its track alone: who comes there is somebody else.
            if place.track_id == track.id:
                if inside:
                    return place
                # It left its place, so it hangs there no more: looked at from here on, as anybody's face.
                self._places.remove(place)
                return None
            if place.track_id is None and inside and self._is_picture(grey, place):
                return place
        return None

    def _is_picture(self, grey: Image, place: HangingPicture) -> bool:
        patch = _patch(grey, place.box)
        if not _is_same(patch, place.patch):
            return False
        place.patch = np.asarray(0.95 * place.patch + 0.05 * patch, np.float32)  # the sun goes round
        return True

    def _settles(self, grey: Image, track: Track, time: float, is_hopeless: bool) -> bool:  # noqa: FBT001
        """Follow how long this face has been where it is; True when it has become scenery now."""
        box = track.face.box
        stay = self._stays.get(track.id)
        if stay is None or not _is_in_place(box, stay.box):
            self._stays[track.id] = _Stay(box, time, _patch(grey, box), time)
            return False
        # Of the box it came to rest in, so that patches can be compared: the newest box wanders.
        if stay.is_still(_patch(grey, stay.box), track.face, time):
            self._add(HangingPicture(stay.box, stay.patch, time))
            return True
        if is_hopeless and time - stay.since >= SCREEN_SECONDS:
            self._add(HangingPicture(stay.box, stay.patch, time, track.id))
            return True
        return False

    def _add(self, place: HangingPicture) -> None:
        # What was hidden for a while, or lost its track, is the same picture: told once, kept once.
        is_known = any(_is_in_place(place.box, other.box) for other in self._places)
        self._places = [*(one for one in self._places if not _is_in_place(place.box, one.box)), place]
        self._places = self._places[-MOST_PLACES:]
        if not is_known:
            self.news.append(place)


def _is_in_place(box: Box, place: Box) -> bool:
    (x, y), (place_x, place_y) = box.centre, place.centre
    reach = IN_PLACE_WIDTHS * place.width
    ratio = box.width / max(place.width, 1e-6)
    is_near = abs(x - place_x) <= reach and abs(y - place_y) <= reach
    return is_near and 1 / IN_PLACE_RATIO <= ratio <= IN_PLACE_RATIO


def _patch(grey: Image, box: Box) -> Patch:
    """Return what the place looks like now, whatever the light: mean 0, deviation 1 (flat: all 0)."""
    height, width = grey.shape[:2]
    (x, y), reach = box.centre, PATCH_REACH * box.width
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    right, bottom = min(int(x + reach) + 1, width), min(int(y + reach) + 1, height)
    if right - left < 2 or bottom - top < 2:
        return np.zeros((PATCH_PX, PATCH_PX), np.float32)
    small = cv2.resize(grey[top:bottom, left:right], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32) - float(small.mean())
    # A deviation under 4 of 255 is noise: divided by less, a bare wall would look different in each frame.
    return np.asarray(values / max(float(values.std()), 4.0), np.float32)


def _is_same(one: Patch, other: Patch) -> bool:
    return bool(np.abs(one - other).mean() <= SAME_PICTURE)
