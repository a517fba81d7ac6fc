"""The same presentations as a harder door sees them: grey, dim, bright, slow, far off, and in company."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from edge.bench.pad.door import TrialPart
from edge.bench.pad.paced import JITTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.bench.pad.set import Presentation
    from edge.domain import Frame, Image

    Change = Callable[[Image], Image]

DIM = (0.5, 1 / 3, 0.25)
"""Parts of the brightness."""
BRIGHT = (1.3, 1.6, 2.0)
"""Times the brightness: in the sun, or before a camera that exposes for something darker."""
FPS = (12.0, 8.0, 5.0, 4.0, 3.0)
SHRUNK = (0.75, 0.5, 0.35)
"""Parts of the size, the rest filled with grey: the same person or phone farther off."""
SIDE_PX = 480
"""Height of each picture in a group, which stand side by side."""
GROUP_FPS = 15.0
FILL = 118


class FrameReader(Protocol):
    """What the door reads frames from."""

    def read(self) -> Frame | None:
        """Return the next frame, or None at the end."""

    def close(self) -> None:
        """Close the file."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing shown to the door: `parts` side by side, each frame changed by `change`.

    With `fps` only so many frames a second are passed on.
    """

    parts: tuple[Presentation, ...]
    change: Change | None = None
    fps: float | None = None

    def open(self) -> FrameReader:
        """Return the camera that shows it."""
        camera: FrameReader = TrialPart(self.parts[0]) if len(self.parts) == 1 else Beside(self.parts)
        if self.change is not None:
            camera = Changed(camera, self.change)
        return camera if self.fps is None else Slower(camera, self.fps)


class Changed:
    """A camera whose every picture is changed."""

    def __init__(self, camera: FrameReader, change: Change) -> None:
        self._camera, self._change = camera, change

    def read(self) -> Frame | None:
        """Return the next frame, changed."""
        frame = self._camera.read()
        if frame is None:
            return None
        image = np.ascontiguousarray(self._change(frame.image))
        image.setflags(write=False)
        return replace(frame, image=image)

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()


class Slower:
    """A camera that leaves frames out until no more than `fps` a second are left."""

    def __init__(self, camera: FrameReader, fps: float) -> None:
        self._camera, self._spacing = camera, 1.0 / fps
        self._due: float | None = None

    def read(self) -> Frame | None:
        """Return the next frame that is due, at its own time."""
        while (frame := self._camera.read()) is not None:
            due = frame.time if self._due is None else self._due
            if frame.time + JITTER_SECONDS >= due:
                self._due = max(due + self._spacing, frame.time)  # as `paced`
                return frame
        return None

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()


class Beside:
    """Several presentations in one picture, side by side, until the shortest ends."""

    def __init__(self, parts: Sequence[Presentation]) -> None:
        self._cameras = [TrialPart(one) for one in parts]
        self._frames: list[Frame | None] = [camera.read() for camera in self._cameras]
        self._starts = [frame.time if frame else 0.0 for frame in self._frames]
        self._seq = 0

    def read(self) -> Frame | None:
        """Return the next picture of all of them."""
        time = self._seq / GROUP_FPS
        for index, camera in enumerate(self._cameras):
            frame = self._frames[index]
            # Each by its own clock: clips of different frame rates stand side by side.
            while frame is not None and frame.time - self._starts[index] < time - JITTER_SECONDS:
                frame = camera.read()
            self._frames[index] = frame
        if any(frame is None for frame in self._frames):
            return None
        frames = [frame for frame in self._frames if frame is not None]
        image = np.hstack([_of_height(frame.image, SIDE_PX) for frame in frames])
        image.setflags(write=False)
        self._seq += 1
        return replace(frames[0], image=image, time=time, seq=self._seq)

    def close(self) -> None:
        """Close every camera."""
        for camera in self._cameras:
            camera.close()


def _of_height(image: Image, height: int) -> Image:
    scale = height / image.shape[0]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = (round(image.shape[1] * scale), height)
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def as_grey(image: Image) -> Image:
    """Return the picture as a night camera shows it: one channel three times."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def lit(part: float) -> Change:
    """Return what makes the light `part` of what it was; what is white already stays white."""
    return lambda image: np.asarray(np.minimum(image * part, 255), np.uint8)


def shrunk(part: float) -> Change:
    """Return what makes everything `part` as large, on a plain grey ground."""

    def change(image: Image) -> Image:
        small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        ground = np.full_like(image, FILL)
        top, left = (image.shape[0] - small.shape[0]) // 2, (image.shape[1] - small.shape[1]) // 2
        ground[top : top + small.shape[0], left : left + small.shape[1]] = small
        return ground

    return change


def plain(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations as they are."""
    return [("as recorded", [Shown((one,)) for one in presentations])]


def grey(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations without colour."""
    return [("grey", [Shown((one,), as_grey) for one in presentations])]


def dim(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations at parts of their brightness."""
    return [(f"{part:.2f} of the light", [Shown((one,), lit(part)) for one in presentations]) for part in DIM]


def bright(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations brighter than they were recorded."""
    return [
        (f"{part:g} times the light", [Shown((one,), lit(part)) for one in presentations]) for part in BRIGHT
    ]


def fps(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations at fewer frames a second."""
    return [(f"{rate:g} f/s", [Shown((one,), fps=rate) for one in presentations]) for rate in FPS]


def shrunken(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return the presentations farther off."""
    return [(f"{part:g} as large", [Shown((one,), shrunk(part)) for one in presentations]) for part in SHRUNK]


def groups(presentations: Sequence[Presentation]) -> list[tuple[str, list[Shown]]]:
    """Return people in twos and threes, and each living person beside each recording of somebody else.

    One clip of each person, the longest there is; every person stands beside the next in the list.
    """
    living = list({one.person: one for one in presentations if not one.is_attack}.values())
    attacks = [one for one in presentations if one.is_attack]
    count = len(living)
    twos = [Shown((living[n], living[(n + 1) % count])) for n in range(count)]
    threes = [Shown((living[n], living[(n + 1) % count], living[(n + 3) % count])) for n in range(count)]
    mixed = [Shown((one, bad)) for bad in attacks for one in living if one.person != bad.person]
    named = [("two people", twos if count > 1 else []), ("three people", threes if count > 3 else [])]
    return [*named, ("a person beside a replay", mixed)]


SERIES = {
    "plain": plain,
    "grey": grey,
    "dim": dim,
    "bright": bright,
    "fps": fps,
    "shrunken": shrunken,
    "groups": groups,
}
"""Every series by the name it is asked for with."""
