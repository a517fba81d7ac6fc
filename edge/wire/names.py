"""How topics and doors are named."""

from __future__ import annotations

import re

ROOT = "facegate/v1"
"""What every topic of a door begins with; the number is that of the payloads' version."""

DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A door's id: part of each topic, MQTT client id and common name of the certificate."""


def device_of(topic: str) -> str:
    """Return the device whose topic this is; nothing for a topic of nobody's."""
    return (topic.split("/", 3) + [""] * 3)[2]
