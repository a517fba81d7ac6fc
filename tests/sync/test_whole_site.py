"""The lines of docs/mqtt.md that set up a whole site, run as they stand: two doors, broker and hub."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.loopback import free_port
from tests.sync.broker import is_open, mosquitto
from tests.sync.wire import Recorder
from tests.waiting import PATIENCE, wait_until

PAGE = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text()
SITE, STAFF = re.findall(r"```sh\n(.*?)```", PAGE.partition("## A whole site")[2], re.DOTALL)[:2]
MOSQUITTO = """#!/bin/sh
printf 'per_listener_settings true\\n{stay}\\n' | cat - "$2" > ours
printf 'listener {port} 127.0.0.1\\nallow_anonymous true\\n' >> ours
exec "{program}" -c ours
"""
"""With a listener for the recorder, as `tests.sync.broker` has one."""


class Shell:
    """Runs lines as a person types them; what ends in & goes on until the test is over."""

    def __init__(self, folder):
        self.folder, self.running, self.port = folder, [], free_port()
        self.recorder, self.recorders_port = None, free_port()
        bin_ = folder / "bin"
        bin_.mkdir()
        (bin_ / "facegate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edge.cli "$@"\n')
        # Started as root it would drop to an account that cannot enter pytest's private folders.
        stay = "user root" if os.getuid() == 0 else ""
        script = MOSQUITTO.format(stay=stay, port=self.recorders_port, program=mosquitto())
        (bin_ / "mosquitto").write_text(script)
        for program in bin_.iterdir():
            program.chmod(0o755)
        self.environ = os.environ | {
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "FACEGATE_MODELS": str(folder / "no models"),
        }

    def type(self, line):
        """Return what the line printed; the site's port and camera are ours."""
        line = line.replace("--trial 0", f"--trial walk.avi --port {self.port}")
        if not line.endswith("&"):
            return self._do(line)
        with (self.folder / "log").open("ab") as log:
            command = line.removesuffix("&").split()
            self.running.append(
                subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=log, stderr=log)
            )
        if command[0] == "mosquitto":
            self._read_all()
        return ""

    def _read_all(self):
        wait_until(lambda: is_open(self.recorders_port), "mosquitto accepts")
        self.recorder = Recorder(self.recorders_port, self.folder)

    def _do(self, line):
        done = subprocess.run(
            line,
            check=False,
            shell=True,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}{(self.folder / 'log').read_text()}"
        return done.stdout

    def close(self):
        for process in reversed(self.running):
            if process is self.running[0] and self.recorder is not None:
                self.recorder.finish()
            process.terminate()
            process.wait(PATIENCE)
        if self.recorder is not None:
            self.recorder.stop()


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def record(path):
    clip = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (160, 120))
    for number in range(30):
        clip.write(np.full((120, 160, 3), 60 + number, np.uint8))
    clip.release()


@pytest.mark.slow
@pytest.mark.broker
def test_a_new_user_has_two_doors_and_a_hub_in_five_lines(tmp_path, shell):
    """Then the roster is imported, a door opened, a setting changed, and all of it watched."""
    record(tmp_path / "walk.avi")
    (tmp_path / "log").touch()
    lines = SITE.strip().splitlines()
    assert len(lines) == 5
    for line in lines:
        shell.type(line)
    assert all(process.poll() is None for process in shell.running)
    doors = "facegate hub --site ./site doors"
    wait_until(lambda: shell.type(doors).count("online") == 2, "both doors are there")

    said = {}
    for line in STAFF.strip().splitlines():
        said[line.partition("./site ")[2].partition(" front")[0]] = shell.type(line)
        if "roster import" in line:
            wait_until(lambda: shell.type(doors).count("up to date") == 2, "both have the roster")
    assert "the roster is at revision 1" in said["roster import residents.csv"]
    assert "unlocked; no contact tells" in said["staff open"]
    assert "revision 1 counts" in said["config set"]
    assert "lock.unlock_seconds              8" in said["config show"]
    assert json.loads(said["diagnostics"])["roster"]["count"] == 1
    assert all(
        kind in said["staff watch"] for kind in ("service.started", "access.granted", "roster.changed")
    )
