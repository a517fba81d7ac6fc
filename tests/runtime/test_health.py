"""Vitals from /proc and /sys, real and faked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge.runtime.health import THROTTLED, read_vitals
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path


def pi(root: Path, *, flags: str = "0x0", millidegrees: str = "51540\n") -> Path:
    """A file tree as on a Raspberry Pi."""
    for name, content in {
        "proc/self/status": "Name:\tfacegate\nVmRSS:\t  204800 kB\nThreads:\t6\n",
        "sys/class/thermal/thermal_zone0/temp": millidegrees,
        str(THROTTLED): flags,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "proc/self/fd").mkdir()
    for number in range(9):
        (root / "proc/self/fd" / str(number)).touch()
    return root


def test_a_healthy_pi(tmp_path: Path) -> None:
    vitals = read_vitals(tmp_path, pi(tmp_path))
    assert (vitals.rss_mb, vitals.open_fds, vitals.threads) == (200.0, 9, 6)
    assert vitals.temperature_c == 51.54
    assert vitals.is_undervolted is False
    assert vitals.is_throttled is False
    assert vitals.disk_free_mb > 0


@pytest.mark.parametrize(
    ("flags", "undervolted", "throttled"),
    [("0x1\n", True, False), ("50005", True, True), ("0x8", False, True), ("0x50000", False, False)],
)
def test_a_hot_or_hungry_pi(tmp_path: Path, flags: str, undervolted: bool, throttled: bool) -> None:
    """The upper bits tell of the past, which is no alarm now."""
    vitals = read_vitals(tmp_path, pi(tmp_path, flags=flags))
    assert (vitals.is_undervolted, vitals.is_throttled) == (undervolted, throttled)


def test_what_a_board_does_not_tell_is_none(tmp_path: Path) -> None:
    vitals = read_vitals(tmp_path, tmp_path)
    assert (vitals.temperature_c, vitals.is_undervolted, vitals.is_throttled) == (None, None, None)
    assert (vitals.rss_mb, vitals.open_fds, vitals.threads) == (0, 0, 0)


def test_damaged_files_are_none(tmp_path: Path) -> None:
    vitals = read_vitals(tmp_path, pi(tmp_path, flags="?", millidegrees=""))
    assert vitals.temperature_c is None
    assert vitals.is_throttled is None


def test_the_real_process_shows_its_files_and_threads(tmp_path: Path) -> None:
    before = read_vitals(tmp_path)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, args=(30,))
    thread.start()
    with (tmp_path / "open").open("w"):
        during = read_vitals(tmp_path)
    stop.set()
    thread.join(PATIENCE)
    assert before.rss_mb > 5
    assert during.open_fds > before.open_fds
    assert during.threads > before.threads
