"""What comes of enrolling somebody from recordings: a guided session that nobody can answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from edge.camera.file import VideoFile
from edge.enrol.session import GuidedSession
from edge.errors import EvaluationRefused
from edge.service.panel.office import liveness_maker
from edge.service.recognition.recogniser import ErrorRate, build_matcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.domain import Frame
    from edge.enrol.session import EnrolmentOutcome
    from edge.service.recognition.recogniser import Models

logger = logging.getLogger(__name__)

SEAM_SECONDS = 0.04
"""Between the last frame of a recording and the next one's first: a frame at 25 fps."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """One session: how many seconds of video it took, and what came of it."""

    seconds: float
    outcome: EnrolmentOutcome


def sitting(clips: Sequence[Path], models: Models, mode: Literal["off", "passive"]) -> Sitting:
    """Return the session over recordings of one person, played one after the other, again and again.

    It is compared with an empty gallery at the usual error rate (1 in 1,000 visits). A recording does
    not turn its head when it is told to, so the poses that never come are given up one by one.
    Raises `EvaluationRefused` when there is no frame to play.
    """
    new_liveness = liveness_maker(mode, models, logger.debug)
    session = GuidedSession(
        "bench", (models.detector, models.embedder), build_matcher(models, ErrorRate(), {}), new_liveness()
    )
    begun: float | None = None
    for frame in _looped(clips):
        begun = frame.time if begun is None else begun
        session.observe(frame)
        if session.outcome is not None:
            return Sitting(frame.time - begun, session.outcome)
    raise EvaluationRefused(f"{', '.join(map(str, clips))}: no frames; give recordings of one person")


def _looped(clips: Sequence[Path]) -> Iterator[Frame]:
    """Yield the frames of all clips for ever, on one clock; nothing at all when there are none."""
    offset, seq = 0.0, 0
    while True:
        before = seq
        for clip in clips:
            last = 0.0
            for frame in _frames(clip):
                last = frame.time
                yield replace(frame, seq=seq, time=offset + frame.time)
                seq += 1
            offset += last + SEAM_SECONDS
        if seq == before:
            return


def _frames(clip: Path) -> Iterator[Frame]:
    video = VideoFile(clip)
    try:
        while (frame := video.read()) is not None:
            yield frame
    finally:
        video.close()
