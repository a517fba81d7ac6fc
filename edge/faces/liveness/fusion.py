"""The one place where cue scores become a verdict.

There are two opinions with one vote each: the Silent-Face pair, published to be averaged, which
looks at what surrounds the face; and every other network, averaged, which looks more at the
skin. Their plain mean must reach one half, and so must the pair by itself (of four still
attacks it refused all, the mean of both opinions three). Nothing is weighted or tuned: half is
where the networks' own authors put the line, and five recorded attacks cannot support a finer
one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

THRESHOLD = 0.5
DOUBT = 0.7
"""A pass below this opens nothing by itself: a challenge is asked for where there is a screen, else the PIN.
A phone replay without its border had up to 0.54 near by, living people as recorded 0.8 and more."""

NEAR_MISS = 0.3
"""A refusal above this is asked too, as far under the line as `DOUBT` is over it, and before that judged
once more, at once, on other frames. Nothing is given away: the networks must say yes by the same line, and
of 26 tries of three replays none came above 0.19."""

PAIR = ("silentface-2.7", "silentface-4.0")
ALLOWED_SETS = (
    ("faceplugin",),
    ("faceplugin", *PAIR),
    (*PAIR, "texture"),
    ("faceplugin", *PAIR, "texture"),
)
"""Sets of networks with measured figures (docs/pad.md). The pair by itself is not one: with the
border of the screen hidden it accepted two thirds of the tries of one phone replay."""

STRONG_NETWORKS = ("faceplugin", *PAIR)
"""What a door uses where the pair is installed: no replay of three opened it, and of living people at
50 px and more nearly everybody passed (docs/pad.md)."""

WEAK_NETWORKS = ("faceplugin",)
"""What a package alone can install. It was seen to pass a phone held in the fingers, and more of its tries
with the screen's border hidden, so its yes is not enough by itself: more is asked (`Demands.weak`)."""

NIGHT_NETWORK = "faceplugin"
"""The one that tells faces from replays without colour at all: of 11 living people made grey 9 reached 0.5
with it on average and none of 3 replays 0.02; by the pair's own mean 4 did."""

CLEAR = 0.8
"""One look that is beyond doubt: the networks' mean, and the pair's own, reach this. Of 351 looks at three
replays none came above 0.24, of 1,010 at living people eight in ten reach it."""

SKIN_WEIGHT = 3.0
"""How much faceplugin counts in `odds`: with 1 or 2 fewer living people came in for as many openings."""

SURE_ODDS, SURE_ODDS_AFAR = 8.0, 5.0
"""Least mean `odds` of a pass that opens by itself, near by and under `gate.SURE_FACE_PX`, where faceplugin
finds less in living people. See docs/pad.md, "How sure two networks are"."""

MOST_ODDS = 12.0
"""So far from even one network's opinion counts at most: beyond, a score has no digits left."""


@dataclass(frozen=True, slots=True)
class Fused:
    """`score` 0..1, 1 = a living face; `is_live` is the verdict, `is_doubtful` a narrow pass.

    `is_clear` says that neither the mean nor the pair's own leaves any doubt, `is_near_miss` of a
    refusal that neither is far under the line. `is_split`: the pair alone carries the pass, the other opinion
    is far under the line. A phone replay without its border had 0.97 with the pair and 0.02 to 0.26 with
    faceplugin for seconds, then 0.93 for two frames (`window.is_doubted`).
    """

    score: float
    is_live: bool
    is_doubtful: bool
    is_clear: bool
    is_near_miss: bool = False
    is_split: bool = False


def fuse(means: Mapping[str, float]) -> Fused:
    """Return the verdict on the mean score of each network over a track, by network name.

    `means` must be one of `ALLOWED_SETS`; anything else, and any number that is not within
    0..1 (NaN too), raises `ValueError`: a missing cue is never skipped.
    """
    if not all(0.0 <= value <= 1.0 for value in means.values()):
        raise ValueError(f"liveness scores must be within 0..1: {dict(means)}")
    if not is_allowed(means):
        raise ValueError(f"no rule for the liveness networks {', '.join(means) or 'none'}")
    pair = [means[name] for name in PAIR if name in means]
    others = [value for name, value in means.items() if name not in PAIR]
    # Each opinion one vote, however many networks it is made of.
    score = fmean(fmean(opinion) for opinion in (pair, others) if opinion)
    # The pair must also say yes by itself: of four still attacks it refused all, the mean of both three.
    least = min(score, fmean(pair)) if pair else score
    is_live = least >= THRESHOLD
    is_split = is_live and bool(others) and fmean(others) < NEAR_MISS
    is_doubtful = is_live and score < DOUBT
    return Fused(score, is_live, is_doubtful, least >= CLEAR, NEAR_MISS <= least < THRESHOLD, is_split)


def odds(scores: Mapping[str, float]) -> float | None:
    """Return how sure pair and faceplugin are of a living face in one frame, as a sum of log odds.

    Natural logarithms; the pair's is the mean of its two, faceplugin's counts `SKIN_WEIGHT` times. A score
    near 1 tells the pair's 0.98 of a screen (odds of 4) from its 0.9999 of a face (9), which a mean of scores
    cannot. None where either is missing, without colour for example: nothing was measured there.
    """
    if not {*PAIR, NIGHT_NETWORK} <= set(scores):
        return None
    return fmean(_log_odds(scores[name]) for name in PAIR) + SKIN_WEIGHT * _log_odds(scores[NIGHT_NETWORK])


def _log_odds(score: float) -> float:
    least = math.exp(-MOST_ODDS)  # so that a score of exactly 0 or 1 has a logarithm
    return min(max(math.log(max(score, least) / max(1 - score, least)), -MOST_ODDS), MOST_ODDS)


def is_weak(names: Iterable[str]) -> bool:
    """Return whether a yes of this set of networks is not enough by itself."""
    return set(names) == set(WEAK_NETWORKS)


def is_allowed(names: Iterable[str]) -> bool:
    """Return whether there is a measured rule for this set of networks."""
    return any(set(names) == set(allowed) for allowed in ALLOWED_SETS)
