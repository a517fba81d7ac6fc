"""The last second and a half of one track: what was seen, scored, and what hindered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.domain import Embedding, Image, Landmarks, Liveness
    from edge.faces.liveness.gate import Hindrance

LEAST_FRAMES = 8
MOST_FRAMES = 10
NEWEST_FRAMES = 3
"""The latest frames, taken since the verdict was first asked for, must each look alive: what
recognition sees now cannot borrow the score of a living face that was shown in between."""

WINDOW_SECONDS = 1.5
"""Ten frames in up to 1.5 s, at least eight valid: from ten on a longer mean gained nothing."""

SPACING_SECONDS = 0.06
"""Frames nearer in time than this are the same picture twice (15 looks a second pass)."""

RESTING_SPACING_SECONDS = 0.12
"""While nobody has been recognised the window is kept warm at half the cost."""

ADVICE_SECONDS = 1.0
"""A visitor who has been recognised and cannot be judged for this long is told what to do."""

GAP_SECONDS = 0.5
"""A track unseen for longer proves nothing about what was there before."""


@dataclass(slots=True, eq=False)
class Witness:
    """The face as it was at one moment, to be compared with the one let in. `cut` is BGR.

    `embedding` is kept once it was worked out, which is done while waiting for more frames.
    """

    cut: Image
    landmarks: Landmarks
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One judged frame: each network's score, 0..1, by name."""

    time: float
    scores: Mapping[str, float]
    witness: Witness
    is_badly_lit: bool


@dataclass(slots=True)
class Window:
    """What is known of one track since it began or was last in doubt. One thread."""

    started: float
    last_seen: float
    samples: list[Sample] = field(default_factory=list)
    before: list[Witness] = field(default_factory=list)
    """What this track looked like before a challenge."""
    hindrances: Counter[Hindrance] = field(default_factory=Counter)
    refusal: Liveness | None = None
    """Set once refused; only forgetting the track takes it back."""
    wanted_since: float | None = None
    """When somebody first asked for a verdict."""
    judged: Liveness | None = None
    """The verdict at `judged_at`: asked for twice a frame, worked out once."""
    judged_at: float | None = None

    def see(self, time: float) -> None:
        """Note that the track was in view at `time`; a long gap or a step back starts it anew."""
        if not 0 <= time - self.last_seen <= GAP_SECONDS:
            self.restart()
        self.last_seen = time

    def restart(self) -> None:
        """Forget the samples: what comes next may be something else. A refusal stays."""
        self.samples.clear()

    def is_due(self, time: float) -> bool:
        """Say whether a frame at `time` is worth scoring."""
        if self.refusal is not None:
            return False
        rested = len(self.samples) >= LEAST_FRAMES and self.wanted_since is None
        spacing = RESTING_SPACING_SECONDS if rested else SPACING_SECONDS
        return not self.samples or time - self.samples[-1].time >= spacing

    def add(self, sample: Sample) -> None:
        """Take a judged frame; what is older than the window falls out."""
        fresh = [old for old in self.samples if sample.time - old.time <= WINDOW_SECONDS]
        self.samples = [*fresh, sample][-MOST_FRAMES:]

    def is_full(self) -> bool:
        """Say whether there are enough judged frames for a verdict, none of them stale."""
        recent = [one for one in self.samples if self.last_seen - one.time <= WINDOW_SECONDS]
        return len(recent) >= LEAST_FRAMES

    def latest(self) -> list[Sample] | None:
        """Return the samples a pass rests on: from now back to when it was asked for, or None if too few."""
        latest = self.samples[-NEWEST_FRAMES:]
        if self.wanted_since is None or latest[0].time < self.wanted_since:
            return None
        return latest if self.last_seen - latest[-1].time < SPACING_SECONDS else None

    def hindered(self) -> Hindrance | None:
        """Return what keeps hindering a visitor who has been waiting, None when nothing does."""
        waited = self.wanted_since is not None and self.last_seen - self.wanted_since >= ADVICE_SECONDS
        if not waited or not self.hindrances or self.is_full():
            return None
        return self.hindrances.most_common(1)[0][0]

    def means(self) -> dict[str, float]:
        """Return each network's mean over the window. There must be at least one sample."""
        return {name: fmean(one.scores[name] for one in self.samples) for name in self.samples[0].scores}

    def is_badly_lit(self) -> bool:
        """Say whether most of the judged frames were."""
        return 2 * sum(one.is_badly_lit for one in self.samples) > len(self.samples)
