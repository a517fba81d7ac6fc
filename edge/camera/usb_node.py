"""Where a USB camera is now: after a fault or a replugging it often comes back under another number."""

from __future__ import annotations

import os
from pathlib import Path

LINKS = ("v4l/by-path", "v4l/by-id")
"""What udev names by the port that a camera is plugged into, and by what the camera says of itself."""


class UsbNode:
    """One camera's device node, by the number or path it had when it was first seen. One thread.

    Its port is asked first: two cameras of one kind without a serial number share a name. `root` is `/dev`.
    """

    def __init__(self, device: int | str, root: Path = Path("/dev")) -> None:
        self._device = Path(device) if isinstance(device, str) else root / f"video{device}"
        self._root = root
        self._links: tuple[Path, ...] = ()

    def path(self) -> str:
        """Return the path to open now: where the camera is, or where it was when it is nowhere."""
        # Once found they stay: after a replugging the old number may be another camera's.
        if not self._links:
            self._links = self._found()
        there = next(filter(Path.exists, self._links), self._device)
        return os.path.realpath(there)

    def _found(self) -> tuple[Path, ...]:
        """Return udev's links to the camera, none where it is not there, or has none."""
        if not self._device.exists():
            return ()
        links = [link for folder in LINKS for link in sorted((self._root / folder).glob("*"))]
        return tuple(link for link in links if link.exists() and link.samefile(self._device))
