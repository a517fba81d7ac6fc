"""`facegate bench gate`: scenes at a gate, and whether the door did right by everybody."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from edge.cli.rates import RATE
from edge.cli.recording import FOLDER, liveness_option, people_option
from edge.cli.written import WRITTEN_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bench.gate.run import Result


@click.command()
@people_option
@click.option("--strangers", type=FOLDER, help="Recordings of people who are not enrolled.")
@click.option("--shown", type=FOLDER, help="Recordings of screens, named after the resident they show.")
@click.option("--gallery", "galleries", multiple=True, type=FOLDER, help="Others to enrol, as in replay.")
@liveness_option("passive", "off", "passive")
@click.option("--nets", help="Liveness networks, comma-separated; by default the best set installed.")
@click.option(
    "--weak",
    type=click.Choice(["ask", "accept"]),
    default="accept",
    show_default=True,
    help="What the yes of one network alone is worth; ask wants a PIN, which nobody types here.",
)
@click.option("--fpir", type=RATE, default=1e-3, show_default=True, help="Strangers let in per visit.")
@click.option("--only", default="", help="Scenes whose name holds this.")
@click.option("--short", is_flag=True, help="One of each kind, no hours.")
@click.option("--report", type=WRITTEN_FOLDER, help="Folder for a table and a plot.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per scene, then the totals.")
def gate(
    people: Path,
    strangers: Path | None,
    shown: Path | None,
    galleries: tuple[Path, ...],
    liveness: Literal["off", "passive"],
    nets: str | None,
    weak: Literal["ask", "accept"],
    fpir: float,
    only: str,
    short: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Play scenes at a gate to the whole door and say what went wrong in each.

    People walk up, pass, queue, chat and leave; lamps swing, posters hang, screens are held up. The
    scenes are composed from your recordings or photographs; access policy and pauses are the
    service's. Ends with 1 when somebody was let in who is not there.

    Example: facegate bench gate --people residents/ --strangers others/ --report out/
    """
    from edge.bench.gate.people import load_cast
    from edge.bench.gate.report import line, plot, table, totals
    from edge.bench.gate.run import play_all
    from edge.bench.gate.scenes import plays
    from edge.faces.liveness.demands import Demands
    from edge.faces.liveness.load import LivenessWish, load_liveness
    from edge.replay.door import Recognition
    from edge.replay.gallery import load_gallery
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

    models = open_models()
    cast, rows = load_cast(people, strangers, shown, models, lambda text: click.echo(text, err=True))
    others = load_gallery(galleries, models)
    matcher = build_matcher(models, ErrorRate(fpir, None), {**others.residents, **rows})
    networks = tuple(nets.split(",")) if nets else None
    wanted = LivenessWish(liveness, networks, Demands(weak=weak), closer=models.closer())

    def door() -> Recognition:
        loaded = load_liveness(wanted, models.embedder, lambda _line: None)
        return Recognition(models.detector, models.embedder, matcher, loaded.check)

    def show(result: Result) -> None:
        click.echo(json.dumps(asdict(result)) if as_json else line(result))

    chosen = [play for play in plays(cast, is_short=short) if only in play.name]
    results = play_all(chosen, door, show)
    found = totals(results)
    click.echo(json.dumps(found) if as_json else ", ".join(f"{key} {value}" for key, value in found.items()))
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        (report / "gate.md").write_text(table(results) + "\n", encoding="utf-8")
        (report / "gate.svg").write_text(plot(results) + "\n", encoding="utf-8")
    if found["wrong"]:
        raise SystemExit(1)
