"""QR codes for pages: an SVG picture in a data URL, which the content policy allows."""

from __future__ import annotations

import segno


def qr_picture(text: str) -> str:
    """Return the QR code of `text` as a data URL."""
    return str(segno.make(text, error="m").svg_data_uri(scale=6, border=2, dark="#17212b"))
