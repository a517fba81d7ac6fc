"""`facegate replay`: the door over a recording."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edge.cli.json_option import json_option
from edge.cli.rates import RATE
from edge.cli.recording import RECORDING, galleries_option, liveness_option

if TYPE_CHECKING:
    from edge.domain import Decision, OperatingPoint
    from edge.replay.door import Figures
    from edge.replay.gallery import FolderGallery


@click.command()
@click.argument("clip", type=RECORDING)
@galleries_option
@click.option("--fpir", type=RATE, default=1e-3, show_default=True, help="Strangers let in per visit.")
@click.option("--similarity", type=float, default=None, help="Experts: a bare threshold instead.")
@click.option(
    "--model", default="sface", show_default=True, help="Face network, as in `facegate models list`."
)
@liveness_option("off", "off", "passive", "strict")
@click.option(
    "--nets",
    default=None,
    help="Liveness networks, comma-separated, as recognition.liveness_networks has them; by default"
    " the best set installed.",
)
@click.option(
    "--weak",
    type=click.Choice(["ask", "accept"]),
    default="ask",
    show_default=True,
    help="What the yes of one network alone is worth, as recognition.weak_liveness.",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Access rules of the site; everybody enrolled may pass without.",
)
@click.option("--cache/--no-cache", default=True, help="Keep enrolled shots for the next replay.")
@json_option
def replay(
    clip: Path,
    galleries: tuple[Path, ...],
    fpir: float,
    similarity: float | None,
    model: str,
    liveness: Literal["off", "passive", "strict"],
    nets: str | None,
    weak: Literal["ask", "accept"],
    rules: Path | None,
    cache: bool,
    as_json: bool,
) -> None:
    """Run the door's own controller and access policy over the recording CLIP; nothing is opened.

    The same recording and gallery give the same decisions, bit for bit.

    Example: facegate replay walk-up.mp4 --gallery residents/ --json
    """
    from edge.camera.file import VideoFile
    from edge.config.load import read_text
    from edge.faces.liveness.demands import Demands
    from edge.faces.liveness.load import LivenessWish, load_liveness
    from edge.policy.rules_toml import parse_rules
    from edge.replay.door import Recognition, decision_line, replay_clip, summary_line
    from edge.replay.gallery import load_gallery
    from edge.replay.process import memory_mb, seconds_since_start
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

    VideoFile(clip).close()  # a clip that cannot be read is told before minutes of enrolling
    models = open_models(model)
    folders = load_gallery(galleries, models, is_cached=cache)
    matcher = build_matcher(models, ErrorRate(fpir, similarity), folders.residents)
    first: list[float] = []

    def show(decision: Decision) -> None:
        first.append(seconds_since_start())
        click.echo(json.dumps(decision_line(decision)) if as_json else _sentence(decision))

    if not as_json:
        _say_gallery(folders, matcher.operating_point(), liveness)
    wanted = LivenessWish(
        liveness, tuple(nets.split(",")) if nets else None, Demands(weak=weak), closer=models.closer()
    )
    loaded = load_liveness(wanted, models.embedder, lambda line: click.echo(line, err=True))
    recognition = Recognition(models.detector, models.embedder, matcher, loaded.check)
    book = None if rules is None else parse_rules(read_text(rules), str(rules))
    figures, decisions = replay_clip(clip, recognition, show, book)
    summary = summary_line(figures, decisions) | {
        "residents": len(folders.residents),
        "refused_pictures": len(folders.refused),
        "liveness": liveness,
        "first_decision_after_start_s": first[0] if first else None,
        "peak_rss_mb": memory_mb()[1],
    }
    click.echo(json.dumps(summary) if as_json else _report(summary, figures))


def _say_gallery(folders: FolderGallery, point: OperatingPoint, liveness: str) -> None:
    click.echo(
        f"{len(folders.residents)} residents, {len(folders.refused)} pictures refused;"
        f" threshold {point.threshold:.3f}: {point.basis}; liveness {liveness}"
    )
    for refusal in folders.refused:
        click.echo(f"  refused: {refusal}", err=True)


def _sentence(decision: Decision) -> str:
    who = decision.resident_id or "nobody"
    numbers = ""
    if decision.similarity is not None and decision.threshold is not None:
        numbers = f" similarity {decision.similarity:.3f} (threshold {decision.threshold:.3f})"
    return (
        f"{decision.time:7.2f} s  frame {decision.frame_seq:5d}  track {decision.track_id:3d}"
        f"  {decision.verdict.upper():5s} {who}: {decision.reason}{numbers}"
    )


def _report(summary: dict[str, Any], figures: Figures) -> str:
    per_frame = 1e3 * figures.cpu_s / max(figures.frames, 1)
    return (
        f"{summary['frames']} frames, {summary['faces']} faces, {summary['embeddings']} embeddings;"
        f" {per_frame:.2f} ms CPU a frame, {time.process_time():.1f} s in all;"
        f" granted: {', '.join(summary['grants']) or 'nobody'}"
    )
