"""The signer as a child of `hub run`, for a site of one account: started first, and again when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.site.signing import signing_key
from facegate_hub.signer.client import SOCKET_VARIABLE, listens, socket_path

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

START_SECONDS = 180.0
"""For a signer that hangs; one that fails ends by itself. A busy machine imports for over half a minute."""
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 10.0


class SignerChild:
    """Starts the signer of the site in `folder` unless one listens there, and keeps it running until `stop`.

    Where this account may not read the key nothing is started: a unit of its own has to. Raises
    `ConfigError` when it does not come up.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="hub-signer", daemon=True)
        # Somebody else starts it, a unit of its own for example, even if it does not listen yet.
        if listens(socket_path(folder)) or SOCKET_VARIABLE in os.environ:
            return
        if os.access(signing_key(folder), os.R_OK):
            self._process = self._launch()
            self._await()

    def start(self) -> None:
        """Begin watching what was started. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End what was started here."""
        # First, or the watching thread would start again what is ended here.
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _launch(self) -> subprocess.Popen[bytes]:
        # `--attached`: it ends with us even when we are killed and `stop` never runs.
        words = ["hub", "--site", str(self._folder), "signer", "--attached", str(os.getpid())]
        return subprocess.Popen([sys.executable, "-m", "edge.cli", *words], stdout=subprocess.DEVNULL)

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not listens(socket_path(self._folder)):
            ended = None if self._process is None else self._process.poll()
            if ended is not None and ended < 0 and time.monotonic() < deadline:
                self._process = self._launch()  # killed from outside, as it may be later: no fault of its own
            elif self._process is None or ended is not None or time.monotonic() > deadline:
                self.stop()
                raise ConfigError("the signer did not start; see the lines above")
            time.sleep(0.05)  # a socket that is not there yet cannot be waited for in any other way

    def _watch(self) -> None:
        while self._process is not None and not self._ended.wait(LOOK_SECONDS):
            if self._process.poll() is not None:
                LOG.error("the signer ended (%s); starting it again", self._process.returncode)
                try:
                    self._process = self._launch()
                except OSError as error:  # no memory or descriptor left: tried again at the next look
                    LOG.error("the signer cannot be started: %s", error)  # noqa: TRY400 - one clear line
