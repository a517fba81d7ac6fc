"""Plays a camera to the real controller and shows what happened: timeline, video, contact sheet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.demo.annotate import BANNER_SECONDS, VideoSink, annotate, contact_sheet, write_png
from edge.domain import Verdict
from edge.faces.looking import Looker
from edge.faces.quality import QualityLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.controller import DoorOutcome
    from edge.domain import Decision, Frame, Image
    from edge.ports import Camera, Detector
    from edge.replay.door import ReplayDoor

SHEET_PICTURES = 16


@dataclass(slots=True)
class Recording:
    """What a show left behind: outcomes in order, and pictures worth a contact sheet."""

    outcomes: list[DoorOutcome] = field(default_factory=list)
    moments: list[Image] = field(default_factory=list)

    def extend(self, other: Recording) -> None:
        """Add what a further act left behind."""
        self.outcomes += other.outcomes
        self.moments += other.moments


class Show:
    """One run of the demo. `title_at(seconds)` names what plays; `say` prints a line."""

    def __init__(
        self,
        door: ReplayDoor,
        detector: Detector,
        title_at: Callable[[float], str],
        say: Callable[[str], None],
    ) -> None:
        self._door = door
        # As the door glances: a small picture shows where faces are at a third of the cost.
        self._looker = Looker(detector, QualityLimits().min_interocular_px)
        self._title_at = title_at
        self._say = say
        self._title = ""
        self._latest: Decision | None = None

    def play(self, camera: Camera, video: VideoSink | None) -> Recording:
        """Run the camera to its end and return what happened."""
        recording = Recording()
        was_open = False
        next_moment = 0.0
        for frame, outcomes in self._door.play(camera):
            self._announce(frame)
            for outcome in outcomes:
                self._tell(outcome)
                recording.outcomes.append(outcome)
            is_open = self._door.lock.unlocked
            if is_open != was_open:
                was_open = is_open
                state = "energised: gate open" if is_open else "at rest: gate shut"
                self._say(f"{frame.time:7.2f} s    RELAY {state}")
            if video is not None or outcomes or frame.time >= next_moment:
                picture = self._draw(frame, is_open=is_open)
                if video is not None:
                    video.add(picture)
                if outcomes or frame.time >= next_moment:
                    recording.moments.append(picture)
                    next_moment = frame.time + 1.5
        return recording

    def _announce(self, frame: Frame) -> None:
        title = self._title_at(frame.time)
        if title != self._title:
            self._title, self._latest = title, None
            self._say(f"\n{frame.time:7.2f} s  {title}")

    def _tell(self, outcome: DoorOutcome) -> None:
        decision = self._latest = outcome.decision
        who = decision.resident_id or "nobody"
        numbers = ""
        if decision.similarity is not None and decision.threshold is not None:
            numbers = f"  similarity {decision.similarity:.3f}, threshold {decision.threshold:.3f}"
        mark = "GRANT" if decision.verdict is Verdict.GRANT else "DENY "
        self._say(f"{decision.time:7.2f} s    {mark} {who}: {decision.reason}{numbers}")
        if outcome.event is not None:
            event = outcome.event
            self._say(f"             journal entry {event.seq}: {event.kind} {event.hash[:12]}")

    def _draw(self, frame: Frame, *, is_open: bool) -> Image:
        latest = self._latest
        if latest is not None and frame.time - latest.time > BANNER_SECONDS:
            latest = None
        faces = self._looker.glance(frame.image)
        return annotate(frame.image, faces, self._title, latest, unlocked=is_open)


def save_sheet(path: Path, moments: Sequence[Image]) -> None:
    """Write at most sixteen of the moments, evenly chosen, as one PNG."""
    step = max(len(moments) / SHEET_PICTURES, 1.0)
    chosen = [moments[int(n * step)] for n in range(min(len(moments), SHEET_PICTURES))]
    write_png(path, contact_sheet(chosen))
