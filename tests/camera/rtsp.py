"""An RTSP camera that can be stalled, killed and brought back."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from edge.domain import Image

WIDTH, HEIGHT, CHECKER = 320, 240, 0xAA55AA55  # as in rtsp_server.py, which needs Debian's Python
DEBIAN_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
PROBE = "import gi; gi.require_version('GstRtspServer', '1.0')"


class RtspCamera:
    """`rtsp_server.py` in a process of its own, on a free port that survives a restart."""

    def __init__(self, *, is_locked: bool = False) -> None:
        self.port = "0"
        self.options = ["locked"] if is_locked else []
        self.start()

    def start(self) -> None:
        command = [DEBIAN_PYTHON, str(SERVER), self.port, *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        assert self.port, "the RTSP server did not start"

    def url(self, path: str = "cam") -> str:
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def stall(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def require_server() -> None:
    """Skip without Debian's GStreamer RTSP server; in CI its absence is a failure."""
    found = (
        Path(DEBIAN_PYTHON).exists()
        and not subprocess.run([DEBIAN_PYTHON, "-c", PROBE], capture_output=True, check=False).returncode
    )
    if not found and os.environ.get("FACEGATE_CI") == "1":
        pytest.fail("no GStreamer RTSP server: run scripts/test")
    if not found:
        pytest.skip("no GStreamer RTSP server (Debian: gir1.2-gst-rtsp-server-1.0 python3-gi)")


def made_at(image: Image) -> float:
    """Read the CLOCK_MONOTONIC seconds that the server drew into the picture."""
    number = 0
    for row in range(4):
        for column in range(8):
            y, x = (2 * row + 1) * HEIGHT // 8, (2 * column + 1) * WIDTH // 16
            number = number << 1 | int(image[y, x, 0] > 125)
    return (number ^ CHECKER) / 1000.0
