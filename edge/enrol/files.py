"""Reference shots of files, whatever they are called: what a file is follows from its bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge.camera.file import VideoFile
from edge.camera.image import HEAD_BYTES, and_its_end, decode_image, is_blank, kind_of
from edge.enrol.shots import Harvest
from edge.errors import CameraLost, EnrolmentRefused, FrameRefused
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.domain import Frame
    from edge.enrol.shots import Shot, ShotTaker

MOST_READ_BYTES = 64 * 1024 * 1024 + 1
"""One byte more than a picture may have: enough to refuse it."""


def shown(path: Path) -> str:
    """Return a file's name for people; bytes that are no UTF-8 (a zip made elsewhere) are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def shots_of(taker: ShotTaker, path: Path) -> Harvest:
    """Return the shots of a photo or a recording; what cannot be used is refused by the file's name."""
    source = shown(path)
    try:
        data = _picture_in(path)
        if data is None:
            return taker.from_clip(_frames(path), source)
        return Harvest([_shot_of(taker, data, source)])
    except (EnrolmentRefused, FrameRefused, CameraLost, OSError) as refusal:
        return Harvest(refused=[_named(source, refusal)])


def _shot_of(taker: ShotTaker, data: bytes, source: str) -> Shot:
    picture = decode_image(data)
    try:
        return taker.from_image(picture, source)
    except EnrolmentRefused as refusal:
        raise EnrolmentRefused(and_its_end(data, refusal.message)) from refusal


def _picture_in(path: Path) -> bytes | None:
    """Return the bytes of the picture a file holds, None when it may be a recording."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        kind = kind_of(head)
        if kind is None:
            return head if is_blank(head) else None
        if kind != "picture":
            raise FrameRefused(message("error.picture_unread", kind=kind))
        # Bounded before decoding: a photo may be any file that somebody uploads or puts on a stick.
        return head + file.read(MOST_READ_BYTES - len(head))


def _named(source: str, refusal: Exception) -> Message | str:
    told = refusal.message if isinstance(refusal, EnrolmentRefused | FrameRefused) else str(refusal)
    return told if source in str(refusal) else message("error.in_file", file=source, reason=told)


def _frames(path: Path) -> Iterator[Frame]:
    clip = VideoFile(path)
    try:
        while (frame := clip.read()) is not None:
            yield frame
    finally:
        clip.close()
