"""From a wanted error rate to a similarity threshold: how one model scores strangers.

The similarities of strangers beyond a high quantile are taken as exponential, in two pieces where
people enough were measured: the tail gets lighter the further out it is. It begins at the upper end
of its rate's 95 % interval: a promise has to hold on other people too. As far as pairs of people were
measured the slopes are the fitted ones; beyond, it is the upper end of the last one's interval, so the
further a threshold is extrapolated the stricter it gets. The numbers come from
`facegate evaluate calibrate` and stand in the model manifest; docs/accuracy.md says how well they hold
on other people. They are of one look with one photo enrolled; what a visit of several looks and the
mean of several photos add is for `edge.recognition.evidence` to keep back.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
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
    fit, `data` says of what. `margin` is the least lead over the best other resident. From the
    similarity `knee` on the tail falls by `scale_far` instead of `scale`; None where it has one piece.
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
    knee: float | None = None
    scale_far: float | None = None

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> Calibration:
        """Return the calibration in a manifest's table. Raises `ConfigError` naming what is wrong."""
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        missing, extra = needed - table.keys(), table.keys() - known
        if missing or extra:
            wrong = [f"{name} is missing" for name in sorted(missing)]
            wrong += [f"{name} is not known" for name in sorted(extra)]
            _refuse("; ".join(wrong))
        calibration = cls(**{name: _typed(name, table[name]) for name in known & table.keys()})
        for name, (least, most) in _RANGES.items():
            value = getattr(calibration, name)
            if value is not None and not least <= value <= most:
                _refuse(f"{name} is {value}, it must be {least:g} to {most:g}")
        if (calibration.knee is None) != (calibration.scale_far is None):
            _refuse("knee and scale_far belong together, one of them is missing")
        # Outwards in order, or `threshold` would take the wrong piece.
        if calibration.knee is not None and calibration.knee < calibration.above:
            _refuse(
                f"knee is {calibration.knee}, it must not be below {calibration.above}, where the tail begins"
            )
        return calibration

    @property
    def measured_rate(self) -> float:
        """The least false-match rate that enough pairs of people stand behind; below is extrapolated."""
        # Never above the tail's own beginning, where few pairs were measured.
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
        pieces = self._pieces()
        # The outermost piece that begins at no lower a rate; from there the tail falls exponentially.
        rate, similarity, scale = [piece for piece in pieces if piece[0] >= wanted or piece is pieces[0]][-1]
        # At least 1: a rate above that of the tail's beginning asks for no less than `above`, since nothing
        # is known of what lies below it.
        return similarity + scale * math.log(max(rate / wanted, 1.0))

    def false_match_rate(self, similarity: float) -> float:
        """Return the share of comparisons with strangers above `similarity`, the inverse of `threshold`."""
        pieces = self._pieces()
        rate, begin, scale = [piece for piece in pieces if piece[1] <= similarity or piece is pieces[0]][-1]
        return rate * math.exp(min(begin - similarity, 0.0) / scale)

    def _pieces(self) -> list[tuple[float, float, float]]:
        """Return the pieces of the tail, outwards: (rate at its beginning, similarity there, scale)."""
        pieces = [(self._upper_fraction, self.above, self.scale)]
        if self.knee is not None and self.scale_far is not None:
            rate = self._upper_fraction * math.exp((self.above - self.knee) / self.scale)
            # A knee beyond what was measured says nothing: there the strict scale holds from the kink on.
            if rate > self.measured_rate:
                pieces.append((rate, self.knee, self.scale_far))
        rate, similarity, scale = pieces[-1]
        kink = similarity + scale * math.log(rate / self.measured_rate)
        return [*pieces, (self.measured_rate, kink, self.scale_beyond)]

    def operating_point(
        self, fpir: float, residents: int, templates: int, share: float = 1.0
    ) -> OperatingPoint:
        """Return the threshold for one look that may spend `share` (0 to 1) of the rate `fpir`.

        Raises `ConfigError` when `fpir` is out of range.
        """
        _check_fpir(fpir)
        # A small share of a low rate comes below what `threshold` takes: the least rate is strict enough.
        threshold = self.threshold(max(fpir * share, LEAST_FPIR), templates)
        return OperatingPoint(threshold, self.margin, fpir, residents, self._basis(fpir, templates, share))

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

    def _basis(self, fpir: float, templates: int, share: float) -> Message:
        wanted = rate_per_comparison(max(fpir * share, LEAST_FPIR), templates)
        if wanted >= self._upper_fraction:
            how = message("basis.kept", rate=f"{self._upper_fraction:.0e}")
        elif wanted >= self.measured_rate:
            how = message("basis.measured", times=f"{self.spread:.1f}")
        else:
            times = self.measured_rate / wanted
            how = message("basis.extrapolated", times=f"{times:.1f}" if times < 2 else f"{times:.0f}")
        return message(
            "basis.fpir" if share == 1.0 else "basis.look",
            **({} if share == 1.0 else {"share": f"{share:.2g}"}),
            fpir=f"{fpir:.2g}",
            templates=templates,
            wanted=f"{wanted:.1e}",
            how=how,
            comparisons=f"{self.comparisons:,}",
            people=f"{self.people:,}",
        )


def calibration_of(model: str, table: Mapping[str, Any]) -> Calibration:
    """Return the calibration in the manifest's table of `model`.

    Raises `ConfigError` naming the model when there is none: no threshold could be told for it, so no
    door sees with it; and when the table is damaged.
    """
    if not table:
        raise ConfigError(
            f"the model {model!r} is not calibrated: nobody knows how alike strangers are to it, so it is"
            f" not used. With photos of 300 people and more: facegate evaluate calibrate --model {model}"
            " --images FOLDER --save"
        )
    return Calibration.from_mapping(table)


def rate_per_comparison(fpir: float, templates: int) -> float:
    """Return the false-match rate at which `templates` independent comparisons give `fpir`."""
    # 1 - (1 - fpir) ** (1 / templates), which for small rates would lose its digits.
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
    "knee": (0.0, MOST_SIMILARITY),
    "scale_far": (0.001, 0.5),
}


def _typed(name: str, value: Any) -> Any:
    kind = {"data": str, "people": int, "pairs": int, "comparisons": int}.get(name, float)
    # 1 may stand for 1.0. True is no number, although it is an int to Python.
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or isinstance(value, bool):
        _refuse(f"{name} is {value!r}, a {kind.__name__} is needed")
    return kind(value)


def _check_fpir(fpir: float) -> None:
    if not LEAST_FPIR <= fpir <= MOST_FPIR:
        raise ConfigError(f"fpir {fpir} is refused: it must be {LEAST_FPIR:g} to {MOST_FPIR:g}")


def _refuse(rule: str) -> None:
    raise ConfigError(f"calibration of the model: {rule}. Write it anew: facegate evaluate calibrate")
