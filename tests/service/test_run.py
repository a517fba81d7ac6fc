"""`facegate run` as a process: it opens, follows the roster, survives missing parts, stops cleanly."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.site import copy_photos, record_walk_ups
from tests.service.running import Door, is_kind, settings
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return record_walk_ups(tmp_path_factory.mktemp("clip") / "walk-up.avi", 1, 2)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def begin(config: str, **environ: str) -> Door:
        doors.append(Door(tmp_path, config, **environ))
        return doors[-1]

    yield begin
    for door in doors:
        door.kill()


def test_a_resident_enrolled_while_the_door_runs_is_let_in_and_a_removed_one_is_not(start, clip):
    door = start(settings(clip))
    door.wait_for(is_kind("access.denied"))
    pictures = copy_photos(door.home / "photos", "obama", "obama2")

    door.facegate("enrol", "add", "flat-1203", *map(str, pictures), "--consent", "signed-paper")
    granted = door.wait_for(is_kind("access.granted"))
    door.facegate("enrol", "remove", "flat-1203")
    removed = door.wait_for(is_kind("resident.removed"))["seq"]  # it may be refused before the command ends
    denied = door.wait_for(lambda e: e["type"] == "access.denied" and e["seq"] > removed)

    assert granted["resident"] == "flat-1203"
    assert denied["reason"] == "unknown_credential"
    code, log = door.stop()
    assert code == 0, log
    assert [event["type"] for event in door.events()][:: len(door.events()) - 1] == [
        "service.started",
        "service.stopped",
    ]
    assert "entries" in door.facegate("events", "verify")


def test_a_hang_up_is_a_clean_stop(start, clip, tmp_path):
    door = start(settings(clip), FACEGATE_MODELS=str(tmp_path / "empty"))
    door.wait_for(is_kind("service.started"))
    door.process.send_signal(signal.SIGHUP)
    door.wait_for(is_kind("service.stopped"))
    assert door.process.wait(PATIENCE) == 0


def test_without_models_the_door_runs_shut_and_says_what_to_do(start, clip, tmp_path):
    door = start(settings(clip), FACEGATE_MODELS=str(tmp_path / "empty"))

    started = door.wait_for(is_kind("service.started"))
    told = door.wait_for(is_kind("health.liveness"))
    code, log = door.stop()

    assert told["data"]["state"] == "unavailable"
    assert "facegate models install" in told["data"]["problem"]
    assert started["data"]["recognition"] is False
    assert "facegate models install" in started["data"]["models"]
    assert code == 0
    assert "run: facegate models install" in log


def test_a_camera_that_is_not_there_is_an_event_not_a_crash(start, tmp_path):
    door = start(settings(tmp_path / "no-such-clip.mp4"))

    lost = door.wait_for(is_kind("health.camera"))
    code, _ = door.stop()

    assert lost["data"]["state"] == "lost"
    assert code == 0


def test_a_broken_configuration_ends_with_78_so_that_systemd_does_not_loop(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[door]\nidd = 'x'\n")

    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "run", "--config", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 78
    assert "did you mean id?" in done.stderr
    assert "Traceback" not in done.stderr
