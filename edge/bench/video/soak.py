"""Hours of a recording in minutes: whether anything grows, and whether any loop decides otherwise."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.camera.file import VideoFile
from edge.replay.door import ReplayDoor, decision_line
from edge.replay.process import memory_mb, open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.domain import Decision, Frame
    from edge.replay.door import Recognition

PAUSE_SECONDS = 2 * 3600.0
"""Between two loops: a door remembers a stranger's face for minutes and what its camera spent of the error
rate for an hour, and would rightly decide otherwise so soon."""

EMPTY_SECONDS = 10.0
"""Nobody is in view from so long after the last frame, and again as long before the first one."""

TICK = 2.0**-20
"""Times of frames are whole numbers of these seconds, so that adding an hour rounds none of them."""

WARM_LOOPS = 3
"""Loops until every buffer has been used once; growth is counted from here."""


class LoopedClip:
    """A recording again and again on one running clock, hours of an empty picture between. One thread.

    Each loop begins and ends with one black frame, so that it finds nobody in view and leaves nobody.
    """

    def __init__(self, clip: Path, seconds: float) -> None:
        self._clip = clip
        self._seconds = seconds
        self.starts: list[float] = []

    def frames(self) -> Iterator[Frame]:
        """Yield frames until `seconds` of recording have been shown; the last loop is whole."""
        seq, start, shown = 0, 0.0, 0.0
        while shown < self._seconds:
            self.starts.append(start)
            last = 0.0
            for frame in self._loop():
                last = frame.time
                yield replace(frame, seq=seq, time=start + last, at=frame.at + timedelta(seconds=start))
                seq += 1
            shown += last
            start += math.ceil(last + PAUSE_SECONDS)

    def _loop(self) -> Iterator[Frame]:
        """Yield one loop, from zero on."""
        camera = VideoFile(self._clip, threads=1)
        frame = None
        while (found := camera.read()) is not None:
            if frame is None:
                yield _empty(found, 0.0)
            time = EMPTY_SECONDS + round(found.time / TICK) * TICK
            frame = replace(found, time=time)
            yield frame
        camera.close()
        if frame is not None:
            yield _empty(frame, frame.time + EMPTY_SECONDS)


def _empty(like: Frame, time: float) -> Frame:
    """Return a black picture as large as that of `like`."""
    return replace(like, image=np.zeros_like(like.image), time=time)


def soak(clip: Path, recognition: Recognition, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Return how memory, files and decisions behaved over `seconds` of looped recording."""
    looped = LoopedClip(clip, seconds)
    door = ReplayDoor(recognition)
    loops: list[list[Any]] = []
    memory: list[float] = []
    files: list[int] = []
    for frame in looped.frames():
        if len(looped.starts) > len(loops):
            loops.append([])
            memory.append(memory_mb()[0])
            files.append(open_files())
            door.figures.forget_frames()
            say(f"loop {len(loops)}: {memory[-1]:.1f} MB, {files[-1]} files")
        loops[-1] += [_essence(outcome.decision, looped.starts[-1]) for outcome in door.handle(frame)]
    warm = min(WARM_LOOPS, len(loops) - 1)
    return {
        "loops": len(loops),
        "frames": door.figures.frames,
        "decisions_per_loop": len(loops[-1]),
        "loops_that_differ": sum(loop != loops[0] for loop in loops),
        "rss_mb_warm": memory[warm],
        "rss_mb_end": memory_mb()[0],
        "files_warm": files[warm],
        "files_end": open_files(),
    }


def _essence(decision: Decision, start: float) -> dict[str, Any]:
    """Return a decision without what counts up over loops: frame, track and absolute time."""
    line = decision_line(decision)
    line["time_s"] = round(decision.time - start, 3)
    return {key: value for key, value in line.items() if key not in {"frame", "track"}}
