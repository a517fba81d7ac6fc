"""A few faults at a door of real processes; `python -m tests.soak --faults 300` is the bad day."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.io.card import ROOT, library
from tests.sync.broker import mosquitto


def test_a_door_of_real_processes_outlives_some_faults():
    library()
    mosquitto()
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-m", "tests.soak", "--faults", "4", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
