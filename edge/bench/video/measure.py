"""What recognising a recording costs: per frame, per walk-up, at start, in memory; peers beside it.

Every run is a process of its own, ours and theirs in turn, so that ratios are taken side by side
on the same machine at the same time. CPU is process time on one thread; decoding is kept apart.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.domain import Decision
    from edge.replay.door import Figures

WALK_UP_SECONDS = 3.0

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: a recording, folders of residents, and people to pad the gallery with."""

    clip: Path
    galleries: tuple[Path, ...]
    fpir: float = 1e-3
    people: tuple[str, ...] = ()
    """Who is where, in the peer script's words (NAME or NAME@FRAME:X,Y), so that it knows wrong names."""
    liveness: Literal["off", "passive", "strict"] = "off"


def clip_figures(figures: Figures, decisions: Sequence[Decision], fps: float) -> dict[str, Any]:
    """Return the costs of one replay as JSON: milliseconds of CPU and wall clock per frame.

    `fps` is how many frames a second the recording has: so many of them are a walk-up.
    """
    cpu, wall = np.array(figures.frame_cpu_s) * 1e3, np.array(figures.frame_wall_s) * 1e3
    grants = [d for d in decisions if d.verdict == "grant"]
    first = next((n for n, seen in enumerate(figures.frame_faces) if seen), None)
    named: dict[str, float] = {}
    for grant in grants:
        if first is not None:  # the first time only: somebody may be let in again later on
            named.setdefault(str(grant.resident_id), round(float(cpu[first : grant.frame_seq + 1].sum()), 2))
    return {
        "frames": figures.frames,
        "cpu_ms_mean": round(float(cpu.mean()), 3),
        **{f"cpu_ms_p{p}": round(float(np.percentile(cpu, p)), 3) for p in (50, 95, 99, 100)},
        **{f"wall_ms_p{p}": round(float(np.percentile(wall, p)), 3) for p in (50, 95, 99)},
        "frames_per_s": round(figures.frames / max(figures.wall_s, 1e-9), 1),
        "cpu_ms_per_3s_walk_up": round(float(cpu.mean()) * WALK_UP_SECONDS * fps, 1),
        "cpu_ms_to_first_name": named,
        "decode_cpu_ms_mean": round(1e3 * figures.decode_cpu_s / max(figures.frames, 1), 3),
        "embeddings": figures.watch.count("embed"),
        "stage_cpu_ms": _stages(figures),
        "grants": [str(grant.resident_id) for grant in grants],
    }


def _stages(figures: Figures) -> dict[str, dict[str, float]]:
    return {
        stage: {f"p{p}": round(float(np.percentile(np.array(spent) * 1e3, p)), 3) for p in (50, 95, 99)}
        | {"calls": len(spent)}
        for stage, spent in figures.watch.calls.items()
    }


def run_ours(case: Case, *, cold: bool) -> dict[str, Any]:
    """Return the figures of one fresh process of ours; `cold` stops after the first answer."""
    command = [sys.executable, "-m", "edge.bench.video", str(case.clip), str(case.fpir)]
    command += ["cold" if cold else "clip", case.liveness, *map(str, case.galleries)]
    return _run(command)


def run_peer(script: Path, models: Path, case: Case, peer: str, pad: Path | None) -> dict[str, Any]:
    """Return one peer's figures on the same case, from the peer script's own JSON."""
    target = models / f"peer-{os.getpid()}.json"
    command = [sys.executable, str(script), "--models", str(models), "--cache", str(models / "peer-cache")]
    command += ["--clip", str(case.clip), "--gallery", str(case.galleries[0]), "--peer", peer]
    command += ["--pad", str(pad)] if pad else []
    command += ["--person", *case.people] if case.people else []
    command += ["--json", str(target)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD)
    try:
        found: dict[str, Any] = json.loads(target.read_text())[0]
    finally:
        target.unlink()
    return found


def _run(command: list[str]) -> dict[str, Any]:
    """Run a child; add its whole CPU and wall clock, start-up included."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    if done.returncode:
        # The last line of what Python says of an error: "edge.errors.EnrolmentRefused: --gallery x: ..."
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EvaluationRefused(f"nothing was measured: {said.partition(': ')[2] or said}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {
        "process_cpu_ms": round(cpu * 1e3, 1),
        "process_wall_ms": round((time.perf_counter() - begun) * 1e3, 1),
    }


def middle(rounds: Sequence[dict[str, Any]], *keys: str) -> float:
    """Return the median over rounds of one figure, found by its path of keys."""
    values = []
    for one in rounds:
        value: Any = one
        for key in keys:
            value = value[key]
        values.append(float(value))
    return median(values)


def ratios(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> list[float]:
    """Return our mean CPU per frame over theirs, round by round."""
    return [mine["cpu_ms_mean"] / peer["cpu_ms_mean"] for mine, peer in zip(ours, theirs, strict=True)]
