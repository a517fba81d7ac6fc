"""Keys from a USB keypad or card reader: Linux input events, read without any library.

The device is grabbed, so that what is typed at the door reaches nothing else on the board. The
user running facegate needs the group `input`.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
from typing import TYPE_CHECKING

from edge.credentials.keypad import CLEAR, ENTER, LOST, SEPARATOR
from edge.errors import ReaderLost

if TYPE_CHECKING:
    from pathlib import Path

EVENT = struct.Struct("@llHHi")
"""struct input_event of linux/input.h: seconds, microseconds, type, code, value; native sizes."""

EV_SYN, SYN_DROPPED = 0, 3
"""The kernel keeps 64 events for a reader who is late, then drops them all and says so."""
EV_KEY, PRESSED, RELEASED = 1, 1, 0
EVIOCGRAB = 0x40044590
"""_IOW('E', 0x90, int) of linux/input.h."""

SHIFTS = frozenset({42, 54})
CONTROLS = frozenset({29, 97})
CHORDS = CONTROLS | {56, 100, 125, 126}
"""Control, Alt and the like: with one held, keys spell out another sign (Alt 0 6 5 is an A)."""
LINE_ENDS = frozenset({23, 36, 50})
"""I, J and M: with Control, tab, line feed and carriage return, as some readers type them."""
_DIGITS = dict(zip((2, 3, 4, 5, 6, 7, 8, 9, 10, 11), "1234567890", strict=True))
_KEYPAD_DIGITS = dict(zip((79, 80, 81, 75, 76, 77, 71, 72, 73, 82), "1234567890", strict=True))
_LETTERS = {
    code: letter
    for first, row in ((16, "QWERTYUIOP"), (30, "ASDFGHJKL"), (44, "ZXCVBNM"))
    for code, letter in enumerate(row, first)
}
OTHER = "?"
"""A key that stands for nothing here: a line that holds one is not what was meant."""
_SILENT = SHIFTS | CHORDS | {58, 69}
"""Modifiers and locks type nothing themselves."""
KEYS = {
    **_DIGITS,
    **_LETTERS,
    **_KEYPAD_DIGITS,
    55: SEPARATOR,  # keypad *
    98: SEPARATOR,  # keypad /, on pads without *
    28: ENTER,
    96: ENTER,
    15: ENTER,  # tab: what some readers are set to end a card with
    14: CLEAR,  # backspace
    1: CLEAR,  # escape
}
"""Codes of linux/input-event-codes.h."""
SHIFTED = {9: SEPARATOR, 4: ENTER}
"""Shift 8 and shift 3: door keypads that pretend to be a US keyboard."""


class KeyDevice:
    """Keys of one input device, e.g. `/dev/input/by-id/usb-...-event-kbd`. One thread.

    Raises `ReaderLost` when it cannot be opened, and from `read` once it is unplugged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: set[int] = set()
        self._waiting: list[str] = []
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._lost(error) from error
        # A named pipe may stand in for the device in rehearsals; there is nothing to grab then.
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            self._grab()

    def read(self, timeout_seconds: float) -> str | None:
        """Return the next key, or None when none came in time.

        It is `0`-`9`, `A`-`Z`, `*`, `#`, `clear`, `?` for any other, or `lost` for what the kernel dropped.
        """
        if not self._waiting and self._is_ready(timeout_seconds):
            self._waiting = self._keys()
        return self._waiting.pop(0) if self._waiting else None

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_ready(self, timeout_seconds: float) -> bool:
        """Return whether there is something to read, or the device has gone."""
        waiting = select.poll()  # not select, which takes no descriptor beyond 1,023
        waiting.register(self._fd, select.POLLIN)
        return bool(waiting.poll(timeout_seconds * 1000))

    def _grab(self) -> None:
        try:
            fcntl.ioctl(self._fd, EVIOCGRAB, 1)
        except OSError as error:
            self.close()
            raise self._lost(error) from error

    def _keys(self) -> list[str]:
        try:
            data = os.read(self._fd, EVENT.size * 64)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise self._lost("it was closed")
        # The kernel hands out whole events only; a pipe that stands in for the device may not.
        whole = len(data) - len(data) % EVENT.size
        keys = (self._key(*fields[2:]) for fields in EVENT.iter_unpack(data[:whole]))
        return [key for key in keys if key is not None]

    def _key(self, kind: int, code: int, value: int) -> str | None:
        if (kind, code) == (EV_SYN, SYN_DROPPED):
            # The release of a modifier may be among the lost events. Were it remembered as held, every later
            # line would be refused.
            self._held.clear()
            return LOST
        if kind != EV_KEY:
            return None
        if code in SHIFTS | CHORDS:
            (self._held.discard if value == RELEASED else self._held.add)(code)
        # The third value, 2, is the kernel's auto-repeat of a key that is held down: not typed.
        return self._sign(code) if value == PRESSED else None

    def _sign(self, code: int) -> str | None:
        known = KEYS.get(code)
        if self._held and self._held <= CONTROLS and code in LINE_ENDS:
            return ENTER
        if self._held and code in SHIFTED:
            known = SHIFTED[code]
        elif self._held and known is not None and not known.isalpha():
            known = OTHER  # another sign than the digit on this key
        if code in _SILENT:
            return None
        return OTHER if self._held & CHORDS else known or OTHER

    def _lost(self, why: object) -> ReaderLost:
        return ReaderLost(
            f"{self._path}: the keypad or card reader is not there ({why}); check the cable, the path "
            "under /dev/input/by-id, and that the user is in the group input"
        )
