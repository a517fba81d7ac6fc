"""The last second and a half of one track: what was seen, scored, and what hindered."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from edge.faces.liveness.gate import SURE_FACE_PX, Hindrance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.domain import Embedding, Face, Frame, Image, Landmarks, Liveness
    from edge.faces.liveness.fusion import Fused

INDEPENDENT_SECONDS = 0.2
"""How fast one look at a face becomes another: the scores of frames 0.1, 0.2, 0.3 and 0.5 s apart
correlate by 0.55, 0.41, 0.32 and 0.07 (15 living faces), about exp(-t / 0.2 s)."""

ENOUGH_LOOKS = 2.85
"""Independent looks that a verdict rests on: 0.5 s of a camera at 8 frames a second or more, 0.6 s at
5, 1.0 s at 3. Longer windows refused no fewer living people."""

CLEAR_LOOKS = 2.2
"""Enough where every look by itself was clear (`fusion.CLEAR`): 0.4 s at 5 to 15 frames a second."""

LEAST_FRAMES = 3
"""However far apart they are."""

MOST_FRAMES = 10
NEWEST_FRAMES = 3
"""The latest frames, taken since the verdict was first asked for, must each look alive: what
recognition sees now cannot borrow the score of a living face that was shown in between."""

WINDOW_SECONDS = 1.5
"""From here on a longer mean gained nothing."""

SPACING_SECONDS = 0.075
"""Frames nearer in time than this teach next to nothing. A pass rests on a frame no older than this."""

SPARSE_SECONDS = 0.185
"""While every look was clear, a camera of 14 frames a second or more is scored this seldom: three frames
0.2 s apart hold the 2.2 independent looks that four 0.13 s apart would, in the same 0.4 s. A face that
leaves any doubt is scored more often."""

ADVICE_SECONDS = 1.0
"""A visitor who has been recognised and cannot be judged for this long is told what to do."""

GAP_SECONDS = 0.5
"""A track unseen for longer proves nothing about what was there before."""

MOST_FAULTS = 3
"""A network that answers invalidly or too late spoils one frame; this many in a row are a failure."""


def independent_looks(times: Iterable[float]) -> float:
    """Return how many independent looks frames at these ascending `times` (seconds) are worth."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return 1.0 + sum(1.0 - math.exp(-gap / INDEPENDENT_SECONDS) for gap in gaps)


def are_enough(samples: Sequence[Sample]) -> bool:
    """Return whether a verdict may rest on these samples, which are in order of time."""
    if len(samples) < LEAST_FRAMES:
        return False
    enough = CLEAR_LOOKS if all(one.is_clear for one in samples) else ENOUGH_LOOKS
    return independent_looks(one.time for one in samples) >= enough


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
    """One judged frame: each network's score, 0..1, by name.

    `is_clear` says that this frame by itself leaves no doubt of a living face, `is_night` that the
    picture has no colour: then the networks that need it were left out, and `scores` may be empty.
    `is_grainy` says that the face is far off and the picture has so much grain that it cannot be told from a
    screen there, `face_px` how wide it is, `odds` how sure the networks are (`fusion.odds`).
    """

    time: float
    scores: Mapping[str, float]
    witness: Witness
    is_badly_lit: bool
    is_clear: bool = False
    is_night: bool = False
    is_grainy: bool = False
    face_px: float = 0.0
    odds: float | None = None


@dataclass(slots=True)
class LivenessWindow:
    """What is known of one track since it began or was last in doubt. One thread."""

    started: float
    last_seen: float
    samples: list[Sample] = field(default_factory=list)
    before: list[Witness] = field(default_factory=list)
    """What this track looked like before a challenge."""
    waiting: tuple[Frame, Face] | None = None
    """The newest frame that could be judged, until somebody asks or the next frame comes."""
    hindrances: Counter[Hindrance] = field(default_factory=Counter)
    hindered_by: Hindrance | None = None
    """What spoilt the newest frame."""
    refusal: Liveness | None = None
    """Set once refused; only forgetting the track takes it back."""
    uncounted: tuple[Fused, float] | None = None
    """What the networks said when they refused, and how wide the face was then, in pixels, until it is known
    whose face that was."""
    wanted_since: float | None = None
    """Since when somebody has been asking for a verdict."""
    asked_at: float = -math.inf
    """When somebody last did."""
    unasked: int = 0
    """Frames since then."""
    is_cut: bool = False
    """Samples were dropped: no verdict before the next one, on a frame that nobody has seen yet."""
    face_px: float = 0.0
    """How wide the face is in the newest frame."""
    must_come_nearer: bool = False
    """The newest verdict opens nothing from so far off."""
    narrow_since: float | None = None
    """Since when the mean has been over the line, but not clearly, or not on each of the latest frames."""
    is_doubted: bool = False
    """The networks' opinions were far apart over a whole window, near by, or this resident's face was in
    doubt a short while ago: a screen looks alive for a moment now and then, so only a whole window without
    doubt opens."""
    is_doubted_afar: bool = False
    """This resident's face was in doubt from afar a short while ago: it has to come near."""
    clear_since: float | None = None
    """Since when no verdict has been narrow."""
    noted_at: float = -math.inf
    """When the last verdict fell."""
    passed_over_at: float = -math.inf
    """When a frame of this face was last left out for another face's."""
    faults: int = 0
    advised_at: float | None = None
    """When it was said that nothing can be judged."""
    step: float = math.inf
    """Seconds between the last two frames in which the track was seen."""
    close: tuple[Image, Landmarks] | None = None
    """Picture and landmarks of the newest sample as recognition sees that face, until the next frame."""
    judged: Liveness | None = None
    """The verdict at `judged_at`: asked for twice a frame, worked out once."""
    judged_at: float | None = None

    def see(self, time: float) -> None:
        """Note that the track was in view at `time`; a long gap or a step back starts it anew."""
        if not 0 <= time - self.last_seen <= GAP_SECONDS:
            self.restart()
        self.unasked += 1
        self.step = time - self.last_seen
        self.last_seen = time
        self.close = None

    def want(self) -> None:
        """Note that a verdict is asked for; time in which nobody asked is no time of waiting in vain."""
        # One frame between two questions is the ordinary pace: the pipeline observes, then asks.
        was_left = self.unasked > 1 and self.last_seen - self.asked_at > GAP_SECONDS
        if self.wanted_since is None or was_left:
            self.wanted_since = self.last_seen
        self.asked_at, self.unasked = self.last_seen, 0

    def restart(self) -> None:
        """Forget the samples: what comes next may be something else. A refusal stays."""
        self.samples.clear()
        self.narrow_since = None
        self.clear_since = None
        self.waiting = None

    def drop_before(self, index: int) -> None:
        """Forget the samples before this one: they may show something else. A new one must follow."""
        self.samples = self.samples[index:]
        self.waiting = self.clear_since = None
        self.is_cut = True

    def is_due(self, time: float) -> bool:
        """Return whether a frame at `time` is worth scoring."""
        if self.refusal is not None:
            return False
        is_clear = all(one.is_clear for one in self.samples)
        # Once there is enough each frame counts again: a pass rests on one that has just come.
        is_sparse = is_clear and self.step < SPACING_SECONDS and not self.is_full()
        spacing = SPARSE_SECONDS if is_sparse else SPACING_SECONDS
        return not self.samples or time - self.samples[-1].time >= spacing

    def scored_at(self) -> float:
        """Return when this face was last scored, or when it came into view."""
        return self.samples[-1].time if self.samples else self.started

    def add(self, sample: Sample) -> None:
        """Take a judged frame; what is older than the window falls out, and what is of another kind.

        Where the camera goes over to monochrome pictures, or back, all begins anew; so it does for a face
        that has come near through grain.
        """
        fresh = [
            old
            for old in self.samples
            if sample.time - old.time <= WINDOW_SECONDS
            and (old.is_night, old.is_grainy) == (sample.is_night, sample.is_grainy)
        ]
        # No longer than ten: a living face shown before falls out soon, however fast the camera is.
        self.samples = [*fresh, sample][-MOST_FRAMES:]
        self.faults, self.is_cut = 0, False

    def is_full(self) -> bool:
        """Return whether there are enough judged frames for a verdict, none of them stale."""
        # Samples fall out only when one comes in: those of before a face was turned away may be stale by now.
        recent = [one for one in self.samples if self.last_seen - one.time <= WINDOW_SECONDS]
        return not self.is_cut and are_enough(recent)

    def deciding(self) -> list[Sample]:
        """Return the samples that a verdict rests on: those near by alone, as soon as they are enough.

        From afar the networks find too little in some living people, and in some screens too much.
        """
        # Four of seven living people have 0.0 to 0.4 with faceplugin from afar and 0.9 near by; a phone
        # replay 0.7 to 0.9 from afar and 0.3 at most near by.
        near = [one for one in self.samples if one.face_px >= SURE_FACE_PX]
        return near if are_enough(near) else self.samples

    def middle(self) -> int:
        """Return which sample will lie in the middle when the verdict falls, as far as can be told."""
        # Three clear ones are enough, of others it takes some five.
        return 1 if all(one.is_clear for one in self.samples) else 2

    def latest(self) -> list[Sample] | None:
        """Return the samples a pass rests on: from now back to when it was asked for, or None if too few.

        None as well while the newest frame could not be judged: nobody passes by what was there before.
        """
        if self.hindered_by is not None:
            return None
        latest = self.samples[-NEWEST_FRAMES:]
        if self.wanted_since is None or len(latest) < NEWEST_FRAMES or latest[0].time < self.wanted_since:
            return None
        return latest if self.last_seen - latest[-1].time < SPACING_SECONDS else None

    def hindered(self) -> Hindrance | None:
        """Return what keeps hindering a visitor who has been waiting, None when nothing does."""
        waited = self.wanted_since is not None and self.last_seen - self.wanted_since >= ADVICE_SECONDS
        if waited and self.must_come_nearer:
            return Hindrance.TOO_FAR
        if not waited or not self.hindrances or self.hindered_by is None:
            return None
        return self.hindrances.most_common(1)[0][0]

    def is_still_narrow(self) -> bool:
        """Note a pass that is not clear; say whether a whole window has come to no more by now."""
        if self.narrow_since is None:
            self.narrow_since = self.last_seen
        return self.last_seen - self.narrow_since >= WINDOW_SECONDS

    def note(self, *, is_narrow: bool) -> None:
        """Note what the verdict on the newest frame was; time without one is no time without doubt."""
        was_unjudged = self.last_seen - self.noted_at > GAP_SECONDS
        self.noted_at = self.last_seen
        if is_narrow:
            self.clear_since = None
        elif self.clear_since is None or was_unjudged:
            self.clear_since = self.last_seen

    def is_made_up_for(self) -> bool:
        """Return whether a whole window without doubt has followed, where there was doubt before."""
        since = self.clear_since
        return not self.is_doubted or (since is not None and self.last_seen - since >= WINDOW_SECONDS)

    def means(self) -> dict[str, float]:
        """Return each network's mean over the deciding frames. There must be at least one sample."""
        samples = self.deciding()
        return {name: fmean(one.scores[name] for one in samples) for name in samples[0].scores}

    def judged_px(self) -> float:
        """Return how wide the face was in the deciding frames, on average. There must be at least one."""
        return fmean(one.face_px for one in self.deciding())

    def odds(self) -> float:
        """Return the mean of `fusion.odds` over the deciding frames, infinity where there are none."""
        known = [one.odds for one in self.deciding() if one.odds is not None]
        return fmean(known) if known else math.inf

    def is_badly_lit(self) -> bool:
        """Return whether most of the judged frames were."""
        return 2 * sum(one.is_badly_lit for one in self.samples) > len(self.samples)
