"""From a wanted error rate to a similarity threshold: how one model scores strangers.

The similarities of strangers beyond a high quantile are taken as exponential. That is heavier
than what was fitted (generalised Pareto shapes of -0.06 to -0.2), so thresholds err on the strict
side. The tail begins at the upper end of its rate's 95 % interval: a promise has to hold on other
people too, and the mean of a resident's three photos is taken for a stranger 1.1 to 1.4 times as
often as one photo is (121 people of LFW). As far as pairs of people were measured the slope is the
fitted one; beyond, it is the upper end of its interval, so the further a threshold is extrapolated
the stricter it gets. The numbers come from `facegate evaluate calibrate` and stand in the model
manifest; docs/accuracy.md says how well they hold on other people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from edge.domain import OperatingPoint
from edge.errors import ConfigError
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_FPIR = 1e-9
MOST_FPIR = 0.05
"""Beyond one stranger in twenty a door is not a door. The lower end leaves room for the shares
into which a visit's rate is divided."""

MOST_SIMILARITY = 0.9
"""Two photos of one person rarely agree better: a higher setting locks the residents out."""

PAIRS_TO_COUNT = 10
"""Pairs of people that must lie above a similarity before its rate counts as measured."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often one model takes two people for one, and the threshold that follows.

    `above` is the similarity where the tail begins and `fraction` the share of comparisons of
    different people above it. `scale` is the similarity by which a threshold rises when the rate
    falls by a factor of e, `scale_beyond` the same where nothing was measured (upper 95 %).
    `spread` is how many times greater the true rate at `above` may be (upper 95 %, bootstrap over
    people): thresholds are set as if it were. `people`, `pairs` and `comparisons` stand behind the
    fit, `data` says of what. `margin` is the least lead over the best other resident.
    """

    data: str
    people: int
    pairs: int
    comparisons: int
    above: float
    fraction: float
    scale: float
    scale_beyond: float
    spread: float
    margin: float

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Calibration:
        """Return the calibration in a manifest's table. Raises `ConfigError` naming what is wrong."""
        known = {field.name for field in fields(cls)}
        missing, extra = known - table.keys(), table.keys() - known
        if missing or extra:
            wrong = [f"{name} is missing" for name in sorted(missing)]
            wrong += [f"{name} is not known" for name in sorted(extra)]
            _refuse("; ".join(wrong))
        calibration = cls(**{name: _typed(name, table[name]) for name in known})
        for name, (least, most) in _RANGES.items():
            value = getattr(calibration, name)
            if not least <= value <= most:
                _refuse(f"{name} is {value}, it must be {least:g} to {most:g}")
        return calibration

    @property
    def measured_rate(self) -> float:
        """The least false-match rate that enough pairs of people stand behind; below is extrapolated."""
        return min(self.fraction, PAIRS_TO_COUNT / self.pairs)

    @property
    def _upper_fraction(self) -> float:
        """The share of comparisons with strangers that may lie above `above`, upper 95 %."""
        return self.fraction * self.spread

    def threshold(self, fpir: float, templates: int) -> float:
        """Return the similarity that a stranger's one look exceeds at rate `fpir` in this gallery.

        `fpir` is the chance that they exceed it for any of `templates` rows (0 counts as 1): rows
        are taken as independent, which is strict when a resident has several. Never less than
        `above`, so a small gallery is stricter than asked. Raises `ConfigError` when `fpir` is
        out of range.
        """
        _check_fpir(fpir)
        wanted = rate_per_comparison(fpir, templates)
        measured = max(wanted, self.measured_rate)
        return (
            self.above
            + self.scale * math.log(max(self._upper_fraction / measured, 1.0))
            + self.scale_beyond * math.log(max(measured / wanted, 1.0))
        )

    def false_match_rate(self, similarity: float) -> float:
        """Return the share of comparisons with strangers above `similarity`, the inverse of `threshold`."""
        kink = self.above + self.scale * math.log(self._upper_fraction / self.measured_rate)
        if similarity <= kink:
            return self._upper_fraction * math.exp(min(self.above - similarity, 0.0) / self.scale)
        return self.measured_rate * math.exp((kink - similarity) / self.scale_beyond)

    def operating_point(self, fpir: float, residents: int, templates: int) -> OperatingPoint:
        """Return the threshold for one look that may spend the rate `fpir`.

        Raises `ConfigError` when `fpir` is out of range.
        """
        threshold = self.threshold(fpir, templates)
        return OperatingPoint(threshold, self.margin, fpir, residents, self._basis(fpir, templates))

    def fixed(self, similarity: float, residents: int) -> OperatingPoint:
        """Return the operating point for a bare similarity that somebody has set.

        Raises `ConfigError` when it lets strangers in (below `above`) or nobody (above 0.9).
        """
        if not self.above <= similarity <= MOST_SIMILARITY:
            reason = (
                f"below it more than 1 in {round(1 / self.fraction):,} comparisons with strangers match"
                if similarity < self.above
                else "hardly two photos of one person are that much alike"
            )
            rule = f"it must be {self.above:.3f} to {MOST_SIMILARITY}"
            raise ConfigError(f"similarity {similarity} is refused: {reason}; {rule}, or set fpir instead")
        fpir = self.false_match_rate(similarity) * max(residents, 1)
        basis = message("basis.fixed", residents=residents, fpir=f"{fpir:.2g}")
        return OperatingPoint(similarity, self.margin, None, residents, basis)

    def _basis(self, fpir: float, templates: int) -> Message:
        wanted = rate_per_comparison(fpir, templates)
        if wanted >= self._upper_fraction:
            how = message("basis.kept", rate=f"{self._upper_fraction:.0e}")
        elif wanted >= self.measured_rate:
            how = message("basis.measured", times=f"{self.spread:.1f}")
        else:
            how = message("basis.extrapolated", times=f"{self.measured_rate / wanted:.0f}")
        return message(
            "basis.fpir",
            fpir=f"{fpir:.2g}",
            templates=templates,
            wanted=f"{wanted:.1e}",
            how=how,
            comparisons=f"{self.comparisons:,}",
            people=f"{self.people:,}",
        )


def rate_per_comparison(fpir: float, templates: int) -> float:
    """Return the false-match rate at which `templates` independent comparisons give `fpir`."""
    return -math.expm1(math.log1p(-fpir) / max(templates, 1))


_RANGES: dict[str, tuple[float, float]] = {
    "people": (2, math.inf),
    "pairs": (1, math.inf),
    "comparisons": (1, math.inf),
    "above": (0.0, MOST_SIMILARITY),
    "fraction": (1e-9, 0.01),
    "scale": (0.001, 0.5),
    "scale_beyond": (0.001, 0.5),
    "spread": (1.0, 100.0),
    "margin": (0.0, 0.5),
}


def _typed(name: str, value: Any) -> Any:
    kind = {"data": str, "people": int, "pairs": int, "comparisons": int}.get(name, float)
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or isinstance(value, bool):
        _refuse(f"{name} is {value!r}, a {kind.__name__} is needed")
    return kind(value)


def _check_fpir(fpir: float) -> None:
    if not LEAST_FPIR <= fpir <= MOST_FPIR:
        raise ConfigError(f"fpir {fpir} is refused: it must be {LEAST_FPIR:g} to {MOST_FPIR:g}")


def _refuse(rule: str) -> None:
    raise ConfigError(f"calibration of the model: {rule}. Write it anew: facegate evaluate calibrate")
