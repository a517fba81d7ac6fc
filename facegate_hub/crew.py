"""Worker processes of a hub: started together, and again when one ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from facegate_hub.database_urls import DATABASE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""A worker that cannot start is tried again this often; meanwhile the others store its events."""
PATIENCE_SECONDS = 10.0


class Crew:
    """Keeps workers 1 to `count` running until `stop`. `launch` starts one process by number."""

    def __init__(
        self,
        count: int,
        launch: Callable[[int], subprocess.Popen[bytes]],
        look_seconds: float = LOOK_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._launch = launch
        self._look_seconds = look_seconds
        self._patience_seconds = patience_seconds
        self._ended = threading.Event()
        self._workers = {number: launch(number) for number in range(1, count + 1)}
        self._thread = threading.Thread(target=self._watch, name="hub-crew", daemon=True)

    def start(self) -> None:
        """Begin watching. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End all workers and wait for them."""
        self._ended.set()
        self._thread.join()
        for worker in self._workers.values():
            worker.terminate()
        for worker in self._workers.values():
            try:
                worker.wait(self._patience_seconds)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _watch(self) -> None:
        while not self._ended.wait(self._look_seconds):
            for number, worker in self._workers.items():
                if worker.poll() is not None:
                    LOG.error("worker %d ended (%s); starting it again", number, worker.returncode)
                    try:
                        self._workers[number] = self._launch(number)
                    except OSError as error:  # no memory or descriptor left: tried again at the next look
                        LOG.error("worker %d cannot be started: %s", number, error)  # noqa: TRY400 - one line


def launcher(folder: Path, url: str, share: str | None) -> Callable[[int], subprocess.Popen[bytes]]:
    """Return what starts the worker of a number as `facegate hub worker` in a process of its own."""
    named = [] if share is None else ["--share", share]
    # Not as an option: a URL may hold a password, and everybody of the machine sees the options.
    environment = {**os.environ, DATABASE_VARIABLE: url}

    def launch(number: int) -> subprocess.Popen[bytes]:
        words = ["--site", str(folder), "worker", str(number), *named, "--attached", str(os.getpid())]
        return subprocess.Popen([sys.executable, "-m", "edge.cli", "hub", *words], env=environment)

    return launch
