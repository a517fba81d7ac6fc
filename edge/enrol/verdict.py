"""Are these templates good enough? Asked of the person's own held-out shots, before anything is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np

from edge.enrol.guidance import OVERRIDABLE, Refusal
from edge.enrol.shots import mean_of
from edge.words import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.domain import Embedding
    from edge.ports import Identifier

LEAST_SPREAD = 0.078
"""Standard deviation of one person's similarities to three of their photos and to the mean, over photos of
different days: 69 people of LFW, 207 probes, SFace. A sitting shows less, another day does not."""

TYPICAL_MEAN = 0.73
"""Mean of those similarities: no sitting promises more than other days kept."""

MOST_MISSED = 0.1
"""A door that fails one look in ten at its owner is refused at enrolment; several looks make a visit."""


@dataclass(frozen=True, slots=True)
class EnrolmentReport:
    """How well the door will know this person.

    `similarities` are those of the held-out shots to the templates, `threshold` the door's own for
    the gallery as it is. `miss_rate` 0..1 is the expected share of single looks that fall short.
    """

    templates: int
    similarities: tuple[float, ...]
    threshold: float
    miss_rate: float

    @property
    def lowest(self) -> float:
        """The lowest similarity of a held-out shot."""
        return min(self.similarities)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why templates should not be stored; `numbers` fill the gaps of its sentence."""

    refusal: Refusal
    numbers: Mapping[str, str | Message] = field(default_factory=dict)

    @property
    def is_overridable(self) -> bool:
        """True when an installer may store the templates all the same, with a logged reason."""
        return self.refusal in OVERRIDABLE

    @property
    def message(self) -> Message:
        """What to tell the people at the desk."""
        return Message(f"refusal.{self.refusal}", self.numbers)


def measured(rows: Sequence[Embedding], held_out: Sequence[Embedding], threshold: float) -> EnrolmentReport:
    """Return how the held-out shots match `rows`. At least one of each.

    The expected miss rate takes similarities as normal, with the mean seen here (at most that of
    other days) and the spread seen here (at least that of other days).
    """
    gallery = np.stack(rows)
    return _report(len(rows), tuple(float(np.max(gallery @ shot)) for shot in held_out), threshold)


def measured_by_turns(shots: Sequence[Embedding], threshold: float) -> EnrolmentReport:
    """Return how each of the shots matches the others, so that all of them can be kept. At least two.

    Few photos are all that somebody has: none is held out and thrown away. With all of them the door
    knows the person better than this says.
    """
    scores = []
    for index, shot in enumerate(shots):
        others = [one for number, one in enumerate(shots) if number != index]
        rows = others if len(others) == 1 else [*others, mean_of(others)]
        scores.append(float(np.max(np.stack(rows) @ shot)))
    return _report(len(shots) + 1, tuple(scores), threshold)


def _report(templates: int, scores: tuple[float, ...], threshold: float) -> EnrolmentReport:
    mean = min(fmean(scores), TYPICAL_MEAN)
    spread = max(stdev(scores) if len(scores) > 1 else 0.0, LEAST_SPREAD)
    miss = 0.5 * math.erfc((mean - threshold) / (spread * math.sqrt(2)))
    return EnrolmentReport(templates, scores, threshold, miss)


def objection_to(
    identifier: Identifier, resident_id: str, rows: Sequence[Embedding], report: EnrolmentReport
) -> Objection | None:
    """Return what speaks against storing `rows` for this resident, or None."""
    look_alike = nearest_other(identifier, resident_id, rows)
    if look_alike is not None and look_alike[1] >= report.threshold:
        other, similarity = look_alike
        numbers: dict[str, str | Message] = {
            "other": other,
            "similarity": f"{similarity:.2f}",
            "threshold": f"{report.threshold:.2f}",
        }
        return Objection(Refusal.LOOK_ALIKE, numbers)
    if not report.miss_rate <= MOST_MISSED:  # NaN is an objection, too
        return Objection(Refusal.TOO_WEAK, {"miss": f"{report.miss_rate:.0%}"})
    return None


def nearest_other(
    identifier: Identifier, resident_id: str, rows: Sequence[Embedding]
) -> tuple[str, float] | None:
    """Return the enrolled resident most like `rows` and the similarity; they themselves do not count."""
    found: dict[str, float] = {}
    for row in rows:
        match = identifier.identify(row)
        for other, similarity in (
            (match.resident_id, match.similarity),
            (match.runner_up_id, match.runner_up_similarity),
        ):
            if other is not None and other != resident_id:
                found[other] = max(similarity, found.get(other, -1.0))
    return max(found.items(), key=lambda item: item[1], default=None)
