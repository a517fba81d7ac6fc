"""The installer's files outlive a card that does not give them, until the machine starts anew."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge import kept_files
from edge.aside import simulated
from edge.config import load_settings
from edge.errors import ConfigError
from edge.relay.table import read_lock_table
from tests.waiting import PATIENCE, wait_until

EIO = Path("/proc/self/mem")
"""Reading it fails as a dead block of a card does."""

SETTINGS = """
[door]
id = "north"
[camera]
source = "0"
[lock]
driver = "gpio"
pin = 17
active_high = true
lock_wiring = "fail-secure"
unlock_seconds = {seconds}
"""


@pytest.fixture
def place(tmp_path):
    """A folder with settings, and one that systemd would keep over a restart of the unit."""
    (tmp_path / "run").mkdir()
    (tmp_path / "config.toml").write_text(SETTINGS.format(seconds=4))
    return tmp_path


class Hurry:
    """The machine's threads, a clock that is moved on by hand, and a wait that is over when it has to be."""

    def __init__(self, longest: float = PATIENCE) -> None:
        self.now, self.longest = 0.0, longest

    def monotonic(self) -> float:
        return self.now

    def queue(self, name: str):
        raise NotImplementedError

    def start(self, name: str, asked) -> None:
        threading.Thread(target=asked.run, name=name, daemon=True).start()

    def wait(self, done: threading.Event, seconds: float) -> bool:
        return done.wait(self.longest)


def read(place: Path) -> bytes:
    """Read the settings as a process does that has just been started."""
    return kept_files.KeptFile(place / "config.toml", place / "run").read()


def dies(path: Path) -> None:
    """Have the card not give this file any more."""
    path.unlink()
    path.symlink_to(EIO)


def test_what_was_read_before_counts_where_the_card_fails(place):
    before = read(place)
    dies(place / "config.toml")
    assert read(place) == before
    assert (place / "run").stat().st_mode & 0o777
    assert [file.stat().st_mode & 0o777 for file in (place / "run").iterdir()] == [0o600]


def test_without_a_copy_the_error_is_the_cards(place):
    dies(place / "config.toml")
    with pytest.raises(OSError, match="Input/output") as failed:
        read(place)
    assert failed.value.errno == errno.EIO


def test_what_somebody_writes_counts_at_once(place):
    read(place)
    (place / "config.toml").write_text(SETTINGS.format(seconds=7))
    assert b"= 7" in read(place)
    (place / "config.toml").unlink()
    with pytest.raises(FileNotFoundError):
        read(place)


def test_a_card_that_hangs_is_not_waited_for(place):
    before = read(place)
    path = place / "config.toml"
    path.unlink()
    os.mkfifo(path)
    try:
        with simulated(Hurry(0.1)):
            assert read(place) == before
    finally:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # lets go of whoever waits at the pipe


def test_a_damaged_copy_is_none(place):
    read(place)
    (copy,) = (place / "run").iterdir()
    copy.write_bytes(copy.read_bytes().replace(b"17", b"18"))
    dies(place / "config.toml")
    with pytest.raises(OSError, match="Input/output"):
        read(place)


def test_a_file_that_the_card_gives_again_is_well(place):
    path = place / "config.toml"
    text = path.read_text()
    read(place)
    dies(path)
    file = kept_files.KeptFile(path, place / "run")
    with simulated(Hurry()) as _:
        pass
    clock = Hurry()
    with simulated(clock):
        file.read()
        assert file.problem is not None
        path.unlink()
        path.write_text(text)
        clock.now += kept_files.AGAIN_SECONDS
        assert wait_until(lambda: file.problem is None)


def test_door_and_guard_start_with_the_settings_they_had(place, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(place / "run"))
    path = place / "config.toml"
    for _ in range(2):
        assert load_settings(path).lock.unlock_seconds == 4
        assert read_lock_table(path).pin == 17
        dies(path)
    assert set(kept_files.files()) >= {"config.toml"}


@pytest.mark.parametrize("command", ["run", "relay-guard"])
def test_settings_that_the_card_does_not_give_are_no_broken_configuration(place, command):
    """78 would keep systemd from starting it again, though the card may be well in a second."""
    dies(place / "config.toml")
    typed = [sys.executable, "-m", "edge.cli", command, "--config", str(place / "config.toml")]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Input/output error" in done.stderr
    assert "Traceback" not in done.stderr


def test_rules_that_the_card_does_not_give_are_no_mistake_either(place):
    (place / "rules.toml").symlink_to(EIO)
    (place / "config.toml").write_text(SETTINGS.format(seconds=4) + '[access]\nrules = "rules.toml"\n')
    typed = [sys.executable, "-m", "edge.cli", "run", "--config", str(place / "config.toml")]
    done = subprocess.run(typed, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rules.toml cannot be read" in done.stderr


def test_a_mistake_stays_one(place):
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(place / "none.toml")
