"""How topics and doors are named."""

from __future__ import annotations

import re

ROOT = "facegate/v1"
"""What every topic of a door begins with; the number is that of the payloads' version."""

DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A door's id: part of each topic, MQTT client id and common name of the certificate."""

HUB = "hub"
"""The property's name on the broker."""
WORKER = re.compile(r"hub\.[1-9][0-9]{0,2}")
"""Names of further hubs that only store events; no door may have one."""


def is_hub(name: str) -> bool:
    """Return whether this name on the broker is the property's, not a door's."""
    return name == HUB or WORKER.fullmatch(name) is not None


def device_of(topic: str) -> str:
    """Return the device whose topic this is; nothing for a topic of nobody's."""
    return (topic.split("/", 3) + [""] * 3)[2]
