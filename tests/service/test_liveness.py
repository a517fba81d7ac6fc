"""A door that asks some of its residents: rules, display, check and pipeline together."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from edge.config.settings import RecognitionSection, Settings
from edge.controller import DoorController, DoorOutcome
from edge.domain import Reason, Resident, Verdict
from edge.errors import ConfigError
from edge.event_log.log import EventLog
from edge.faces.liveness.active import ActiveCheck
from edge.faces.liveness.challenge import ChallengeStep
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.fusion import STRONG_NETWORKS
from edge.faces.liveness.unavailable import Unavailable
from edge.panel.gate_screen import GateScreen, Stage
from edge.policy.access import AccessRules
from edge.policy.rulebook import Level, RuleBook
from edge.recognition.pipeline import Pipeline
from edge.relay.dry_run import DryRunLock
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from edge.service.entry.rules import load_book
from edge.service.recognition.liveness import asking_on, make_liveness
from edge.service.recognition.recogniser import Models
from edge.words import LANGUAGES
from tests.faces.liveness.asking import TURNED, Depth
from tests.faces.liveness.nets import Eye
from tests.fakes.scene import Actor, Residents, Scene, axis
from tests.present import present

if TYPE_CHECKING:
    from edge.faces.detector import YuNet
    from edge.faces.embedder import OnnxEmbedder
    from edge.matcher.calibration import Calibration

LEVELS = {"resident": Level("resident"), "vault": Level("vault", is_strict=True)}
PEOPLE = {
    "anna": Resident("anna", "Anna"),
    "berta": Resident("berta", "Berta", access_levels=("resident", "vault")),
}


class Gate:
    """Anna, who need not answer, and Berta, who must, before one door with a display."""

    def __init__(self) -> None:
        self.anna, self.berta = Actor(0, axis(0)), Actor(1, axis(1))
        self.scene = Scene([self.anna, self.berta])
        self.clock = ManualClock()
        self.screen = GateScreen(self.clock)
        rules = AccessRules(RuleBook(levels=LEVELS), "gate", PEOPLE.get)
        asking = asking_on(self.screen, rules.needs_challenge)
        asking = type(asking)(
            asking.is_strict, asking.show, asking.random, lambda image, box: Depth(0.05), asking.can_ask
        )
        nets = [Eye({0: 0.95, 1: 0.95}, name) for name in STRONG_NETWORKS]
        check = ActiveCheck(PassiveCheck(nets, self.scene), asking)
        gallery = Residents({"anna": axis(0), "berta": axis(1)})
        pipeline = Pipeline(self.scene, self.scene, gallery, check)
        events = EventLog(MemoryJournal(), self.clock)
        self.door = DoorController(pipeline, rules, events, DryRunLock(self.clock), self.clock)
        self.outcomes: list[DoorOutcome] = []
        self.seq = 0

    def stand(self, actor: Actor, seconds: float, *, answers: bool, watched: bool = True) -> None:
        """Come to the empty door; who answers does so half a second after the display asks."""
        for _ in range(45):
            self.take()
        width, since, last = 130.0, 0, None
        for index in range(int(seconds * 15)):
            if watched:
                self.screen.look()
            shown = self.screen.shown
            asked = shown.prompt.name if shown.stage is Stage.PROMPT and shown.prompt else None
            if asked != last:
                since, last = index, asked
            acts = answers and index - since > 8
            actor.turned = TURNED.get(asked or "", 0.0) if acts else 0.0
            width = 170.0 if acts and asked == ChallengeStep.CLOSER else width
            sway = 16 * math.sin(index / 5)  # what never moves is taken for a picture
            self.take((actor, 250 + sway, 150, width))

    def take(self, *placed) -> None:
        self.outcomes += self.door.handle(self.scene.frame(self.seq, *placed))
        self.seq += 1
        self.clock.advance(1 / 15)

    @property
    def granted(self) -> list[str | None]:
        return [o.decision.resident_id for o in self.outcomes if o.decision.verdict is Verdict.GRANT]


class TestWhoIsAsked:
    def test_the_neighbour_walks_in_and_the_strict_resident_answers_first(self):
        gate = Gate()

        gate.stand(gate.anna, 2, answers=False)
        gate.stand(gate.berta, 30, answers=True)

        assert gate.granted == ["anna", "berta"]
        anna, berta = (o.decision.liveness for o in gate.outcomes if o.decision.verdict is Verdict.GRANT)
        assert anna is not None
        assert "steps" not in anna.cues
        assert berta is not None
        assert berta.cues["steps"] == 3

    def test_she_does_not_get_in_without_answering(self):
        gate = Gate()

        gate.stand(gate.berta, 60, answers=False)

        assert gate.granted == []
        assert gate.outcomes[0].decision.reason is Reason.CHALLENGE_FAILED

    def test_she_does_not_get_in_where_nobody_sees_the_display(self):
        gate = Gate()

        gate.stand(gate.berta, 10, answers=False, watched=False)
        gate.stand(gate.anna, 2, answers=False, watched=False)

        assert gate.granted == ["anna"]
        assert gate.outcomes[0].decision.reason is Reason.PAD_UNAVAILABLE
        assert present(gate.outcomes[0].decision.liveness).cues["screen"] == 0.0

    def test_her_failures_do_not_keep_the_neighbour_out(self):
        gate = Gate()
        gate.stand(gate.berta, 20, answers=False)

        gate.stand(gate.anna, 3, answers=False)

        assert gate.granted == ["anna"]

    def test_the_prompts_have_words_in_both_languages(self):
        gate = Gate()
        gate.stand(gate.berta, 1, answers=False)

        prompt = gate.screen.shown.prompt
        assert all(present(prompt).message.said(language) for language in LANGUAGES)

    def test_steps_are_drawn_from_the_systems_random_source(self):
        asking = asking_on(GateScreen(ManualClock()), lambda who, at: True)

        assert isinstance(asking.random, random.SystemRandom)


def section(**values):
    return RecognitionSection.model_validate(values)


class TestMaking:
    def make(self, directory, monkeypatch, **values):
        monkeypatch.setenv("FACEGATE_MODELS", str(directory))
        said: list[str] = []
        screen = GateScreen(ManualClock())
        models = Models(cast("YuNet", Scene([])), cast("OnnxEmbedder", Scene([])), cast("Calibration", None))
        return make_liveness(section(**values), models, lambda who, at: False, screen, said.append), said

    def test_networks_that_are_not_there_let_nobody_in(self, tmp_path, monkeypatch):
        loaded, said = self.make(tmp_path, monkeypatch)

        assert isinstance(loaded.check, Unavailable)
        assert (loaded.state, loaded.problem in said[0]) == ("unavailable", True)
        assert "no face opens this door" in said[0]

    def test_off_is_warned_about(self, tmp_path, monkeypatch):
        loaded, said = self.make(tmp_path, monkeypatch, liveness="off")

        assert (loaded.check, loaded.state) == (None, "off")
        assert "OFF" in said[0]


def test_rules_that_ask_for_a_challenge_do_not_go_with_liveness_switched_off(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[levels.resident]\nschedule = "always"\nliveness = "strict"\n')
    section = SimpleNamespace(
        access=SimpleNamespace(rules=rules),
        lock=SimpleNamespace(unlock_seconds=5.0, extended_unlock_seconds=15.0),
        door=SimpleNamespace(timezone="UTC"),
        recognition=SimpleNamespace(liveness="off"),
        panel=SimpleNamespace(has_screen=True),
    )

    with pytest.raises(ConfigError, match="ask for strict liveness"):
        load_book(cast("Settings", section))
    section.recognition.liveness = "passive"
    assert load_book(cast("Settings", section)).is_ever_strict
    section.panel.has_screen = False
    with pytest.raises(ConfigError, match="open /screen on a display at the gate"):
        load_book(cast("Settings", section))
