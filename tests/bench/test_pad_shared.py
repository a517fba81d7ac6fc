"""Real people and their own replays before the real networks and the whole door."""

from __future__ import annotations

import shutil
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from edge.bench.pad.door import run_door
from edge.bench.pad.set import Presentation, load_presentations
from edge.bench.pad.watch import Watcher
from edge.faces.install import Installer
from edge.faces.liveness.active import ActiveCheck, Asking
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.load import load_nets
from edge.faces.manifest import load_manifest
from edge.service.recognition.recogniser import open_models
from tests.faces.liveness.places import ROOT, installed, shared_data, shared_weights

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.shared, pytest.mark.models, pytest.mark.slow]

ALL = ("silentface-2.7", "silentface-4.0", "faceplugin")
SECONDS_LIVING, SECONDS_ATTACK = 1.2, 2.0
"""Of each clip: who lives is let in within a second, and a replay has time for several tries."""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """The packaged network and the Silent-Face pair."""
    folder = tmp_path_factory.mktemp("models")
    manifest = load_manifest()
    target = folder / manifest.model("faceplugin").file
    target.parent.mkdir()
    shutil.copy(installed("faceplugin"), target)
    Installer(folder, shared_weights()).install(
        [manifest.model("silentface-2.7"), manifest.model("silentface-4.0")]
    )
    return folder


@pytest.fixture(scope="module")
def models():
    for name in ("yunet", "sface"):
        installed(name)
    return open_models()


@pytest.fixture(scope="module")
def people() -> list[Presentation]:
    """Those who are near enough to be judged, and the recordings of two of them."""
    listed = load_presentations(shared_data(), ROOT / "docs" / "pad-presentations.csv")
    near = [one for one in listed if not one.person.startswith(("asl", "intel"))]
    return [
        replace(one, end=one.start + (SECONDS_ATTACK if one.is_attack else SECONDS_LIVING)) for one in near
    ]


@pytest.mark.parametrize("names", [("faceplugin",), ALL], ids="+".join)
def test_living_people_pass_and_replays_do_not(store, models, people, names):
    watcher = Watcher(models.detector, models.embedder, load_nets(names, store))

    watched = [watcher.watch(one) for one in people]

    accepted = {one.presentation.path.name: one.is_accepted for one in watched}
    assert accepted == {one.path.name: not one.is_attack for one in people}
    assert not any(one.is_accepted_within(5) for one in watched if one.presentation.is_attack)


def test_a_replay_that_fills_the_view_is_refused_too(store, models, people):
    watcher = Watcher(models.detector, models.embedder, load_nets(ALL, store), reach=1.5)

    attacks = [watcher.watch(one) for one in people if one.is_attack]

    assert [one.is_accepted for one in attacks] == [False, False, False]


class TestWholeDoor:
    def test_enrolled_people_are_let_in_within_a_second_and_their_replays_never(self, store, models, people):
        nets = load_nets(ALL, store)

        door = run_door(models, people, "passive", lambda: PassiveCheck(nets, models.embedder))

        assert door.attacks[:2] == (0, 3)
        assert door.living == (7, 7)
        assert door.waits(door.opened).worst_s < 1.0

    def test_without_liveness_the_same_replays_open(self, models, people):
        shown = {one.person for one in people if one.is_attack}

        door = run_door(models, [one for one in people if one.person in shown], "off", lambda: None)

        assert door.attacks[:2] == (3, 3)

    def test_in_strict_mode_no_recording_opens_not_even_of_the_living(self, store, models, people):
        nets = load_nets(ALL, store)
        asking = Asking(lambda who, at: True, lambda _: None, Random(1))

        door = run_door(
            models, people, "strict", lambda: ActiveCheck(PassiveCheck(nets, models.embedder), asking)
        )

        assert door.attacks[:2] == (0, 3)
        assert door.living[0] == 0
