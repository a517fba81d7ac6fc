"""What Home Assistant's discovery topics are named, and what their payload holds."""

from __future__ import annotations

from edge.wire.compound import Table
from edge.wire.shapes import Text

PREFIX = "homeassistant"
"""Home Assistant's default; where it was changed there, this cannot be used."""

ENTITY = Table(
    {
        "name": Text(64),
        "unique_id": Text(128),
        "availability_topic": Text(256),
        "device": Table({"name": Text(128)}, is_open=True),
        "origin": Table({"name": Text(64)}, is_open=True),
    },
    is_open=True,
    about="the rest is as Home Assistant documents it for each component",
)
