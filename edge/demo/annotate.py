"""What the door saw and thought, drawn into the picture: for people, after the decision is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.domain import Decision, Face, Image

GREEN, RED, GREY, WHITE = (80, 200, 80), (60, 60, 220), (170, 170, 170), (245, 245, 245)
BANNER_SECONDS = 2.5
"""How long a decision stays on the picture."""


def annotate(
    image: Image, faces: Sequence[Face], title: str, decision: Decision | None, *, unlocked: bool
) -> Image:
    """Return a copy of `image` with faces, the latest decision and the state of the gate."""
    picture = image.copy()
    for face in faces:
        box = face.box
        corner, other = (round(box.left), round(box.top)), (round(box.right), round(box.bottom))
        cv2.rectangle(picture, corner, other, GREY, 1, cv2.LINE_AA)
    _strip(picture, 0, title, WHITE)
    if decision is not None:
        _strip(picture, 1, _verdict(decision), GREEN if decision.verdict is Verdict.GRANT else RED)
    height, width = picture.shape[:2]
    colour = GREEN if unlocked else RED
    cv2.rectangle(picture, (0, height - 30), (width, height), colour, -1)
    _text(picture, "GATE OPEN" if unlocked else "gate shut", (10, height - 9), WHITE)
    return picture


def contact_sheet(pictures: Sequence[Image], columns: int = 4) -> Image:
    """Return all pictures at half size in one: (rows * H / 2, columns * W / 2, 3) uint8."""
    pictures = [cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for one in pictures]
    blank = np.zeros_like(pictures[0])
    padded = [*pictures, *[blank] * (-len(pictures) % columns)]
    rows = [np.hstack(padded[start : start + columns]) for start in range(0, len(padded), columns)]
    return np.vstack(rows)


def write_png(path: Path, image: Image) -> None:
    """Write `image` as PNG. Raises `OSError` when it cannot be written."""
    encoded, data = cv2.imencode(".png", image)
    if not encoded:
        raise OSError(f"{path}: the picture cannot be encoded")
    path.write_bytes(data.tobytes())


class VideoSink:
    """An MP4 file that takes pictures of one size. Closing finishes the file."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise OSError(f"{path}: no video can be written here")

    def add(self, image: Image) -> None:
        """Append one picture."""
        self._writer.write(image)

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()


def _verdict(decision: Decision) -> str:
    who = decision.resident_id or "nobody"
    numbers = ""
    if decision.similarity is not None and decision.threshold is not None:
        numbers = f"  similarity {decision.similarity:.2f} / {decision.threshold:.2f}"
    return f"{decision.verdict.upper()} {who} ({decision.reason}){numbers}"


def _strip(picture: Image, line: int, text: str, colour: tuple[int, int, int]) -> None:
    top = 26 * line
    picture[top : top + 26] = picture[top : top + 26] // 3
    _text(picture, text, (10, top + 18), colour)


def _text(picture: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
