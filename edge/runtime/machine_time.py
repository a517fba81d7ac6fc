"""What the machine says of its own time: whether the network has set it, and which run of it this is."""

from __future__ import annotations

import ctypes
from pathlib import Path

TIMESYNC_FLAG = Path("run/systemd/timesync/synchronized")
"""Made by systemd-timesyncd, and by systemd-time-wait-sync for every other NTP client."""

STA_UNSYNC = 0x40
"""The kernel's word for "not disciplined by NTP" (linux/timex.h)."""

BOOT_FILE = Path("proc/sys/kernel/random/boot_id")


def boot_of(root: Path = Path("/")) -> str:
    """Return what names this run of the machine; empty when it does not say."""
    try:
        return (root / BOOT_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def system_is_synchronised(root: Path = Path("/")) -> bool:
    """Return whether NTP has set this machine's clock since boot."""
    return (root / TIMESYNC_FLAG).exists() or _kernel_is_synchronised()


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _kernel_is_synchronised() -> bool:
    """Read adjtimex(2). In a unit with ProtectClock=yes it is forbidden: then only the flag counts."""
    timex = _Timex()  # modes 0: only read
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return False
    return state >= 0 and not timex.status & STA_UNSYNC
