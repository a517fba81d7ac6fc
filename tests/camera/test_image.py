"""Encoded pictures: sizes come from the header, bombs are refused before decoding."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.image import MAX_BYTES, decode_image, image_size, is_cut_off
from edge.errors import FrameRefused
from tests.camera.scenes import scene


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_every_format_tells_its_size_and_decodes(suffix: str) -> None:
    data = cv2.imencode(suffix, scene(size=(200, 144)))[1].tobytes()
    assert image_size(data) == (200, 144)
    assert decode_image(data).shape == (144, 200, 3)


@pytest.mark.parametrize("quality", [50, 101])
def test_lossy_and_lossless_webp(quality: int) -> None:
    data = cv2.imencode(".webp", scene(size=(200, 144)), [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    assert image_size(data) == (200, 144)


def test_a_grey_picture_becomes_bgr() -> None:
    data = cv2.imencode(".png", scene()[:, :, 0])[1].tobytes()
    assert decode_image(data).shape == (120, 160, 3)


def _png_announcing(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def test_a_png_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(FrameRefused, match="30000x30000; the most is 8K"):
        decode_image(_png_announcing(30000, 30000))


def test_a_picture_without_room_for_a_face_is_refused_in_words() -> None:
    _, data = cv2.imencode(".png", np.zeros((20, 400, 3), np.uint8))
    with pytest.raises(FrameRefused) as refused:
        decode_image(data.tobytes())
    assert str(refused.value).startswith("The picture is 400x20 pixels, and each side must have 32 or more")


def test_a_panorama_is_read_smaller() -> None:
    _, data = cv2.imencode(".jpg", np.full((900, 12_000, 3), 90, np.uint8))
    assert decode_image(data.tobytes()).shape == (450, 6_000, 3)


def test_a_jpeg_that_announces_too_much_is_refused() -> None:
    data = bytearray(cv2.imencode(".jpg", scene())[1].tobytes())
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 65000, 65000)
    with pytest.raises(FrameRefused, match="65000x65000; the most is 8K"):
        decode_image(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\xff\xd8",
        b"\xff\xd8\x00",
        b"BM",
        b"RIFF",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8" + b"\xff" * 100_000,
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(FrameRefused):
        decode_image(data)


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(FrameRefused, match="the most is 67108864"):
        decode_image(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("data", [b"", bytes(10_000)], ids=["empty", "zeros"])
def test_a_file_of_which_nothing_was_written_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(FrameRefused, match="This file is empty"):
        decode_image(data)


def jpeg(image: np.ndarray, *more: int) -> bytes:
    return cv2.imencode(".jpg", image, list(more))[1].tobytes()


@pytest.mark.parametrize("tail", [b"", bytes(5000), b"\xff" * 5000], ids=["cut", "zeros", "ones"])
@pytest.mark.parametrize("share", [0.65, 0.8, 0.99])
def test_of_a_jpeg_without_its_end_what_is_above_the_cut_is_there(share: float, tail: bytes) -> None:
    """As a chat that was broken off, or a card that was pulled, leave a photo."""
    whole = jpeg(scene(size=(640, 480)))
    cut = whole[: int(len(whole) * share)] + tail
    above = decode_image(cut)
    assert is_cut_off(cut)
    assert not is_cut_off(whole + b"what a telephone writes behind")
    assert np.array_equal(above, decode_image(whole)[: len(above)]), "and nothing that was made up"
    assert len(above) >= 480 * share - 60


def taken(picture: bytes, orientation: int) -> bytes:
    """Return a JPEG as from a telephone that was held so (Exif 2.3, 4.6.4, tag 274)."""
    entry = struct.pack(">HHIHH", 274, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + picture[2:]


@pytest.mark.parametrize("size", [(640, 480), (480, 480), (8400, 4800)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_whichever_way_a_telephone_was_held_nothing_below_the_cut_is_taken_for_a_picture(
    orientation: int, size: tuple[int, int]
) -> None:
    """Half a face beside a grey half would be enrolled as a face."""
    upright = jpeg(cv2.resize(scene(size=(640, 480)), size))
    whole = taken(upright, orientation)
    above, everything = decode_image(whole[: int(len(whole) * 0.6)]), decode_image(whole)
    height, width = above.shape[:2]
    corners = (
        everything[top : top + height, left : left + width]
        for top in {0, everything.shape[0] - height}
        for left in {0, everything.shape[1] - width}
    )
    assert above.shape != everything.shape
    assert any(np.array_equal(above, corner) for corner in corners)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_other_pictures_without_their_end_are_refused_in_words(share: float) -> None:
    image = scene(size=(640, 480))
    for data in (
        jpeg(image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        *(cv2.imencode(suffix, image)[1].tobytes() for suffix in (".png", ".webp")),
    ):
        with pytest.raises(FrameRefused, match="The end of this file is missing"):
            decode_image(data[: int(len(data) * share)])
    tiny = jpeg(image)
    with pytest.raises(FrameRefused, match="The end of this file is missing"):
        decode_image(tiny[: int(len(tiny) * 0.4)])  # whoever is found there is hardly who was photographed
    with pytest.raises(FrameRefused, match="The end of this file is missing"):
        decode_image(tiny[: int(len(tiny) * 0.05)])


@given(st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b""]), st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_refused(magic: bytes, rest: bytes) -> None:
    try:
        picture = decode_image(magic + rest)
    except FrameRefused:
        return
    assert picture.dtype == np.uint8


def _grey_jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    image = np.full((height, width), 127, np.uint8)
    flags = [cv2.IMWRITE_JPEG_QUALITY, 30, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", image, flags)[1].tobytes()


@pytest.mark.parametrize(("size", "scale"), [((8064, 6048), 2), ((8160, 6120), 2), ((12000, 9000), 2)])
def test_a_phone_s_large_photo_is_decoded_smaller(size: tuple[int, int], scale: int) -> None:
    image = decode_image(_grey_jpeg(*size))
    assert image.shape == (-(-size[1] // scale), -(-size[0] // scale), 3)


def test_200_megapixels_are_within_reach_and_a_bomb_is_not() -> None:
    head = bytearray(_grey_jpeg(64, 64))
    place = head.index(b"\xff\xc0") + 5
    head[place : place + 4] = struct.pack(">HH", 60000, 60000)
    with pytest.raises(FrameRefused, match="Send it smaller"):
        decode_image(bytes(head))


def test_a_progressive_photo_is_refused_sooner() -> None:
    head = bytearray(_grey_jpeg(64, 64, progressive=True))
    place = head.index(b"\xff\xc2") + 5
    head[place : place + 4] = struct.pack(">HH", 9000, 12000)
    with pytest.raises(FrameRefused, match="12000x9000"):
        decode_image(bytes(head))
    assert decode_image(_grey_jpeg(8064, 6048, progressive=True)).shape == (3024, 4032, 3)
