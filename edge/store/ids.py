"""Event ids: UUID version 7 (RFC 9562, section 5.7), which Python 3.11 does not have."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def uuid7(at: datetime, random: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new UUIDv7 whose first 48 bits are the milliseconds of `at`.

    The id makes an event unique, `seq` orders it: a clock that jumped does no harm. Pass a
    seeded `random` (n -> n bytes) to get the same ids on every run.
    """
    milliseconds = int(at.timestamp() * 1000) & (1 << 48) - 1
    number = int.from_bytes(milliseconds.to_bytes(6, "big") + random(10), "big")
    # Version 7 in bits 76 to 79 from the right, variant 10 in bits 62 and 63.
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
