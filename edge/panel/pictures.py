"""Small pictures that stand inside a page: QR codes as `data:` addresses."""

from __future__ import annotations

import base64


def qr_of(text: str) -> str:
    """Return a text as a QR code, an image for `src=`."""
    import segno  # noqa: PLC0415 - few pages draw one

    return str(segno.make(text, error="m").svg_data_uri(scale=3))


def png_source(png: bytes) -> str:
    """Return a PNG for `src=`."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
