"""The figures of an evaluation as text, as a page for the documentation, and as a plot."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge.bench.pad.result import CLAIMS, PadResult, Species
from edge.bench.plots import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = (
    "species",
    "people",
    "presentations",
    "not judged",
    "accepted",
    "APCER",
    "95 % interval",
    "accepted within a lock-out window",
)


def percent(rate: float | None) -> str:
    """Return a rate for people, "no rate" for None."""
    return "no rate" if rate is None else f"{100 * rate:.1f} %"


def as_json(result: PadResult) -> dict[str, Any]:
    """Return the figures as plain values for `--json`."""
    plain = asdict(result)
    for row, species in zip(plain["species"], result.species, strict=True):
        row["apcer"] = species.apcer
        row["missing_for"] = {percent(rate): species.missing_for(rate) for rate in CLAIMS}
    return plain


def table(result: PadResult) -> str:
    """Return the figures as Markdown: attacks worst species first, then living people."""
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    rows = "\n".join(f"| {' | '.join(_cells(one))} |" for one in result.species)
    return f"Networks: {' + '.join(result.nets)}.\n\n{head}\n{rows}\n\n{_tries(result)}{_living(result)}"


def _cells(one: Species) -> list[str]:
    counts = (one.people, one.presentations, one.presentations - one.judged, one.accepted)
    interval = f"{percent(one.interval[0])} to {percent(one.interval[1])}"
    return [one.name, *map(str, counts), percent(one.apcer), interval, str(one.accepted_in_window)]


def _tries(result: PadResult) -> str:
    tries = sum(one.tries for one in result.species)
    if not tries:
        return ""
    passed, highest = sum(one.passed for one in result.species), max(one.highest for one in result.species)
    return f"Of all {tries} tries on attacks {passed} passed; the highest score was {highest:.2f}.\n\n"


def _living(result: PadResult) -> str:
    people = result.bona_fide
    low, high = people.interval
    person, worst = people.worst
    if not people.judged_people:
        return f"Living people: none of {people.people} could be judged, so nothing is known of refusals."
    return (
        f"Living people: {people.judged_people} of {people.people} could be judged; the others never came"
        f" near enough. BPCER per try, mean over people: {percent(people.bpcer)} (95 %, over people:"
        f" {percent(low)} to {percent(high)}; {people.tries} tries; worst: {person}, {percent(worst)})."
        f" Refused throughout a visit: {percent(people.refused_visits)} of people."
        f" {_passes(result)} {result.cpu_ms_per_frame:.0f} ms of CPU a frame."
    )


def _passes(result: PadResult) -> str:
    if result.seconds_to_verdict is None:
        return "Nobody passed. Looking took"
    median_s, worst_s = result.seconds_to_verdict
    return (
        f"A pass took {median_s:.2f} s from the first frame of the clip (median; worst {worst_s:.2f} s) and"
    )


def sentence(result: PadResult) -> str:
    """Return what may be said about this door, and no more."""
    worst = result.species[0] if result.species else None
    people = result.bona_fide
    if worst is None or not worst.judged:
        return "No attack was presented, so nothing may be said about attacks."
    judged = sum(one.judged for one in result.species)
    accepted = sum(one.accepted for one in result.species)
    living = (
        f"{percent(people.bpcer)} of the tries of {people.judged_people} living people were refused"
        if people.judged_people
        else "no living person could be judged"
    )
    return (
        f"On {judged} recorded attack presentations {accepted} were accepted, while {living}. For"
        f" the worst species ({worst.name}, {worst.judged} presentations) the true acceptance rate may be"
        f" as high as {percent(worst.interval[1])} (95 % interval)."
    )


def still_needed(result: PadResult) -> str:
    """Return how many more presentations each claim needs."""
    lines = []
    for one in result.species:
        needs = ", ".join(f"{one.missing_for(rate)} more for APCER <= {percent(rate)}" for rate in CLAIMS)
        lines.append(f"- {one.name}: {one.judged} judged; without an acceptance, {needs}")
    return "\n".join(lines) or "- no attack species was presented"


def draw(results: Sequence[PadResult], path: Path) -> None:
    """Write a plot of every species' APCER with its interval, and of BPCER, to `path`.

    A rate of nothing has an interval and no point. Raises `EvaluationRefused` without matplotlib.
    """
    figure = new_figure(
        figsize=(8, 1.5 + 0.5 * sum(len(one.species) + 1 for one in results)), layout="constrained"
    )
    axes = figure.subplots()
    names: list[str] = []
    for name, rate, (low, high) in _bars(results):
        middle, point = ((low + high) / 2, "") if rate is None else (rate, "o")
        errors = [[100 * (middle - low)], [100 * (high - middle)]]
        colour = "tab:red" if name.startswith("APCER") else "tab:blue"
        axes.errorbar(100 * middle, len(names), xerr=errors, fmt=point, capsize=4, color=colour)
        names.append(name)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(-2, 102)
    axes.set_xlabel("error rate, %, with 95 % interval")
    axes.invert_yaxis()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _bars(results: Sequence[PadResult]) -> list[tuple[str, float | None, tuple[float, float]]]:
    bars: list[tuple[str, float | None, tuple[float, float]]] = []
    for result in results:
        nets = "+".join(result.nets)
        bars += [(f"APCER {one.name}\n{nets}", one.apcer, one.interval) for one in result.species]
        bars.append((f"BPCER\n{nets}", result.bona_fide.bpcer, result.bona_fide.interval))
    return bars
