"""`facegate run` in a process of its own, and what its journal says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.errors import StoreError
from edge.store.reader import JournalReader
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def events_in(data: Path) -> list[dict[str, Any]]:
    """Return what the journal in this folder says, from the beginning."""
    try:
        with closing(JournalReader(data / "journal.db")) as journal:
            return [json.loads(row.body) for row in journal.rows(0, 100_000)]
    except StoreError:  # not there yet
        return []


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
            timeout=PATIENCE,
        )
        assert done.returncode == expect, done.stderr
        return done.stdout if expect == 0 else done.stderr

    def events(self) -> list[dict[str, Any]]:
        return events_in(self.home / "data")

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            has_ended = self.process.poll() is not None  # asked first: it writes until it ends
            event = next(filter(wanted, self.events()), None)
            assert event or not has_ended, self.log
            return event

        return wait_until(found, self.events)

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE), self.log

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)


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
