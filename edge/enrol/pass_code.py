"""The QR code of a visitor pass: drawn so that the door's own reader reads it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.credentials.qr import QrReader
from edge.errors import ConfigError, EnrolmentRefused
from edge.extras import way_to_install
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DRAWINGS = 20


def readable_code(fresh: Callable[[], str]) -> tuple[str, bytes]:
    """Draw what `fresh` returns until the door's own reader can read it; return that text and the PNG.

    OpenCV's reader failed on 4 of 100 perfect drawings; another random id draws another code.
    """
    for _ in range(MOST_DRAWINGS):
        text = fresh()
        png = drawn(text)
        # Read back from the PNG, as a telephone will show it.
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        if image is not None and QrReader().decode(image) == text:
            return text, png
    raise EnrolmentRefused(message("error.pass_unread"))


def drawn(text: str) -> bytes:
    """Return the QR code as PNG: 8 pixels a module, a quiet zone of 4.

    Error correction L, the least: larger modules were worth more before a camera (at 300 px, 96 %
    of codes read at first sight, against 76 % with M and 8 % with Q).
    """
    try:
        import segno  # noqa: PLC0415 - only who draws one needs it
    except ImportError as error:
        raise ConfigError(f"drawing needs the package segno: {way_to_install('passes')}") from error
    picture = io.BytesIO()
    segno.make(text, error="l", boost_error=False, micro=False).save(picture, kind="png", scale=8, border=4)
    return picture.getvalue()
