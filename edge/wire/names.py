"""How topics and doors are named."""

from __future__ import annotations

import re

ROOT = "facegate/v1"
"""What every topic of a door begins with; the number is that of the payloads' version."""

DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A door's id: part of each topic, MQTT client id and common name of the certificate."""

DOOR_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a door's settings take as its id. Of a device's names those with a dot are not doors'."""

HUB = "hub"
"""The property's name on the broker."""
WORKER = re.compile(r"hub\.[1-9][0-9]{0,2}")
"""Names of further hubs that only store events; no door may have one."""

APP = re.compile(r"app\.[a-z0-9][a-z0-9-]{0,39}")
"""Names of other programs of the house; no door may have one, nor the first two levels of their topics."""
ASK, ANSWER = "ask", "answer"


def is_app(name: str) -> bool:
    """Return whether this name on the broker is that of another program of the house."""
    return name.startswith("app.") or name in {ASK, ANSWER}


def is_hub(name: str) -> bool:
    """Return whether this name on the broker is the property's, not a door's."""
    return name == HUB or WORKER.fullmatch(name) is not None


def device_of(topic: str) -> str:
    """Return the device or other program whose topic this is; nothing for a topic of nobody's."""
    # facegate/v1/DEVICE/... or facegate/v1/ask/PROGRAM; padded, so that a shorter topic gives nothing.
    parts = topic.split("/", 4) + [""] * 4
    return f"app.{parts[3]}" if parts[2] == ASK else parts[2]
