"""Threads that read a keypad or card reader, and wait for it when it is unplugged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.credentials.device import KeyDevice
from edge.errors import ReaderLost
from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

READ_SECONDS = 0.5
"""How long a reader is waited for before the thread reports that it is alive."""

REOPEN_SECONDS = 2.0
"""Between two tries to open a keypad or card reader that was unplugged."""


def reader(name: str, path: Path, take: Callable[[str], None], stopping: threading.Event) -> Worker:
    """Return the thread of one key device, not yet started; `take` gets each key."""
    keys = _Keys(path, take, stopping)
    return Worker(name, keys.step, close=keys.close, stopping=stopping)


class _Keys:
    """One key device: opened, read, and opened again after it was lost. One thread."""

    def __init__(self, path: Path, take: Callable[[str], None], stopping: threading.Event) -> None:
        self._path = path
        self._take = take
        self._stopping = stopping
        self._device: KeyDevice | None = None
        self._told = ""

    def step(self) -> None:
        try:
            pressed = self._opened().read(READ_SECONDS)
        except ReaderLost as error:
            self._lose(str(error))
            return
        if pressed is not None:
            self._take(pressed)

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
            self._device = None

    def _opened(self) -> KeyDevice:
        if self._device is None:
            self._device = KeyDevice(self._path)
            self._told = ""
        return self._device

    def _lose(self, why: str) -> None:
        """Say so once, not every two seconds; the other ways in go on."""
        self.close()
        if self._told != why:
            self._told = why
            logger.error("%s", why)
        self._stopping.wait(REOPEN_SECONDS)
