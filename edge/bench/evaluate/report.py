"""The figures of labelled people as JSON, as tables and as plots."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edge.bench.evaluate.calibrate import LEAST_PEOPLE, fit
from edge.bench.evaluate.galleries import WANTED, held_out, sizes_for, try_galleries
from edge.bench.evaluate.rates import Scores, curve, lines
from edge.bench.evaluate.visits import try_visits
from edge.bench.plots import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.bench.evaluate.calibrate import People
    from edge.bench.evaluate.galleries import GalleryTrial
    from edge.bench.evaluate.rates import Curve, Rate, RateLine
    from edge.bench.evaluate.visits import VisitTrial
    from edge.matcher.calibration import Calibration

SHOTS = (1, 3)
"""Photos enrolled per resident: the least, and what the documentation advises."""

VISITED_RESIDENTS = 300
"""The gallery that whole visits are tried at: a large block of flats."""

SHIPPED = "as shipped"
HELD_OUT = ("fitted to the second half", "fitted to the first half")
"""What the calibration was fitted to; the last two are tried on the other half of the people."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Everything measured on some people; `galleries` and `visits` by what the calibration was fitted to."""

    people: int
    photos: int
    failure_to_acquire: int
    curve: Curve
    lines: Sequence[RateLine]
    galleries: Sequence[tuple[str, GalleryTrial]]
    visits: Sequence[tuple[str, VisitTrial]]


def measure(
    raw: People, centre: Sequence[float], calibration: Calibration, *, unacquired: int, draws: int
) -> EvaluationReport:
    """Return the figures of these people, whose rows are without a centre.

    The galleries are tried with `centre` and `calibration`, and, where there are people enough, with
    those fitted to one half of the people and tried on the other.
    """
    people = raw.less(centre)
    scores = Scores.of(people)
    drawn = curve(scores)
    tried = [(SHIPPED, trial) for trial in _galleries(people, calibration, draws)]
    came = [(SHIPPED, trial) for trial in _visits(people, calibration, draws)]
    if len(raw.names) >= 2 * LEAST_PEOPLE:
        halves = held_out(raw, lambda half: fit(half, with_centre=bool(centre)))
        for fitted, (half, own) in zip(HELD_OUT, halves, strict=True):
            tried += [(fitted, trial) for trial in _galleries(half, own, draws)]
            came += [(fitted, trial) for trial in _visits(half, own, draws)]
    return EvaluationReport(
        len(raw.names), len(raw.owner), unacquired, drawn, lines(scores, drawn), tried, came
    )


def as_json(report: EvaluationReport) -> dict[str, Any]:
    """Return the figures without the curve."""
    return {
        "people": report.people,
        "photos": report.photos,
        "failure_to_acquire": report.failure_to_acquire,
        "rates": [asdict(line) for line in report.lines],
        "galleries": [{"calibration": fitted, **asdict(trial)} for fitted, trial in report.galleries],
        "visits": [{"calibration": fitted, **asdict(trial)} for fitted, trial in report.visits],
    }


def text(report: EvaluationReport) -> str:
    """Return the figures as Markdown tables."""
    rows = [
        f"{report.people} people, {report.photos} photos, {report.failure_to_acquire} more without a face",
        "",
        "| similarity | false matches | false non-matches |",
        "|---|---|---|",
    ]
    rows += [f"| {one.similarity:.3f} | {_said(one.fmr)} | {_said(one.fnmr)} |" for one in report.lines]
    rows += [
        "",
        "| fitted | residents | photos | wanted FPIR | of it | threshold | strangers | FPIR | FNIR | wrong |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {fitted} | {one.residents} | {one.shots} | {_percent(one.wanted)} | {one.share:g}"
        f" | {one.threshold:.3f}"
        f" | {one.strangers} | {_said(one.fpir)} | {_said(one.fnir)} | {_percent(one.wrong)} |"
        for fitted, one in report.galleries
    ]
    rows += [
        "",
        "| calibration | residents | photos | wanted FPIR | visitors | let in on any of six looks |",
        "|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {fitted} | {one.residents} | {one.shots} | {_percent(one.wanted)} | {one.visitors}"
        f" | {_said(one.fpir)} |"
        for fitted, one in report.visits
    ]
    return "\n".join(rows)


def draw(report: EvaluationReport, folder: Path) -> list[Path]:
    """Write roc.png, det.png and galleries.png into `folder`; return their paths.

    Raises `EvaluationRefused` without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _plot_roc(report, folder / "roc.png"),
        _plot_det(report, folder / "det.png"),
        _plot_galleries(report, folder / "galleries.png"),
    ]


def _galleries(people: People, calibration: Calibration, draws: int) -> list[GalleryTrial]:
    return [
        trial
        for shots in SHOTS
        for size in sizes_for(people, shots)
        for trial in try_galleries(people, calibration, size, shots, draws=draws)
    ]


def _visits(people: People, calibration: Calibration, draws: int) -> list[VisitTrial]:
    most = VISITED_RESIDENTS
    return [
        trial
        for shots in SHOTS
        for trial in try_visits(people, calibration, most, shots, WANTED, draws=draws)
    ]


def _said(rate: Rate | None) -> str:
    if rate is None:
        return "nobody has two photos"
    return f"{_percent(rate.value)} ({_percent(rate.low)} to {_percent(rate.high)})"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %" if rate else "0"


def _figure(columns: int = 1) -> Any:
    return new_figure(figsize=(6 * columns, 4.5), layout="constrained")


def _plot_roc(report: EvaluationReport, path: Path) -> Path:
    figure = _figure()
    axes = figure.subplots()
    axes.plot(report.curve.fmr, 1 - report.curve.fnmr)
    for one in report.lines:
        if one.fnmr is None:
            continue
        errors = [[one.fnmr.high - one.fnmr.value], [one.fnmr.value - one.fnmr.low]]
        axes.errorbar(one.fmr.value, 1 - one.fnmr.value, yerr=errors, fmt="o", capsize=4)
    axes.set_xscale("log")
    axes.set_xlim(1e-6, 1)
    axes.set_xlabel("false match rate")
    axes.set_ylabel("true accept rate")
    figure.savefig(path)
    return path


def _plot_det(report: EvaluationReport, path: Path) -> Path:
    figure = _figure()
    axes = figure.subplots()
    shown = (report.curve.fmr > 0) & (report.curve.fnmr > 0)
    axes.loglog(report.curve.fmr[shown], report.curve.fnmr[shown])
    axes.set_xlabel("false match rate")
    axes.set_ylabel("false non-match rate")
    figure.savefig(path)
    return path


def _plot_galleries(report: EvaluationReport, path: Path) -> Path:
    figure = _figure(columns=2)
    left, right = figure.subplots(1, 2)
    tried = [
        one
        for fitted, one in report.galleries
        if fitted == SHIPPED and one.shots == SHOTS[0] and one.share == 1.0
    ]
    for wanted in sorted({one.wanted for one in tried}, reverse=True):
        own = [one for one in tried if one.wanted == wanted]
        _points(left, own, [one.fpir for one in own], f"asked for {_percent(wanted)}")
        left.axhline(100 * wanted, color=left.lines[-1].get_color(), linestyle=":")
        _points(right, own, [one.fnir for one in own], f"asked for {_percent(wanted)}")
        right.legend()
    for axes, name in ((left, "strangers let in (FPIR), %"), (right, "residents missed (FNIR), %")):
        axes.set_xlabel("residents, one photo each")
        axes.set_ylabel(name)
    figure.savefig(path)
    return path


def _points(axes: Any, tried: Sequence[GalleryTrial], rates: Sequence[Rate], label: str) -> None:
    errors = [
        [100 * (rate.value - rate.low) for rate in rates],
        [100 * (rate.high - rate.value) for rate in rates],
    ]
    sizes = [one.residents for one in tried]
    axes.errorbar(
        sizes, [100 * rate.value for rate in rates], yerr=errors, marker="o", capsize=3, label=label
    )
