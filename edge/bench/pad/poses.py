"""How heads move in recordings, and how often such movements answer a challenge by chance."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from edge.bench.pad.challenge import RecordedPose, chance, per_window
from edge.bench.pad.paced import paced
from edge.faces.liveness.active import DOUBT_STEPS, STRICT_STEPS, TRIES
from edge.faces.looking import Looker
from edge.faces.quality import QualityLimits, face_scale_px, pose
from edge.faces.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.pad.set import Presentation
    from edge.ports import Detector

LOOKS_PER_SECOND = 15.0
LEAST_SECONDS = 2.0
"""A shorter stretch of a face is no recording: it would run in a loop."""

TURNING_DEG = 30.0
"""A face whose yaw covers this much turns: what a recording needs to answer anything."""

RANDOM_TRIES = 400


@dataclass(frozen=True, slots=True)
class Chance:
    """How often recordings answered `steps` random steps: (mean, worst) over faces, each 0..1."""

    steps: int
    faces: str
    count: int
    per_try: tuple[float, float]
    per_window: tuple[float, float]


def recorded_poses(detector: Detector, presentation: Presentation) -> list[list[RecordedPose]]:
    """Return the poses of every face of a recording that stays for two seconds, turned away or not."""
    looker, tracker = Looker(detector, QualityLimits().min_interocular_px), Tracker()
    found: dict[int, list[RecordedPose]] = {}
    for frame in paced(presentation, LOOKS_PER_SECOND):
        for track in tracker.update(looker.glance(frame.image), frame.time)[0]:
            yaw_deg, scale_px = pose(track.face.landmarks)[0], face_scale_px(track.face)
            found.setdefault(track.id, []).append(RecordedPose(frame.time, yaw_deg, scale_px))
    return [poses for poses in found.values() if poses[-1].time - poses[0].time >= LEAST_SECONDS]


def yaw_range_deg(poses: Sequence[RecordedPose]) -> float:
    """Return how far apart the outermost yaws of a recording are, single slips left out."""
    yaws = sorted(one.yaw_deg for one in poses)
    edge = len(yaws) // 20
    return yaws[-1 - edge] - yaws[edge]


def chances(recordings: Sequence[Sequence[RecordedPose]], tries: int = RANDOM_TRIES) -> list[Chance]:
    """Return the chances of the turning faces and of all, at either length of a challenge."""
    turning = [one for one in recordings if yaw_range_deg(one) >= TURNING_DEG]
    groups = [(f"turn by {TURNING_DEG:.0f} degrees or more", turning), ("all", recordings)]
    return [
        _chance(faces, group, steps, tries)
        for steps in (DOUBT_STEPS, STRICT_STEPS)
        for faces, group in groups
        if group
    ]


def _chance(faces: str, group: Sequence[Sequence[RecordedPose]], steps: int, tries: int) -> Chance:
    rates = [chance(poses, steps, tries) for poses in group]
    mean, worst = fmean(rates), max(rates)
    windows = [per_window(rate, TRIES) for rate in rates]
    return Chance(steps, faces, len(group), (mean, worst), (fmean(windows), max(windows)))


def chance_table(found: Sequence[Chance]) -> str:
    """Return the chances as Markdown: mean (worst) over faces, a try and a lock-out window."""
    head = f"| steps | faces | a try | a lock-out window ({TRIES} tries) |\n|---|---|---|---|"
    rows = [
        f"| {one.steps} | {one.count}: {one.faces} | {_both(one.per_try)} | {_both(one.per_window)} |"
        for one in found
    ]
    return "\n".join([head, *rows])


def _both(rates: tuple[float, float]) -> str:
    mean, worst = rates
    return f"{100 * mean:.2f} % ({100 * worst:.2f} %)"
