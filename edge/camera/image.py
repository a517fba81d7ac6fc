"""Encoded pictures to pixels, with the size read before a byte is decoded."""

from __future__ import annotations

import struct
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.camera.check import MAX_PIXELS, MAX_SIDE_PX, MIN_SIDE_PX, validate_frame
from edge.errors import FrameRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image
    from edge.words import Message

MAX_BYTES = 64 * 1024 * 1024
"""No photo of a camera or a phone is larger: 200 megapixels as JPEG have 30 to 60 MB."""

MAX_JPEG_PIXELS = 210_000_000
"""Phones take up to 200 megapixels (16320x12240). A baseline JPEG is decoded at a half, quarter or eighth,
so that no more than 8K is ever held in memory."""

MAX_PROGRESSIVE_PIXELS = 64_000_000
"""A progressive JPEG keeps all its coefficients until its last scan: 6 bytes a pixel at any size asked."""

JPEG = b"\xff\xd8"
_END_OF_JPEG = b"\xff\xd9"
"""Nothing inside a picture's data looks like it (ITU-T T.81, B.1.1.5); the preview in front has its own."""
_TRAILER_BYTES = 1 << 20
"""What programs write behind a PNG."""
_LAST_BLOCKS_PX = 34
"""Blocks are up to 32 pixels high where colours are coarser, and the next two rows take colours from them."""
_LEAST_SHARE = 0.5
"""Of a picture's rows must be there: above that is whoever stood in the background. Of 60 photos (LFW, three
times as large) cut off at 30 to 80 % of their bytes, all 5 faces that were taken from half of the bytes or
less were another's (similarity under 0.17 to the person's), and none of 226 from more (0.65 at least)."""
_WAYS_UP = tuple(product((False, True), range(4)))
"""Mirrored or not, and by how many quarters a picture may be turned: the eight that Exif knows."""
_BASELINE = frozenset({0xC0, 0xC1})
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}

_MOST_SEGMENTS = 4096
"""Segments looked at before the frame header; cameras write fewer than 100."""

_SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG start-of-frame markers; C4, C8 and CC are tables and reserved (ITU-T T.81, table B.1)."""


def decode_image(data: bytes) -> Image:
    """Return the picture in `data` (JPEG, PNG, BMP or WebP) as (H, W, 3) uint8 BGR, upright.

    A JPEG of more than 8K is returned at a half, a quarter or an eighth of its size. Raises `FrameRefused`
    for anything else: no picture, too many bytes, a header that announces more than fits (checked before
    decoding: a small file must not fill the memory), damage. Of a baseline JPEG whose end is missing, as a
    chat or a pulled card leaves them, what is above the cut is returned where that is half of it or more: a
    face that is whole in it is as good as any, and one that is not stands at the picture's edge. Any other
    picture that `is_cut_off` is refused: half of a progressive one is a blurred whole.
    """
    if len(data) > MAX_BYTES:
        raise FrameRefused(message("error.picture_bytes", bytes=len(data), most=MAX_BYTES))
    width, height = image_size(data)
    flag = _flag_for(data, width, height)
    if not is_cut_off(data):
        return validate_frame(_decoded(data, flag))
    if not data.startswith(JPEG) or _is_progressive(data):  # half of such a picture is a blurred whole
        raise FrameRefused(message("error.picture_cut_off"))
    # What pulled cards fill up with goes, and the end that is missing is put there: without one the decoder
    # gives no picture at all.
    return validate_frame(_above_the_cut(data.rstrip(b"\0\xff") + _END_OF_JPEG, flag))


def is_cut_off(data: bytes) -> bool:
    """Return whether the end of a picture's file is missing. Raises `FrameRefused` if its header is, too."""
    # Before the frame's header it is the end of the preview that cameras put in front.
    if data.startswith(JPEG):
        return data.rfind(_END_OF_JPEG) < _jpeg_frame(data)[0]
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-_TRAILER_BYTES:]
    # WebP counts from behind the first eight bytes, which are its mark and this number.
    announced = int.from_bytes(data[4:8], "little") + 8 if data.startswith(b"RIFF") else 0
    return announced > len(data)


def and_its_end(data: bytes, reason: Message) -> Message:
    """Return why a picture that was decoded is of no use; where its end is missing, that as well."""
    return message("photo.cut_off", reason=reason) if is_cut_off(data) else reason


def _decoded(data: bytes, flag: int) -> Image:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise FrameRefused(message("error.picture_damaged")) from error
    if image is None:
        raise FrameRefused(message("error.picture_damaged"))
    return np.asarray(image, dtype=np.uint8)


def _above_the_cut(data: bytes, flag: int) -> Image:
    """Return what was decoded, upright. Raises `FrameRefused` where that is less than half.

    Below the rows that were each is of one colour, and the last blocks are partly: below as the camera wrote
    them, which is beside or above the face in a picture that was taken upright with a telephone.
    """
    # Which way up it is only the decoder knows. A few points tell, so that one picture at a time is held.
    points = _decoded(data, flag)[::8, ::8].copy()
    image = _decoded(data, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    ways = (way for way in _WAYS_UP if np.array_equal(_turned(image, *way)[::8, ::8], points))
    way, rows = next(ways, None), _rows_above_the_cut(image)
    if way is None or rows < max(MIN_SIDE_PX, _LEAST_SHARE * len(image)):
        raise FrameRefused(message("error.picture_cut_off"))
    return _turned(image[:rows], *way)


def _turned(image: Image, is_mirrored: bool, quarters: int) -> Image:  # noqa: FBT001
    return np.rot90(image[:, ::-1] if is_mirrored else image, quarters)


def _rows_above_the_cut(image: Image) -> int:
    # From the bottom up: a sky of one colour at the top is part of the picture.
    is_plain = (image == image[:, :1]).all(axis=(1, 2))
    plain = len(is_plain) if is_plain.all() else int(np.argmin(is_plain[::-1]))
    return len(image) - plain - _LAST_BLOCKS_PX


def _flag_for(data: bytes, width: int, height: int) -> int:
    """Return how to decode a picture of this size within the memory there is for it."""
    # By the header, before a byte is decoded: a few kilobytes can announce a picture that fills the memory.
    if min(width, height) < MIN_SIDE_PX:
        raise FrameRefused(message("error.picture_small", width=width, height=height, least=MIN_SIDE_PX))
    pixels, side = width * height, max(width, height)
    if pixels <= MAX_PIXELS and side <= MAX_SIDE_PX:
        return cv2.IMREAD_COLOR
    most = MAX_PROGRESSIVE_PIXELS if _is_progressive(data) else MAX_JPEG_PIXELS
    if data.startswith(JPEG) and pixels <= most:
        for scale, flag in _REDUCED.items():
            if pixels <= MAX_PIXELS * scale * scale and side <= MAX_SIDE_PX * scale:
                return flag
    raise FrameRefused(message("error.picture_pixels", width=width, height=height))


def _is_progressive(data: bytes) -> bool:
    return data.startswith(JPEG) and _jpeg_frame(data)[1] not in _BASELINE


def image_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels from the header of a JPEG, PNG, BMP or WebP.

    Raises `FrameRefused` when the header is not one of these or is cut short.
    """
    if is_blank(data):
        raise FrameRefused(message("error.picture_blank"))
    for magic, parse in _PARSERS.items():
        if data.startswith(magic):
            try:
                return parse(data)
            except (struct.error, IndexError) as error:
                raise FrameRefused(message("error.picture_header")) from error
    raise FrameRefused(message("error.picture_kind"))


def is_blank(head: bytes) -> bool:
    """Return whether nothing of a file was written: it is empty, or zeros, as pulled cards leave it."""
    return not head[:HEAD_BYTES].strip(b"\0")


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp_size(data: bytes) -> tuple[int, int]:
    # A negative height means that the rows go from the top down.
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    _, _, width, height = _jpeg_frame(data)
    return width, height


def _jpeg_frame(data: bytes) -> tuple[int, int, int, int]:
    """Return where the frame begins, its marker, width and height."""
    offset = 2
    for _ in range(_MOST_SEGMENTS):
        if data[offset] != 0xFF:
            break
        marker = data[offset + 1]
        if marker in _SOF_MARKERS:
            height, width = struct.unpack_from(">HH", data, offset + 5)
            return offset, marker, width, height
        (length,) = struct.unpack_from(">H", data, offset + 2)
        # A marker may be padded with any number of FF; the length counts its own two bytes.
        offset += 1 if marker == 0xFF else 2 + max(length, 2)
    raise FrameRefused(message("error.picture_header"))


def _webp_size(data: bytes) -> tuple[int, int]:
    form = data[12:16]
    # Extended: 24 bits each, less one. Lossless: 14 bits each, less one, behind a signature byte. Else lossy:
    # 14 bits each behind a start code, with 2 bits of scaling that nobody uses.
    if form == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


_PARSERS: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    JPEG: _jpeg_size,
    b"\x89PNG\r\n\x1a\n": _png_size,
    b"BM": _bmp_size,
    b"RIFF": _webp_size,
}


HEAD_BYTES = 32
"""What `kind_of` needs of a file."""

_UNREAD = {
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"%PDF": "PDF",
}
_UNREAD_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"mif1": "HEIC", b"msf1": "HEIC"}


def kind_of(head: bytes) -> str | None:
    """Return what a file is by its first bytes: `picture`, the name of a kind that is not read, or None.

    The name of a file tells nothing: phones and browsers write the same JPEG as .jpg, .jfif and .jpe. None
    may be a recording.
    """
    if head.startswith(b"RIFF"):
        return "picture" if head[8:12] == b"WEBP" else None
    if any(head.startswith(magic) for magic in _PARSERS):
        return "picture"
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "HEIC" if brand[:2] == b"he" else _UNREAD_BRANDS.get(brand)
    return next((name for magic, name in _UNREAD.items() if head.startswith(magic)), None)
