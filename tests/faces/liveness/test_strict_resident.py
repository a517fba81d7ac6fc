"""One resident must answer and her neighbour need not, before the same check."""

from __future__ import annotations

from edge.domain import Reason
from edge.faces.liveness.active import STRICT_STEPS
from edge.faces.liveness.challenge import ChallengeStep
from tests.faces.liveness.asking import Door
from tests.present import present


class TestStrictResident:
    """Berta must answer, Anna need not; both stand before the same door."""

    def test_she_is_asked_however_clearly_she_passes(self):
        door = Door(strict=False)
        door.visit.resident_id = "berta"

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert verdict.passed
        assert verdict.cues["steps"] == STRICT_STEPS

    def test_she_never_passes_by_the_networks_alone(self):
        door = Door(strict=False)
        door.visit.resident_id = "berta"

        for _ in range(15 * 30):
            verdict = door.frame(door.anna)
            assert verdict is None or not verdict.passed

    def test_a_pass_for_somebody_else_is_none_for_her(self):
        door = Door(strict=False)
        assert present(door.answer(door.anna)).passed

        door.visit.resident_id = "berta"

        assert door.frame(door.anna) is None
        assert door.prompt == "look"

    def test_an_answer_given_for_somebody_else_counts_for_nothing(self):
        door = Door(strict=False, score=0.6)
        assert present(door.answer(door.anna)).cues["steps"] == 2

        door.visit.resident_id = "berta"

        assert door.frame(door.anna) is None
        assert not door.answer(door.anna, seconds=0.4)

    def test_when_night_falls_in_the_middle_two_steps_are_not_enough(self):
        door = Door(strict=False, score=0.6)
        while door.prompt not in set(ChallengeStep):
            assert door.frame(door.anna) is None

        door.strict.add(None)

        assert door.frame(door.anna) is None
        assert present(door.answer(door.anna)).cues["steps"] == STRICT_STEPS

    def test_her_failed_tries_do_not_keep_the_neighbour_out(self):
        door = Door(strict=False)
        door.visit.resident_id = "berta"
        assert present(door.answer(door.anna, wrongly=True)).reason is Reason.CHALLENGE_FAILED
        door.check.reset(1)

        door.visit.resident_id, door.width = "anna", 130.0

        assert present(door.answer(door.anna, seconds=3)).passed
