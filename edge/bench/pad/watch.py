"""One presentation before the door's own liveness check, with no recognition in between."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.bench.pad.hidden import cropped
from edge.bench.pad.paced import paced
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.failures import EVERY_TRY, Failures
from edge.faces.looking import Looker
from edge.faces.quality import QualityLimits, intent_flaws
from edge.faces.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.pad.set import Presentation
    from edge.domain import Frame, Liveness
    from edge.faces.liveness.nets import PassiveNet
    from edge.faces.tracker import Track
    from edge.ports import Detector, Embedder

LOOKS_PER_SECOND = 15.0
"""The pipeline's pace while somebody wants to be let in."""

NEVER = 10**9


@dataclass(frozen=True, slots=True)
class Try:
    """One verdict: when, on which track, and what made it."""

    time: float
    track_id: int
    verdict: Liveness

    @property
    def is_response(self) -> bool:
        """False when nothing was scored: distance, framing. A refusal in bad light was scored."""
        return self.verdict.score is not None


@dataclass(slots=True)
class WatchedRecording:
    """All verdicts on one presentation, in order; CPU seconds of the liveness check alone."""

    presentation: Presentation
    tries: list[Try] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    @property
    def answers(self) -> list[Try]:
        """The tries that were judged."""
        return [one for one in self.tries if one.is_response]

    @property
    def is_accepted(self) -> bool | None:
        """Whether the first judged try passed; None when none could be judged."""
        return self.answers[0].verdict.passed if self.answers else None

    def is_accepted_within(self, tries: int) -> bool:
        """Return whether any of the first `tries` judged tries passed."""
        return any(one.verdict.passed for one in self.answers[:tries])


class Watcher:
    """Shows presentations to a fresh check each, at the pipeline's pace. One thread.

    With `reach`, every frame is first cut to that many face sizes, as if the border were hidden.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        nets: Sequence[PassiveNet],
        reach: float | None = None,
    ) -> None:
        self._reach = reach
        self._limits = QualityLimits()
        self._looker = Looker(detector, self._limits.min_interocular_px)
        self._embedder = embedder
        self._nets = nets

    def watch(self, presentation: Presentation) -> WatchedRecording:
        """Return every verdict on `presentation`: after each the check begins anew."""
        watched = WatchedRecording(presentation)
        demands = Demands(weak="accept")  # what the networks say, whatever a door would ask beside
        # No pauses and no waits between tries: asked is what the networks would say to each of them.
        check = PassiveCheck(self._nets, self._embedder, failures=Failures(NEVER, EVERY_TRY), demands=demands)
        tracker = Tracker()
        for frame in paced(presentation, LOOKS_PER_SECOND):
            self._look(frame, check, tracker, watched)
        return watched

    def _look(self, frame: Frame, check: PassiveCheck, tracker: Tracker, watched: WatchedRecording) -> None:
        tracks, ended = tracker.update(self._looker.glance(frame.image), frame.time)
        for track_id in ended:
            check.reset(track_id)
        # As the pipeline does, which is left out here so that an unrecognised face is judged as well.
        for track in tracks:
            if not track.is_steady:
                check.reset(track.id)
            self._show(frame, check, track, len(tracks) == 1, watched)

    def _show(
        self,
        frame: Frame,
        check: PassiveCheck,
        track: Track,
        alone: bool,  # noqa: FBT001
        watched: WatchedRecording,
    ) -> None:
        height, width = frame.image.shape[:2]
        if intent_flaws(track.face, self._limits, width, height):
            return
        shown, face = cropped(frame, track.face, self._reach) if self._reach else (frame, track.face)
        begun = time.process_time()
        check.observe(shown, face, track.id, alone)
        verdict = check.assess(track.id)
        watched.cpu_s.append(time.process_time() - begun)
        if verdict is not None:
            watched.tries.append(Try(frame.time, track.id, verdict))
            check.reset(track.id)
