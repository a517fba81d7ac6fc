"""Series: every presentation before the whole door again, changed in one way at a time.

A table shows where residents stop getting in, what they are told then, and whether any attack starts to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from edge.bench.pad.door import enrol_living
from edge.bench.pad.set import LIVE
from edge.bench.pad.shown import SERIES
from edge.domain import Reason, Verdict
from edge.errors import EvaluationRefused
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.fusion import is_weak
from edge.faces.liveness.load import load_nets
from edge.replay.door import Recognition, ReplayDoor
from edge.replay.gallery import load_gallery
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.bench.pad.set import Presentation
    from edge.bench.pad.shown import Shown
    from edge.domain import Decision
    from edge.faces.liveness.nets import PassiveNet
    from edge.ports import Identifier, LivenessCheck
    from edge.service.recognition.recogniser import Models


COUNTED = ("people", "let_in", "asked", "silent", "accused", "attacks", "opened", "wrong")


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """What one variation of one series came to.

    `let_in` of `people` living people were let in as themselves; `opened` of `attacks` recordings
    opened for the person they show, `wrong` grants named somebody who was not there. `asked` were
    asked for a PIN or a challenge, `silent` neither let in nor told anything. `median_s` and
    `worst_s` are seconds from first sight to the opening; `told` counts the other reasons, and
    `accused` the living clips in which an attack was reported.
    """

    series: str
    variation: str
    people: int
    let_in: int
    asked: int
    silent: int
    accused: int
    attacks: int
    opened: int
    wrong: int
    median_s: float
    worst_s: float
    told: tuple[tuple[str, int], ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """The rows of one kind of liveness check at a door with so many `residents`."""

    mode: str
    residents: int
    rows: tuple[SeriesRow, ...]


@dataclass(frozen=True, slots=True)
class SeriesDoor:
    """What plays the series: the models, and everybody who is enrolled."""

    models: Models
    matcher: Identifier
    residents: int
    shown: tuple[Presentation, ...]

    @classmethod
    def for_presentations(
        cls, presentations: Sequence[Presentation], others: Path | None = None
    ) -> SeriesDoor:
        """Enrol everybody from their living clips, and the people in `others`, a folder each."""
        models = open_models()
        residents = enrol_living(models, presentations)
        shown = tuple(one for one in presentations if one.person in residents)
        if others is not None:
            residents = load_gallery([others], models).residents | residents
        return cls(models, build_matcher(models, ErrorRate(), residents), len(residents), shown)

    def tables(
        self,
        sets: Sequence[Sequence[str] | None],
        names: Sequence[str],
        report: Callable[[str], object],
    ) -> Iterator[SeriesTable]:
        """Yield a table for liveness off, and one for each set of networks (None: the best installed).

        A set whose yes is not enough by itself gets two: as it is, and as a site that accepts it.
        """
        yield self._table("off", names, lambda: None, report)
        for chosen in sets:
            nets = load_nets(chosen)
            title = " + ".join(net.spec.name for net in nets)
            yield self._table(title, names, partial(self._check, nets), report)
            if is_weak(net.spec.name for net in nets):
                accepting = partial(self._check, nets, Demands(weak="accept"))
                yield self._table(f'{title}, weak_liveness = "accept"', names, accepting, report)

    def _check(self, nets: Sequence[PassiveNet], demands: Demands | None = None) -> PassiveCheck:
        check = PassiveCheck(nets, self.models.embedder, demands=demands)
        check.closer = self.models.closer()  # as a door does
        return check

    def _table(
        self,
        mode: str,
        names: Sequence[str],
        make: Callable[[], LivenessCheck | None],
        report: Callable[[str], object],
    ) -> SeriesTable:
        rows = run_series(names, self.shown, self.models, self.matcher, make, report)
        return SeriesTable(mode, self.residents, tuple(rows))


def run_series(
    names: Sequence[str],
    presentations: Sequence[Presentation],
    models: Models,
    matcher: Identifier,
    make_check: Callable[[], LivenessCheck | None],
    report: Callable[[str], object] = lambda _line: None,
) -> list[SeriesRow]:
    """Return one row per variation of the series called `names`.

    Raises `EvaluationRefused` for a name that is not one of `SERIES`. `make_check` makes a fresh
    liveness check for every clip; `report` hears of each variation as it begins.
    """
    require_series(names)
    rows = []
    for name in names:
        for variation, shown in SERIES[name](presentations):
            report(f"{name}: {variation}, {len(shown)} clips")
            played = [(one, _play(one, models, matcher, make_check())) for one in shown]
            rows.append(_row(name, variation, played))
    return rows


def require_series(names: Sequence[str]) -> None:
    """Raise `EvaluationRefused` for a name that is not one of `SERIES`."""
    if unknown := sorted(set(names) - set(SERIES)):
        raise EvaluationRefused(f"no series is called {', '.join(unknown)}: there are {', '.join(SERIES)}")


def _play(shown: Shown, models: Models, matcher: Identifier, check: LivenessCheck | None) -> list[Decision]:
    door = ReplayDoor(Recognition(models.detector, models.embedder, matcher, check))
    camera = shown.open()
    try:
        return [one.decision for _, outcomes in door.play(camera) for one in outcomes]
    finally:
        camera.close()


def _row(series: str, variation: str, played: Sequence[tuple[Shown, Sequence[Decision]]]) -> SeriesRow:
    """Add up what happened. Who stands beside a recording of somebody is counted like everybody."""
    counts: Counter[str] = Counter()
    waits: list[float] = []
    told: Counter[str] = Counter()
    missed: list[str] = []
    for shown, decisions in played:
        grants = {one.resident_id: one for one in reversed(decisions) if one.verdict is Verdict.GRANT}
        living = {one.person for one in shown.parts if one.species == LIVE}
        fakes = {one.person for one in shown.parts if one.species != LIVE} - living
        denied = [one for one in decisions if one.verdict is Verdict.DENY]
        reasons = {str(one.reason) for one in denied}
        here = living & set(grants)
        told.update(reasons)
        waits += [grants[who].time - float(grants[who].detail["first_seen"]) for who in here]
        missed += sorted(living - here)
        counts.update(
            people=len(living),
            let_in=len(here),
            attacks=len(fakes),
            opened=len(fakes & set(grants)),
            wrong=len(set(grants) - living - fakes),
            asked=len({one.resident_id for one in denied if one.resident_id} & (living - here)),
            silent=0 if reasons else len(living - here),
            accused=int(bool(living) and not fakes and str(Reason.PRESENTATION_ATTACK) in reasons),
        )
    times = (median(waits), max(waits)) if waits else (0.0, 0.0)
    numbers = {name: counts[name] for name in COUNTED}
    told_of = tuple(sorted(told.items()))
    return SeriesRow(
        series, variation, **numbers, median_s=times[0], worst_s=times[1], told=told_of, missed=tuple(missed)
    )


def series_table(table: SeriesTable) -> str:
    """Return one table as Markdown."""
    head = (
        f"Liveness {table.mode}; {table.residents} residents:\n\n"
        "| | let in | asked for more | told nothing | clips with an accusation | replays that opened"
        " | wrong names | s to the opening, median | worst |\n|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *(_line(one) for one in table.rows)])


def _line(row: SeriesRow) -> str:
    cells = (
        row.variation,
        f"{row.let_in} of {row.people}",
        str(row.asked),
        str(row.silent),
        str(row.accused),
        f"{row.opened} of {row.attacks}" if row.attacks else "-",
        str(row.wrong),
        f"{row.median_s:.2f}" if row.let_in else "-",
        f"{row.worst_s:.2f}" if row.let_in else "-",
    )
    return f"| {' | '.join(cells)} |"
