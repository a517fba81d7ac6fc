"""As much of systemd as the relay's unit relies on, read from the unit file itself.

ExecStart, Nice, the watchdog with SIGKILL, ExecStopPost after every end, Restart=always after
RestartSec.
"""

from __future__ import annotations

import configparser
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

UNIT = Path(__file__).parents[2] / "systemd" / "facegate-relay.service"


def seconds(text: str) -> float:
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


class MiniSystemd:
    """Keeps `facegate-relay.service` alive in a thread until `close`."""

    def __init__(self, config: Path, environment: dict[str, str], directory: Path) -> None:
        unit = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(UNIT)
        self._service = unit["Service"]
        self._config = config
        self._environment = environment | {"NOTIFY_SOCKET": str(directory / "notify")}
        self._watchdog = seconds(self._service["WatchdogSec"])
        self._log = (directory / "guard.log").open("ab")
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self._notify.settimeout(0.005)
        self._stopping = threading.Event()
        self.ready = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self._thread = threading.Thread(target=self._keep, name="mini-systemd", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        return self.ready.is_set()

    def strike_guard(self, blow: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(blow)

    def close(self) -> None:
        """Stop the service and wait for it."""
        self._stopping.set()
        self._thread.join(timeout=30)
        self._notify.close()
        self._log.close()

    def _command(self, key: str) -> list[str]:
        words = shlex.split(self._service[key].replace("/etc/facegate/config.toml", str(self._config)))
        programs = {
            "/opt/facegate/bin/facegate": [sys.executable, "-c", "from edge.cli import main; main()"],
            "/opt/facegate/bin/python": [sys.executable],
        }
        nice = ["nice", "-n", self._service["Nice"]]  # without the right to, it only complains
        return [*nice, *programs[words[0]], *words[1:]]

    def _keep(self) -> None:
        while not self._stopping.is_set():
            self.process = subprocess.Popen(
                self._command("ExecStart"), env=self._environment, stderr=self._log
            )
            self.starts += 1
            self._watch(self.process)
            self.ready.clear()
            subprocess.run(self._command("ExecStopPost"), env=self._environment, stderr=self._log, check=True)
            self._stopping.wait(seconds(self._service["RestartSec"]))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        heard = None  # the watchdog runs from READY=1
        while process.poll() is None:
            if self._stopping.is_set():
                process.terminate()
            try:
                message = self._notify.recv(4096)
            except TimeoutError:
                message = b""
            if message:
                heard = time.monotonic()
            if b"READY=1" in message:
                self.ready.set()
            if heard is not None and time.monotonic() - heard > self._watchdog:
                process.kill()
