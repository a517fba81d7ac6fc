"""Pictures that people send: drawn anew, so that nothing goes along but what is seen on them."""

from __future__ import annotations

import cv2

from edge.camera.image import decode_image, image_size
from edge.errors import CommunityRefused, FrameRefused
from edge.words import message

MOST_PIXELS = 24_000_000
"""Looked at in the header, before a byte is decoded; the page shrinks pictures before it sends them."""
LONGEST_SIDE = 1600
QUALITY = 80
MOST_PHOTOS = 3


def clean_photo(data: bytes) -> bytes:
    """Return a picture as a fresh JPEG of at most 1,600 pixels a side, without place, time or camera.

    Takes JPEG, PNG and WebP. Raises `CommunityRefused`.
    """
    try:
        width, height = image_size(data)
        if width * height > MOST_PIXELS:
            raise CommunityRefused(message("community.refused.photo_large"))
        image = decode_image(data)
    except FrameRefused as error:
        raise CommunityRefused(message("community.refused.photo")) from error
    # Encoding the decoded pixels again drops EXIF data (place, time, camera) and anything hidden in the file.
    scale = LONGEST_SIDE / max(image.shape[:2])
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    is_made, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not is_made:
        raise CommunityRefused(message("community.refused.photo"))
    return jpeg.tobytes()
