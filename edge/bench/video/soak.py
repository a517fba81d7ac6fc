"""Hours of a recording in minutes: whether anything grows, and whether any loop decides otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from edge.camera.file import VideoFile
from edge.replay.door import ReplayDoor, decision_line
from edge.replay.process import memory_mb, open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.domain import Decision, Frame
    from edge.replay.door import Recognition

PAUSE_SECONDS = 10.0
"""Nobody in view between two loops: longer than a visit's gap, so that each loop is a new visit."""

WARM_LOOPS = 3
"""Loops until every buffer has been used once; growth is counted from here."""


class LoopedClip:
    """A recording again and again on one running clock, with a pause between. One thread."""

    def __init__(self, clip: Path, seconds: float) -> None:
        self._clip = clip
        self._seconds = seconds
        self.starts: list[float] = []

    def frames(self) -> Iterator[Frame]:
        """Yield frames until `seconds` of recording have been shown; the last loop is whole."""
        seq, start, shown = 0, 0.0, 0.0
        while shown < self._seconds:
            self.starts.append(start)
            camera = VideoFile(self._clip, threads=1)
            last = 0.0
            while (frame := camera.read()) is not None:
                last = frame.time
                later = frame.at + timedelta(seconds=start)
                yield replace(frame, seq=seq, time=start + frame.time, at=later)
                seq += 1
            camera.close()
            shown += last
            start += last + PAUSE_SECONDS


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
