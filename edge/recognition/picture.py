"""Notices when the picture itself is in the way: faces lie on their side, or the scene keeps jumping."""

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


class PictureTrouble:
    """Notices what makes the whole picture unfit, and when it is over. One thread.

    Each method returns the data of a `health.picture` event when there is news, else None. Times are
    monotonic seconds.
    """

    def __init__(self) -> None:
        self._turned: dict[int, int] = {}
        self._is_turned = False
        self._jumps: deque[float] = deque(maxlen=JUMPS)
        self._jumps_since: float | None = None

    def note_face(self, track_id: int, turn: int) -> dict[str, Any] | None:
        """Take which way up a face was that was looked at closely: `turn` degrees, 0 for upright."""
        if not turn:
            self._turned.clear()
            was, self._is_turned = self._is_turned, False
            return {"state": "ok"} if was else None
        self._turned[track_id] = turn
        if self._is_turned or len(self._turned) < TURNED_VISITORS:
            return None
        self._is_turned = True
        most = Counter(self._turned.values()).most_common(1)[0][0]
        return {"state": "turned", "way_out": f"camera.rotate = {most}, added to what is set now"}

    def note_jump(self, time: float) -> dict[str, Any] | None:
        """Take note that the scene jumped."""
        self._jumps.append(time)
        if self._jumps_since is not None or len(self._jumps) < JUMPS:
            return None
        if time - self._jumps[0] > JUMP_SECONDS:
            return None
        self._jumps_since = time
        return {"state": "jumping", "way_out": "look at the light, the lens and the camera's link"}

    def settle(self, time: float) -> dict[str, Any] | None:
        """Say that the jumping is over, once, after a minute without any."""
        if self._jumps_since is None or time - self._jumps[-1] < CALM_SECONDS:
            return None
        self._jumps_since = None
        return {"state": "ok"}
