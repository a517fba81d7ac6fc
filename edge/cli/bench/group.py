"""`facegate bench`: speed on recorded video and on galleries."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any, Literal

import click

from edge.cli.json_option import report_json_option
from edge.cli.rates import RATE, Measure
from edge.cli.recording import RECORDING, galleries_option, liveness_option
from edge.lazy_group import LazyGroup

COMMANDS = {
    "video": ("edge.cli.bench.group:video", "What recognising a recording costs, peers beside it."),
    "soak": ("edge.cli.bench.group:soak", "Hours of a looped recording: does anything grow or differ?"),
    "enrol": ("edge.cli.bench.enrol:enrol", "What comes of enrolling people from recordings."),
    "gate": ("edge.cli.bench.gate:gate", "Scenes at a gate: who was let in, how soon, and what went wrong."),
    "panel": ("edge.cli.bench.panel:panel", "What the panel and a viewer cost the door."),
    "door": (
        "edge.cli.bench.door:door",
        "How long a resident waits at a running door, on a slower core too.",
    ),
    "matcher": ("edge.cli.bench.matcher:matcher", "What searching a gallery costs, peers beside it."),
}


@click.command(cls=LazyGroup, commands_table=COMMANDS)
def bench() -> None:
    """Measure speed on recorded video and on galleries.

    Example: facegate bench video walk-up.mp4 --gallery residents/
    """


@click.command()
@click.argument("clip", type=RECORDING)
@galleries_option
@click.option("--fpir", type=RATE, default=1e-3, show_default=True, help="Strangers let in per visit.")
@click.option(
    "--rounds",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Fresh processes, ours and theirs in turn.",
)
@liveness_option("off", "off", "passive", "strict")
@click.option("--peer-script", type=click.Path(exists=True, path_type=Path), help="A script of peers to run.")
@click.option("--peer-models", type=click.Path(exists=True, path_type=Path), help="Their model files.")
@click.option("--peer-pad", type=click.Path(exists=True, path_type=Path), help="People to pad theirs with.")
@click.option("--peer-person", "people", multiple=True, help="NAME or NAME@FRAME:X,Y: who is where.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    default=("P3",),
    show_default=True,
    help="Peer of the script to run; may be repeated.",
)
@report_json_option
def video(
    clip: Path,
    galleries: tuple[Path, ...],
    fpir: float,
    rounds: int,
    liveness: Literal["off", "passive", "strict"],
    peer_script: Path | None,
    peer_models: Path | None,
    peer_pad: Path | None,
    people: tuple[str, ...],
    peers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure the recognition of CLIP: CPU and wall clock per frame, per walk-up, at start; memory.

    With --peer-script and --peer-models, peers run in turn with us and ratios are printed.

    Example: facegate bench video walk-up.mp4 --gallery residents/ --rounds 5
    """
    from edge.bench.video.measure import Case, ratios, run_ours, run_peer

    case = Case(clip, galleries, fpir, people, liveness)
    run_ours(case, cold=False)  # fills the caches of files and shots; not counted
    ours, cold = [], []
    theirs: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers if peer_script and peer_models}
    for _ in range(rounds):
        ours.append(run_ours(case, cold=False))
        cold.append(run_ours(case, cold=True))
        for peer, found in theirs.items():
            assert peer_script is not None  # noqa: S101 - the table would be empty
            assert peer_models is not None  # noqa: S101 - ditto
            found.append(run_peer(peer_script, peer_models, case, peer, peer_pad))
    report: dict[str, Any] = {
        "clip": clip.name,
        "liveness": liveness,
        "rounds": rounds,
        "ours": sorted(ours, key=lambda one: float(one["cpu_ms_mean"]))[rounds // 2],
        "cold_start_cpu_ms": median(float(one["process_cpu_ms"]) for one in cold),
        "cold_start_wall_ms": median(float(one["process_wall_ms"]) for one in cold),
        "peers": {
            peer: {
                "cpu_ms_mean": median(float(one["cpu_ms_mean"]) for one in found),
                "rss_peak_mb": median(float(one["rss_peak"]) for one in found),
                "wrong_names": found[-1]["false"],
                "first_name_cpu_ms": {who: one["cpu_ms"] for who, one in found[-1]["id"].items()},
                "our_cpu_over_theirs": round(median(ratios(ours, found)), 4),
            }
            for peer, found in theirs.items()
        },
    }
    click.echo(json.dumps(report) if as_json else _table(report))


@click.command()
@click.argument("clip", type=RECORDING)
@galleries_option
@click.option(
    "--minutes",
    default=30.0,
    show_default=True,
    type=Measure(0, 60 * 24 * 366, min_open=True),
    help="Minutes of recording to show.",
)
@report_json_option
def soak(clip: Path, galleries: tuple[Path, ...], minutes: float, as_json: bool) -> None:
    """Play CLIP in a loop, as fast as it goes: memory, open files and decisions of every loop.

    Example: facegate bench soak walk-up.mp4 --gallery residents/ --minutes 30
    """
    from edge.bench.video.soak import soak as run
    from edge.replay.door import Recognition
    from edge.replay.gallery import load_gallery
    from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

    models = open_models()
    folders = load_gallery(galleries, models)
    matcher = build_matcher(models, ErrorRate(), folders.residents)
    recognition = Recognition(models.detector, models.embedder, matcher)
    found = run(clip, recognition, minutes * 60, lambda line: click.echo(line, err=True))
    click.echo(json.dumps(found) if as_json else "\n".join(f"{key}: {value}" for key, value in found.items()))


def _table(report: dict[str, Any]) -> str:
    ours = report["ours"]
    lines = [
        "{clip}: {rounds} runs, one thread, liveness {liveness}".format(**report),
        "  {frames} frames, {residents} residents; {embeddings} embeddings; granted {grants}".format(**ours),
        "  CPU ms a frame: mean {cpu_ms_mean}, p50 {cpu_ms_p50}, p95 {cpu_ms_p95}, p99 {cpu_ms_p99},"
        " longest {cpu_ms_p100}; decoding {decode_cpu_ms_mean}".format(**ours),
        "  wall ms a frame: p50 {wall_ms_p50}, p95 {wall_ms_p95}, p99 {wall_ms_p99};"
        " {frames_per_s} frames/s".format(**ours),
        "  CPU ms: {cpu_ms_per_3s_walk_up} in 3 s of it, {cpu_ms_to_first_name} to a name".format(**ours),
        "  memory: {rss_ready_mb} MB ready, {rss_peak_mb} MB at most,"
        " {private_mb} MB at the end without mapped libraries".format(**ours),
        "  cold start: {cold_start_cpu_ms:.0f} ms CPU, {cold_start_wall_ms:.0f} ms wall".format(**report),
        *(f"  {stage}: {spent} CPU ms" for stage, spent in ours["stage_cpu_ms"].items()),
        *(_peer_line(peer, found) for peer, found in report["peers"].items()),
    ]
    return "\n".join(lines)


def _peer_line(peer: str, found: dict[str, Any]) -> str:
    times = 1 / found["our_cpu_over_theirs"]
    return (
        f"  {peer}: {found['cpu_ms_mean']:.2f} CPU ms a frame, {times:.1f} times ours;"
        f" {found['rss_peak_mb']:.0f} MB, {found['wrong_names']} wrong names,"
        f" first name after {found['first_name_cpu_ms']} CPU ms"
    )
