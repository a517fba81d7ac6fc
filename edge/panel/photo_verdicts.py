"""Uploaded photos, each with its verdict: which one is in the way, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.camera.image import and_its_end, decode_image
from edge.errors import FrameRefused
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.domain import Image

SOURCE, UNREAD = "photo.number", "photo.unread"


@dataclass(frozen=True, slots=True)
class PhotoVerdict:
    """What became of one photo: its `file` name, and `why` it cannot be used ("" when it can)."""

    file: str
    why: str


def pictures_of(files: Sequence[tuple[str, bytes]]) -> list[tuple[str | Message, Image]]:
    """Return the photos as (what it is called, picture). Raises `FrameRefused` naming one that is none."""
    found: list[tuple[str | Message, Image]] = []
    for number, (_, data) in enumerate(files, 1):
        source = message(SOURCE, number=number)
        try:
            found.append((source, decode_image(data)))
        except FrameRefused as refusal:
            told = message(UNREAD, source=source, reason=refusal.message)
            raise FrameRefused(told) from refusal
    return found


def verdicts(files: Sequence[tuple[str, bytes]], told: Message, language: str) -> list[PhotoVerdict]:
    """Return a verdict for each photo, as far as the refusal `told` speaks of single ones."""
    spoken = dict(_by_number(told))
    if not spoken:
        return []
    return [
        PhotoVerdict(name, _why(data, spoken[number]).said(language) if number in spoken else "")
        for number, (name, data) in enumerate(files, 1)
    ]


def _why(data: bytes, told: Message) -> Message:
    # A photo whose end is missing can be decoded all the same, and is then refused for its looks alone.
    return told if told.id == UNREAD else and_its_end(data, told)


def _by_number(told: object) -> Iterator[tuple[int, Message]]:
    """Yield (photo, what is said of it) of every message within `told`: a refusal may list several."""
    if isinstance(told, Sequence) and not isinstance(told, str):
        for one in told:
            yield from _by_number(one)
    if not isinstance(told, Message):
        return
    source = told.values.get("source")
    if isinstance(source, Message) and source.id == SOURCE:
        yield int(source.values["number"]), told
    for value in told.values.values():
        yield from _by_number(value)
