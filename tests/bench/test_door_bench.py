"""`facegate bench door`: what it shows a door, whom it enrols, how it slows it; a real door plays it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge.bench.door.recording import EVERY_SECONDS, LEAD_SECONDS, WalkUps, write_walk_ups
from edge.bench.door.slowed import slowed
from edge.bench.door.walk_ups import Household, enrol_all, measure
from edge.bench.gate.cast import Actor, make_actor
from edge.camera.file import VideoFile
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from tests.fakes import scene as fakes
from tests.waiting import wait_until

ANNA, BELA = (fakes.Actor(n, fakes.axis(n)) for n in range(2))


@pytest.fixture(scope="module")
def world() -> fakes.Scene:
    return fakes.Scene([ANNA, BELA])


@pytest.fixture(scope="module")
def cast(world: fakes.Scene) -> list[Actor]:
    def drawn(name: str, who: fakes.Actor) -> Actor:
        image = world.frame(0, (who, 260, 160, 120)).image
        return make_actor(name, [image, image], 15.0, world)

    return [drawn("anna", ANNA), drawn("bela", BELA)]


def test_one_after_the_other_walks_up_and_is_near_enough_when_it_says_so(world, cast, tmp_path):
    walk_ups = write_walk_ups(cast, tmp_path / "walk-ups.avi")
    with closing(VideoFile(walk_ups.path)) as recording:
        assert recording.size == (640, 480)
        assert recording.fps == 15
        widths = {}
        while (frame := recording.read()) is not None:
            seen = [face.box.width for face in world.detect(frame.image) if face.box.width > 50]
            widths[round(frame.time * 15)] = max(seen, default=0.0)
    assert max(widths) == walk_ups.seconds * 15 - 1
    for number, (name, near) in enumerate(walk_ups.near.items()):
        begin = LEAD_SECONDS + number * EVERY_SECONDS
        assert name == cast[number].name
        assert begin < near < begin + 3
        assert widths[round(near * 15)] == pytest.approx(90, abs=6)
        assert widths[round(begin * 15) - 1] == 0.0, "nobody before them is left"


def test_who_is_enrolled_is_there_with_a_consent(tmp_path):
    rows = {name: [who.embedding] for name, who in (("anna", ANNA), ("bela", BELA))}
    enrol_all(Household(rows, "model"), tmp_path / "data")
    with (
        closing(ResidentStore(tmp_path / "data" / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(tmp_path / "data" / CONSENTS_FILE)) as ledger,
    ):
        assert [one.id for one in store.list()] == ["anna", "bela"]
        (template,) = store.templates_of("bela")
        assert np.allclose(template.embedding, BELA.embedding)
        assert ledger.get(template.consent_id or "") is not None


def state_of(process: subprocess.Popen[bytes]) -> str:
    """Return R, S or T (stopped) and so on, as in proc(5)."""
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_slowed_process_stands_still_now_and_then_and_runs_afterwards():
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with slowed(process.pid, 4):
            wait_until(lambda: state_of(process) == "T")
            wait_until(lambda: state_of(process) == "R")
        wait_until(lambda: state_of(process) == "R")
        with slowed(process.pid, 1):
            assert state_of(process) != "T"
    finally:
        process.kill()
        process.wait()


def test_a_process_that_ends_while_it_is_slowed_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with slowed(process.pid, 2):
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_a_real_door_plays_it(cast, tmp_path):
    """The drawn cards are no faces to the real networks: nobody is let in, and everything else is told."""
    whole = write_walk_ups(cast[:1], tmp_path / "walk-ups.avi")
    short = WalkUps(whole.path, 3.0, whole.near)
    vector = np.ones(128, np.float32) / np.float32(np.sqrt(128))
    found = measure(short, Household({"anna": [vector]}, "sface"), "off", 2, tmp_path / "door")
    assert found["walk_ups"] == 1
    assert found["let_in"] == 0
    assert found["wait_s"] is None
    assert found["residents"] == 1
    assert found["frames_a_second"] > 0
    assert found["start_cpu_ms"] > 0
    assert found["rss_mb"] > found["private_mb"] > 0
