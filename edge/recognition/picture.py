"""Notices when the picture itself is in the way: faces on their side, scenes that jump, another shape."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

TURNED_VISITORS = 3
"""So many visitors in a row, none of them upright: the camera is turned, not the people."""

JUMPS = 5
JUMP_SECONDS = 10.0
"""So many new scenes in so little time keep everybody from being recognised: a strobe, a bad link, or a
picture that switches between two cameras."""

CALM_SECONDS = 60.0
"""Without a sign of it for so long trouble counts as over: a link that went to and fro between two shapes was
two events every five seconds."""

WHOLE = 0.7
"""A jump that changes less of the picture may be somebody close by who steps in, or out. Seven people
(faces of 140 to 200 px) who come in or cross in 0.7 to 1 s changed at most 0.67, nine in ten of 2,850 cuts
between clips and photographs that have nothing to do with each other 0.76 and more."""

PERSON_SECONDS = 1.0
"""So long before or after such a jump the face of who stepped in or out is seen."""

SHAPE = 0.03
"""By so much the ratio of width to height may change: encoders fill up to whole blocks, 1,088 for 1,080."""

SHAPE_SECONDS = 5.0
"""A picture of another shape counts when it has been so for this long."""


class PictureTrouble:
    """Notices what makes the whole picture unfit, and when it is over. One thread.

    Each method returns the data of a `health.picture` event when there is news, else None. Where one trouble
    ends and another goes on, that one is told again. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._troubles: dict[str, dict[str, Any]] = {}
        self._turned: dict[int, int] = {}
        self._size: tuple[int, int] | None = None
        self._is_odd = False
        self._shape_since = float("-inf")
        self._jumps: deque[float] = deque(maxlen=JUMPS)
        self._partial: deque[float] = deque(maxlen=JUMPS)
        self._person_at = float("-inf")

    def note_face(self, track_id: int, turn: int) -> dict[str, Any] | None:
        """Take which way up a face was that was looked at closely: `turn` degrees, 0 for upright."""
        if not turn:
            self._turned.clear()
            return self._end("turned")
        self._turned[track_id] = turn
        if "turned" in self._troubles or len(self._turned) < TURNED_VISITORS:
            return None
        most = Counter(self._turned.values()).most_common(1)[0][0]
        return self._begin("turned", way_out=f"camera.rotate = {most}, added to what is set now")

    def note_size(self, width: int, height: int, time: float) -> dict[str, Any] | None:
        """Take the picture's size: one of another shape than the first may be squeezed, and so its faces.

        A camera whose resolution is changed while the door runs may show the whole scene in the new shape:
        narrow faces, which are recognised less surely, or not at all. Nothing in the stream tells.
        """
        first = self._size = self._size or (width, height)
        is_odd = abs(width * first[1] / (height * first[0]) - 1) > SHAPE
        if is_odd != self._is_odd:
            self._is_odd, self._shape_since = is_odd, time
        lasted = time - self._shape_since
        if not is_odd:
            # Not at once: a link that goes to and fro between two shapes is one trouble.
            return self._end("reshaped") if lasted >= CALM_SECONDS else None
        if "reshaped" in self._troubles or lasted < SHAPE_SECONDS:
            return None
        return self._begin("reshaped", was="x".join(map(str, first)), now=f"{width}x{height}")

    def note_people(self, time: float) -> None:
        """Take note that somebody's face is in view: theirs was what jumped just now."""
        self._person_at = time
        self._partial.clear()

    def note_jump(self, time: float, changed: float = 1.0) -> dict[str, Any] | None:
        """Take note that the scene jumped; `changed` is how much of the picture is another than before."""
        if changed >= WHOLE:
            return self._count_jump(time)
        # Held back for a moment: the face of whoever stepped in is often found only on the next frames.
        if not 0 <= time - self._person_at <= PERSON_SECONDS:
            self._partial.append(time)
        return None

    def _count_jump(self, time: float) -> dict[str, Any] | None:
        self._jumps.append(time)
        is_often = len(self._jumps) == JUMPS and time - self._jumps[0] <= JUMP_SECONDS
        if "jumping" in self._troubles or not is_often:
            return None
        return self._begin("jumping", way_out="look at the light, the lens and the camera's link")

    def settle(self, time: float) -> dict[str, Any] | None:
        """Count the jumps that no face explains by now; say once when there was none for a minute."""
        news = None
        while self._partial and time - self._partial[0] > PERSON_SECONDS:
            news = self._count_jump(self._partial.popleft()) or news
        if news is not None:
            return news
        return self._end("jumping") if self._jumps and time - self._jumps[-1] >= CALM_SECONDS else None

    def _begin(self, state: str, **told: str) -> dict[str, Any]:
        self._troubles[state] = {"state": state, **told}
        return self._troubles[state]

    def _end(self, state: str) -> dict[str, Any] | None:
        if self._troubles.pop(state, None) is None:
            return None
        return next(iter(self._troubles.values()), {"state": "ok"})
