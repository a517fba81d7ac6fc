"""Lines that the board itself drives while it boots, before anybody holds them."""

from __future__ import annotations

import re
from pathlib import Path

MODEL, COMMAND_LINE = Path("/proc/device-tree/model"), Path("/proc/cmdline")

PULLED_UP = frozenset({2, 3})
"""Resistors of 1.8 kΩ on the board of every Raspberry Pi, for I2C: no pull-down of 10 kΩ is stronger."""

CONSOLE_LINE = 14
"""A serial console writes the kernel's messages there."""
_CONSOLE = re.compile(r"console=(?:serial0|ttyS0|ttyAMA0)\b")


def is_driven(pin: int, *, active_high: bool, board: str, command_line: str) -> bool:
    """Return whether a relay on this line (BCM number) may move while the board boots, however it is wired.

    `board` is the model's name, `command_line` the kernel's.
    """
    if not board.startswith("Raspberry Pi"):
        return False
    return (pin in PULLED_UP and active_high) or (
        pin == CONSOLE_LINE and _CONSOLE.search(command_line) is not None
    )


def read(path: Path) -> str:
    """Return what this machine says there; nothing where it says nothing."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
