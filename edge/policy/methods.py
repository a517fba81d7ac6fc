"""The ways to show at the door who one is."""

from __future__ import annotations

from enum import StrEnum


class Method(StrEnum):
    """How somebody was identified. `face+pin` is a face and then the PIN of the same person."""

    FACE = "face"
    FACE_PIN = "face+pin"
    PIN = "pin"
    CARD = "card"
    PASS = "pass"  # noqa: S105 - a visitor pass, no secret
