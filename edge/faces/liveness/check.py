"""Passive liveness behind `edge.ports.LivenessCheck`: nothing is asked of the visitor."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from edge.domain import Liveness, Reason
from edge.errors import FrameRefused
from edge.faces.liveness.binding import embedded, is_one_face, witness
from edge.faces.liveness.fusion import THRESHOLD, fuse
from edge.faces.liveness.gate import GateLimits, Hindrance, hindrance, is_badly_lit
from edge.faces.liveness.lockout import Lockout
from edge.faces.liveness.window import Sample, Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.domain import Face, Frame
    from edge.faces.liveness.nets import PassiveNet
    from edge.ports import Embedder

ANSWER_SECONDS = 3.0
"""After this long without enough judged frames the visitor is told what hinders."""


class PassiveCheck:
    """Scores every frame of a track with all its networks and decides on their mean.

    Fails closed: a network that answers nonsense, too few frames, frames withheld or a face
    exchanged on the way never pass. One thread, the one that recognises.
    """

    def __init__(
        self,
        nets: Sequence[PassiveNet],
        embedder: Embedder,
        limits: GateLimits | None = None,
        lockout: Lockout | None = None,
    ) -> None:
        self._nets = nets
        self._embedder = embedder
        self._limits = limits or GateLimits()
        self._lockout = lockout or Lockout()
        self._windows: dict[int, Window] = {}

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Take one frame of a track; `alone` is False when another face is in view."""
        window = self._windows.setdefault(track_id, Window(frame.time, frame.time))
        window.see(frame.time)
        hindered = hindrance(face, alone, frame.image.shape[:2], self._limits)
        if hindered is not None:
            window.hindrances[hindered] += 1
        if hindered is Hindrance.NOT_ALONE:
            window.restart()
        if hindered is None and window.is_due(frame.time) and not self._lockout.is_locked(frame.time):
            self._score(frame, face, window)

    def _score(self, frame: Frame, face: Face, window: Window) -> None:
        try:
            scores = {net.spec.name: net.score(frame.image, face.box) for net in self._nets}
        except FrameRefused:
            window.refusal = Liveness(False, None, Reason.PAD_UNAVAILABLE)
            return
        badly_lit = is_badly_lit(frame.image, face.box, self._limits)
        window.add(Sample(frame.time, scores, witness(frame.image, face), badly_lit))

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:  # noqa: ARG002
        """Return the verdict on this track now, or None while more frames are wanted.

        Nothing more is asked of one resident than of another. A refusal stands until the track is
        reset; a pass is worked out anew each time.
        """
        window = self._windows.get(track_id)
        if window is None:
            return None
        if window.wanted_since is None:
            window.wanted_since = window.last_seen
        if window.refusal is not None:
            return window.refusal
        if self._lockout.is_locked(window.last_seen):
            return Liveness(False, None, Reason.LOCKOUT_MAX_ATTEMPTS)
        if not window.is_full():
            self._use_the_wait(window)
            return self._unanswered(window)
        if window.judged_at != window.last_seen:
            window.judged_at, window.judged = window.last_seen, self._verdict(window)
        return window.judged

    def _use_the_wait(self, window: Window) -> None:
        """Embed one witness now rather than all when the verdict is due: an embedding takes long."""
        waiting = [window.samples[index].witness for index in (0, 4) if index < len(window.samples)]
        missing = next((one for one in waiting if one.embedding is None), None)
        if missing is not None:
            with suppress(FrameRefused):  # the verdict will meet the same witness, and fail
                embedded(missing, self._embedder)

    def _unanswered(self, window: Window) -> Liveness | None:
        if window.last_seen - window.started <= ANSWER_SECONDS:
            return None
        window.refusal = Liveness(False, None, Reason.PAD_NO_RESPONSE, _hindered(window))
        return window.refusal

    def _verdict(self, window: Window) -> Liveness | None:
        means = window.means()
        fused = fuse(means)
        cues = {**means, "frames": float(len(window.samples)), "threshold": THRESHOLD}
        if not fused.is_live:
            return self._refuse(window, fused.score, cues)
        latest = window.latest()
        if latest is None or not all(fuse(one.scores).is_live for one in latest):
            return None
        if not self._is_one_face(window):
            window.restart()
            return None
        self._lockout.succeed()
        return Liveness(True, fused.score, cues=cues)

    def _refuse(self, window: Window, score: float, cues: Mapping[str, float]) -> Liveness:
        self._lockout.fail(window.last_seen)
        in_bad_light = window.is_badly_lit()
        reason = Reason.PAD_NO_RESPONSE if in_bad_light else Reason.PRESENTATION_ATTACK
        window.refusal = Liveness(False, score, reason, {**cues, "bad_light": float(in_bad_light)})
        return window.refusal

    def _is_one_face(self, window: Window) -> bool:
        samples = window.samples
        chosen = [one.witness for one in (samples[0], samples[len(samples) // 2], samples[-1])]
        try:
            return is_one_face([*window.before, *chosen], self._embedder)
        except FrameRefused:
            return False

    def hindered(self, track_id: int) -> Hindrance | None:
        """Return what keeps a waiting visitor from being judged, None when nothing does."""
        window = self._windows.get(track_id)
        return None if window is None else window.hindered()

    def remember(self, track_id: int) -> None:
        """Keep the newest judged frame of a track: a later pass must show the same face.

        Used while a challenge runs, so that who answers is who was there before and after.
        """
        window = self._windows.get(track_id)
        if window is not None and window.samples:
            window.before.append(window.samples[-1].witness)

    def restart(self, track_id: int, time: float) -> None:
        """Judge a track anew from `time` on, by the frames from there and those remembered."""
        old = self._windows.get(track_id)
        if old is not None:
            self._windows[track_id] = Window(time, time, wanted_since=time, before=old.before)

    def reset(self, track_id: int) -> None:
        """Forget a track: it ended, jumped, or changed identity."""
        self._windows.pop(track_id, None)


def _hindered(window: Window) -> dict[str, float]:
    """Return how many frames each hindrance spoilt, for the event and the door's screen."""
    return {f"frames_{name}": float(count) for name, count in window.hindrances.items()}


class Unavailable:
    """Liveness that could not be loaded: nobody passes by face alone, and the reason says why."""

    def __init__(self, why: str) -> None:
        self.why = why

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Look at nothing."""

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:  # noqa: ARG002
        """Refuse with `PAD_UNAVAILABLE`."""
        return Liveness(False, None, Reason.PAD_UNAVAILABLE)

    def reset(self, track_id: int) -> None:
        """Forget nothing."""
