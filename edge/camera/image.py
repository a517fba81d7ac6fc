"""Encoded pictures to pixels, with the size read before a byte is decoded."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.camera.check import MAX_PIXELS, validate_frame
from edge.errors import FrameRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image

MAX_BYTES = 32 * 1024 * 1024
"""No photo of a camera or a phone is larger; a 8K PNG of pure noise would be."""

_MOST_SEGMENTS = 4096
"""Segments looked at before the frame header; cameras write fewer than 100."""

_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG start-of-frame markers; C4, C8 and CC are tables and reserved (ITU-T T.81, table B.1)."""


def decode_image(data: bytes) -> Image:
    """Return the picture in `data` (JPEG, PNG, BMP or WebP) as (H, W, 3) uint8 BGR, upright.

    Raises `FrameRefused` for anything else: no picture, too many bytes, a header that announces
    more than 8K (checked before decoding: a small file must not fill the memory), damage that
    leaves nothing to show. Pictures are returned as far as they decode.
    """
    if len(data) > MAX_BYTES:
        raise FrameRefused(message("error.picture_bytes", bytes=len(data), most=MAX_BYTES))
    width, height = image_size(data)
    if width * height > MAX_PIXELS:
        raise FrameRefused(message("error.picture_pixels", width=width, height=height))
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise FrameRefused(message("error.picture_damaged")) from error
    if image is None:
        raise FrameRefused(message("error.picture_damaged"))
    return validate_frame(image)


def image_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels from the header of a JPEG, PNG, BMP or WebP.

    Raises `FrameRefused` when the header is not one of these or is cut short.
    """
    for magic, parse in _PARSERS.items():
        if data.startswith(magic):
            try:
                return parse(data)
            except (struct.error, IndexError) as error:
                raise FrameRefused(message("error.picture_header")) from error
    raise FrameRefused(message("error.picture_kind"))


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    offset = 2
    for _ in range(_MOST_SEGMENTS):
        if data[offset] != 0xFF:
            break
        marker = data[offset + 1]
        if marker in _SOF_MARKERS:
            height, width = struct.unpack_from(">HH", data, offset + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, offset + 2)
        offset += 1 if marker == 0xFF else 2 + max(length, 2)  # FF may be padded with FF
    raise FrameRefused(message("error.picture_header"))


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    if form == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_PARSERS: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    b"\xff\xd8": _jpeg_size,
    b"\x89PNG\r\n\x1a\n": _png_size,
    b"BM": _bmp_size,
    b"RIFF": _webp_size,
}
