"""One measured run, of which `python -m edge.bench.video` makes a process of its own."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge.camera.file import VideoFile
from edge.faces.liveness.load import LivenessWish, load_liveness
from edge.replay.door import Recognition, ReplayDoor
from edge.replay.gallery import load_gallery
from edge.replay.process import memory_mb, private_mb
from edge.runtime.memory import give_back, keep_one_heap
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.controller import DoorOutcome
    from edge.domain import Frame
    from edge.faces.liveness.load import Mode


def main(clip: str, fpir: str, mode: str, liveness: Mode, galleries: list[str]) -> None:
    """Replay `clip` and print one JSON line; `cold` stops after the first frame with an answer."""
    keep_one_heap()
    models = open_models()
    folders = load_gallery([Path(folder) for folder in galleries], models)
    matcher = build_matcher(models, ErrorRate(float(fpir)), folders.residents)
    loaded = load_liveness(
        LivenessWish(liveness, closer=models.closer()),
        models.embedder,
        lambda line: sys.stderr.write(f"{line}\n"),
    )
    str(matcher.operating_point().basis)  # a door tells its threshold at the start, which reads all texts
    give_back()  # as the service does once a minute
    ready_mb, _ = memory_mb()
    door = ReplayDoor(Recognition(models.detector, models.embedder, matcher, loaded.check))
    camera = VideoFile(Path(clip), threads=1)
    played: Iterable[tuple[Frame, list[DoorOutcome]]] = door.play(camera)
    if mode == "cold":
        played = itertools.takewhile(lambda _: not door.figures.watch.count("embed"), played)
    decisions = [outcome.decision for _, outcomes in played for outcome in outcomes]
    camera.close()
    memory = {"residents": len(folders.residents), "rss_ready_mb": ready_mb, "rss_peak_mb": memory_mb()[1]}
    memory |= {"private_mb": private_mb()}

    from edge.bench.video.measure import clip_figures  # noqa: PLC0415 - after the measurement

    found = clip_figures(door.figures, decisions, camera.fps) | memory
    print(json.dumps(found))  # noqa: T201 - the parent process reads it
