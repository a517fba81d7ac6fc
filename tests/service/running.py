"""`facegate run` in a process of its own, and what its journal says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from edge.errors import StoreError
from edge.store.reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_SECONDS = 40.0


class Door:
    """A running service and what its journal says."""

    def __init__(self, home: Path, config: str, **environ: str):
        self.home = home
        self.environ = os.environ | {"PYTHONUNBUFFERED": "1", **environ}
        path = home / "config.toml"
        path.write_text(config + f'\n[storage]\ndirectory = "{home / "data"}"\n')
        self.log_file = home / "log"
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge.cli", "run", "--config", str(path)],
                env=self.environ,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def facegate(self, *arguments: str, expect: int = 0) -> str:
        """Run a command on this door's data; return what it printed, also to stderr when it must fail."""
        done = subprocess.run(
            [sys.executable, "-m", "edge.cli", *arguments, "--data", str(self.home / "data")],
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == expect, done.stderr
        return done.stdout if expect == 0 else done.stderr

    def events(self) -> list[dict[str, Any]]:
        path = self.home / "data" / "journal.db"
        try:
            with closing(JournalReader(path)) as journal:
                return [json.loads(row.body) for row in journal.rows(0, 100_000)]
        except StoreError:  # not there yet
            return []

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            found = [event for event in self.events() if wanted(event)]
            if found:
                return found[0]
            assert self.process.poll() is None, self.log
            time.sleep(0.1)
        pytest.fail(f"nothing of the kind within {DEADLINE_SECONDS} s: {self.events()}")

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20), self.log

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def settings(clip: Path, more: str = "") -> str:
    return f"""
[door]
id = "north"
[camera]
source = "{clip}"
loop = true
[lock]
driver = "dry-run"
[recognition]
liveness = "off"
{more}"""


def is_kind(kind: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["type"] == kind
