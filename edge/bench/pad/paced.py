"""The frames of a presentation as a door looks at them: only the part that is meant, at its pace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.camera.file import VideoFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bench.pad.set import Presentation
    from edge.domain import Frame

JITTER_SECONDS = 1e-3
"""Recordings round their times to milliseconds: a frame that is due by less is not left for the next."""


def paced(presentation: Presentation, fps: float) -> Iterator[Frame]:
    """Yield the frames of a presentation, `fps` a second at most, at their own times."""
    camera, due = VideoFile(presentation.path), presentation.start
    try:
        while (frame := camera.read()) is not None and frame.time <= presentation.end:
            if frame.time + JITTER_SECONDS >= due:
                # By the pace, so that jitter does not add up; by the frame, so that a gap is not made up for.
                due = max(due + 1 / fps, frame.time)
                yield frame
    finally:
        camera.close()
