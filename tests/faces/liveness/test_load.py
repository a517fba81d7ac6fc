"""Which networks judge, and what happens when a file is missing, wrong or swapped."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest

from edge.domain import Box, Reason
from edge.errors import FrameRefused, ModelCorrupt, ModelMissing
from edge.faces.install import Installer
from edge.faces.liveness.active import ActiveCheck, Asking
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.load import OFF_WARNING, LivenessWish, LoadedLiveness, load_liveness, load_nets
from edge.faces.liveness.nets import SPECS, PassiveNet, live_probability
from edge.faces.manifest import load_manifest
from tests.faces.liveness.places import installed, shared_weights
from tests.fakes.scene import Scene
from tests.present import present

PAIR = ["silentface-2.7", "silentface-4.0"]


@pytest.fixture
def store(tmp_path):
    """A model directory with only the packaged network."""
    target = tmp_path / load_manifest().model("faceplugin").file
    target.parent.mkdir()
    shutil.copy(installed("faceplugin"), target)
    return tmp_path


def add(store, *names: str) -> None:
    manifest = load_manifest()
    Installer(store, shared_weights()).install([manifest.model(name) for name in names])


class Log(list[str]):
    def __call__(self, line: str) -> None:
        self.append(line)


def refuses_everybody(loaded: LoadedLiveness) -> bool:
    assert loaded.check is not None
    return loaded.state == "unavailable" and present(loaded.check.assess(1)).reason is Reason.PAD_UNAVAILABLE


class TestModes:
    def test_off_is_no_check_and_a_warning(self):
        log = Log()

        loaded = load_liveness(LivenessWish("off"), Scene([]), log)

        assert (loaded.check, loaded.state) == (None, "off")
        assert log == [OFF_WARNING]

    @pytest.mark.models
    def test_the_packaged_network_alone_is_a_weak_state_that_says_so_and_the_way_out(self, store):
        log = Log()

        loaded = load_liveness(LivenessWish(), Scene([]), log, directory=store)

        assert isinstance(loaded.check, PassiveCheck)
        assert (loaded.state, loaded.networks) == ("weak", ("faceplugin",))
        assert log[0] == "liveness passive: faceplugin (b0be97431187)"
        assert log[1] == loaded.problem
        assert "WEAK" in log[1]
        assert "PIN" in log[1]
        assert "facegate models install silentface-2.7 silentface-4.0" in log[1]

    @pytest.mark.models
    def test_a_site_may_write_down_that_it_accepts_the_weak_state_and_it_is_told_all_the_same(self, store):
        log = Log()

        loaded = load_liveness(LivenessWish(demands=Demands(weak="accept")), Scene([]), log, directory=store)

        assert loaded.state == "weak"
        assert 'its yes is enough here, as with recognition.weak_liveness = "accept"' in log[1]

    @pytest.mark.models
    @pytest.mark.shared
    def test_where_the_pair_is_installed_it_is_used_without_being_asked_for(self, store):
        add(store, *PAIR)
        log = Log()

        loaded = load_liveness(LivenessWish(), Scene([]), log, directory=store)

        assert (loaded.state, loaded.problem) == ("full", None)
        assert set(loaded.networks) == {*PAIR, "faceplugin"}
        assert len(log) == 1

    @pytest.mark.models
    def test_strict_asks_always_and_passive_only_where_there_is_a_screen(self, store):
        asking = Asking(lambda who, at: False, lambda prompt: None, Random(1))

        strict = load_liveness(LivenessWish("strict"), Scene([]), Log(), directory=store)
        asked = load_liveness(LivenessWish(asking=asking), Scene([]), Log(), directory=store)

        assert isinstance(strict.check, ActiveCheck)
        assert isinstance(asked.check, ActiveCheck)

    @pytest.mark.parametrize("mode", ["passive", "strict"])
    def test_without_files_nobody_passes_and_the_reason_is_told(self, tmp_path, mode):
        log = Log()

        loaded = load_liveness(LivenessWish(mode), Scene([]), log, directory=tmp_path)

        assert refuses_everybody(loaded)
        assert "no face opens this door" in log[0]
        assert "facegate models install" in log[0]


@pytest.mark.models
class TestFiles:
    @pytest.mark.parametrize("damage", [b"", b"swapped", None], ids=["emptied", "swapped", "one bit"])
    def test_a_swapped_file_refuses_everybody(self, store, damage):
        path = store / load_manifest().model("faceplugin").file
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content) if damage is None else damage)

        with pytest.raises(ModelCorrupt):
            load_nets(directory=store)
        assert refuses_everybody(load_liveness(LivenessWish(), Scene([]), Log(), directory=store))

    def test_a_wrong_file_beside_a_good_one_is_not_skipped(self, store):
        (store / load_manifest().model("silentface-2.7").file).write_bytes(b"another network")
        (store / load_manifest().model("silentface-4.0").file).write_bytes(b"another network")

        with pytest.raises(ModelCorrupt):
            load_nets([*PAIR, "faceplugin"], store)
        assert refuses_everybody(load_liveness(LivenessWish(), Scene([]), Log(), directory=store))

    def test_files_that_were_deleted_are_missed_even_where_fewer_would_have_a_rule(self, store):
        """The set a site chose is the set it needs: the packaged network does not stand in."""
        log = Log()

        wanted = LivenessWish(networks=(*PAIR, "faceplugin"))
        loaded = load_liveness(wanted, Scene([]), log, directory=store)

        assert refuses_everybody(loaded)
        assert "silentface-2.7" in log[0]
        assert "no face opens this door" in log[0]

    def test_a_file_swapped_while_running_changes_nothing_until_the_next_start(self, store):
        (net,) = load_nets(directory=store)
        image = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)
        before = net.score(image, Box(100, 60, 200, 180))

        path = store / load_manifest().model("faceplugin").file
        path.write_bytes(b"another network, always content")

        assert net.score(image, Box(100, 60, 200, 180)) == before
        with pytest.raises(ModelCorrupt):
            load_nets(directory=store)

    def test_a_network_asked_for_by_name_must_be_there(self, store):
        with pytest.raises(ModelMissing):
            load_nets(["faceplugin", *PAIR], store)
        with pytest.raises(ModelMissing, match="nosuchnet"):
            load_nets(["nosuchnet"], store)

    @pytest.mark.shared
    def test_a_set_loads_in_a_fixed_order_whatever_else_is_installed(self, store):
        add(store, *PAIR, "texture")

        for names in ([*PAIR, "faceplugin"], ["faceplugin", *PAIR[::-1]]):
            assert [net.spec.name for net in load_nets(names, store)] == [*PAIR, "faceplugin"]
        assert [net.spec.name for net in load_nets(directory=store)] == [*PAIR, "faceplugin"]

    @pytest.mark.shared
    def test_what_is_installed_and_not_asked_for_is_told(self, store):
        add(store, *PAIR)
        log = Log()

        load_liveness(LivenessWish(networks=("faceplugin",)), Scene([]), log, directory=store)

        assert log[1] == (
            "installed but not asked for by recognition.liveness_networks: silentface-2.7, silentface-4.0"
        )

    @pytest.mark.parametrize(
        "names", [PAIR, [PAIR[0]], [PAIR[0], "faceplugin"], ["texture"], []], ids="+".join
    )
    def test_a_set_nobody_measured_has_no_rule(self, store, names):
        with pytest.raises(ModelCorrupt, match="no rule"):
            load_nets(names, store)


@pytest.mark.models
class TestScores:
    def test_a_network_gives_one_number_for_any_box(self, store):
        (net,) = load_nets(directory=store)
        image = np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)

        for box in (Box(100, 60, 200, 180), Box(0, 0, 320, 240), Box(-20, -20, 60, 90)):
            assert 0.0 <= net.score(image, box) <= 1.0

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_numbers_that_are_not_finite_are_refused(self, wrong):
        with pytest.raises(FrameRefused):
            live_probability(np.array([[0.0, wrong, 1.0]], np.float32), 0)

    def test_softmax_of_huge_numbers_does_not_overflow(self):
        assert live_probability(np.array([[3e38, -3e38, 0]], np.float32), 0) == 1.0

    @pytest.mark.parametrize(("seconds", "is_late"), [(0.9, False), (1.1, True), (float("nan"), True)])
    def test_an_answer_that_takes_too_long_is_none(self, seconds, is_late):
        times = iter([0.0, seconds])
        net = PassiveNet(SPECS["faceplugin"], Answering(), lambda: next(times))

        with pytest.raises(FrameRefused, match="took") if is_late else nullcontext():
            net.score(np.zeros((240, 320, 3), np.uint8), Box(100, 60, 200, 180))


class Answering:
    """A session that always says "alive"."""

    def run(self, outputs, feed):
        return [np.array([[9.0, 0.0, 0.0]], np.float32)]

    def get_inputs(self):
        return [SimpleNamespace(name="input", shape=[1, 3, 128, 128])]

    def get_outputs(self):
        return [SimpleNamespace(name="output", shape=[1, 3])]
