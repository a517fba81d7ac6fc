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

    def note_jump(self, time: float) -> dict[str, Any] | None:
        """Take note that the scene jumped."""
        self._jumps.append(time)
        is_often = len(self._jumps) == JUMPS and time - self._jumps[0] <= JUMP_SECONDS
        if "jumping" in self._troubles or not is_often:
            return None
        return self._begin("jumping", way_out="look at the light, the lens and the camera's link")

    def settle(self, time: float) -> dict[str, Any] | None:
        """Say that the jumping is over, once, after a minute without any."""
        return self._end("jumping") if self._jumps and time - self._jumps[-1] >= CALM_SECONDS else None

    def _begin(self, state: str, **told: str) -> dict[str, Any]:
        self._troubles[state] = {"state": state, **told}
        return self._troubles[state]

    def _end(self, state: str) -> dict[str, Any] | None:
        if self._troubles.pop(state, None) is None:
            return None
        return next(iter(self._troubles.values()), {"state": "ok"})
