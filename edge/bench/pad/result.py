"""From watched presentations to the figures of ISO/IEC 30107-3.

The unit of an attack is the presentation, of a bona fide person the person. APCER is given per
species of instrument, worst first, and never averaged over species: an attacker chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from edge.bench.pad.rates import bootstrap_mean, clopper_pearson, trials_for_claim
from edge.bench.pad.set import LIVE
from edge.faces.liveness.failures import MAX_FAILURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.pad.watch import WatchedRecording

CLAIMS = (0.05, 0.01)


@dataclass(frozen=True, slots=True)
class Species:
    """One kind of attack instrument. Counts are presentations, `people` whose face was shown.

    `accepted` passed at the first judged try, `accepted_in_window` within the tries before the
    pause. `interval` is that of the true APCER, 95 %. Of all `tries` `passed` did; `highest` is the
    highest score of any.
    """

    name: str
    people: int
    presentations: int
    judged: int
    accepted: int
    accepted_in_window: int
    interval: tuple[float, float]
    tries: int = 0
    passed: int = 0
    highest: float = 0.0

    @property
    def apcer(self) -> float | None:
        """Accepted over judged presentations, None when none was judged."""
        return self.accepted / self.judged if self.judged else None

    def missing_for(self, rate: float) -> int:
        """Return how many more presentations without an acceptance a claim of `rate` needs."""
        return max(trials_for_claim(rate) - self.judged, 0)


@dataclass(frozen=True, slots=True)
class BonaFide:
    """Living people. `bpcer` is the mean over people of each one's share of refused tries.

    `refused_visits` is the share of people whose first visit (the tries before the pause) never
    passed, `non_response` the share who could never be judged. None where nobody is there to be counted.
    """

    people: int
    judged_people: int
    tries: int
    bpcer: float | None
    interval: tuple[float, float]
    refused_visits: float | None
    non_response: float | None
    worst: tuple[str, float]


@dataclass(frozen=True, slots=True)
class PadResult:
    """The figures of one set of networks on one set of presentations."""

    nets: tuple[str, ...]
    species: tuple[Species, ...]
    bona_fide: BonaFide
    seconds_to_verdict: tuple[float, float] | None
    """Median and worst, from the first frame of the clip, living people who passed; None where nobody did."""
    cpu_ms_per_frame: float


def summarise(nets: Sequence[str], watched: Sequence[WatchedRecording]) -> PadResult:
    """Return the figures of all `watched` presentations, judged by `nets`."""
    names = sorted({one.presentation.species for one in watched} - {LIVE})
    species = [_species(name, [one for one in watched if one.presentation.species == name]) for name in names]
    # The worst first: an attacker takes the instrument that works.
    species.sort(key=lambda one: (-(one.apcer or 0.0), -one.interval[1], one.name))
    living = [one for one in watched if not one.presentation.is_attack]
    cpu = [seconds for one in watched for seconds in one.cpu_s]
    return PadResult(
        tuple(nets), tuple(species), _bona_fide(living), _waits(living), 1e3 * median(cpu or [0.0])
    )


def _species(name: str, watched: Sequence[WatchedRecording]) -> Species:
    judged = [one for one in watched if one.answers]
    accepted = sum(bool(one.is_accepted) for one in judged)
    verdicts = [one.verdict for clip in judged for one in clip.answers]
    return Species(
        name,
        len({one.presentation.person for one in watched}),
        len(watched),
        len(judged),
        accepted,
        sum(one.is_accepted_within(MAX_FAILURES) for one in judged),
        clopper_pearson(accepted, len(judged)),
        len(verdicts),
        sum(one.passed for one in verdicts),
        max((one.score for one in verdicts if one.score is not None), default=0.0),
    )


def _bona_fide(watched: Sequence[WatchedRecording]) -> BonaFide:
    people = sorted({one.presentation.person for one in watched})
    clips = {person: [one for one in watched if one.presentation.person == person] for person in people}
    refused = {}
    for person, own in clips.items():
        tries = [one for clip in own for one in clip.answers]
        if tries:
            refused[person] = fmean(not one.verdict.passed for one in tries)
    visits = [_first_visit_failed(clips[person]) for person in refused]
    return BonaFide(
        len(people),
        len(refused),
        sum(len(one.answers) for one in watched),
        fmean(refused.values()) if refused else None,
        _interval(list(refused.values())),
        fmean(visits) if visits else None,
        1.0 - len(refused) / len(people) if people else None,
        max(refused.items(), key=lambda pair: pair[1], default=("nobody", 0.0)),
    )


def _interval(refused: Sequence[float]) -> tuple[float, float]:
    """Return the bootstrap's interval; where nobody was ever refused it would be empty, so the exact one."""
    return bootstrap_mean(refused) if any(refused) else clopper_pearson(0, len(refused))


def _first_visit_failed(clips: Sequence[WatchedRecording]) -> bool:
    first = next(one for one in clips if one.answers)
    return not first.is_accepted_within(MAX_FAILURES)


def _waits(watched: Sequence[WatchedRecording]) -> tuple[float, float] | None:
    passes = [next((t.time for t in one.tries if t.verdict.passed), None) for one in watched]
    seconds = [at - one.presentation.start for at, one in zip(passes, watched, strict=True) if at is not None]
    return (median(seconds), max(seconds)) if seconds else None
