"""Liveness that asks: who is asked, who passes, and attacks on the asking."""

from __future__ import annotations

from collections import Counter

import pytest

from edge.domain import Reason
from edge.faces.liveness.active import STRICT_STEPS, TRIES
from edge.faces.liveness.challenge import ChallengeStep
from edge.faces.liveness.failures import PAUSE_SECONDS
from tests.faces.liveness.asking import TURNED, Door
from tests.present import present


class TestWhoIsAsked:
    def test_strict_asks_everybody_and_passes_who_answers(self):
        door = Door()

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert verdict.passed
        assert verdict.cues["steps"] == STRICT_STEPS
        assert verdict.cues["relief"] == pytest.approx(0.05)
        names = Counter(prompt.name for prompt in door.shown if prompt)
        assert sum(names[step] for step in ChallengeStep) == STRICT_STEPS
        assert names["thanks"] == 1

    def test_otherwise_a_clear_pass_is_not_asked(self):
        door = Door(strict=False)

        assert present(door.answer(door.anna)).passed
        assert door.shown == []

    def test_a_narrow_pass_is_asked(self):
        door = Door(strict=False, score=0.6)

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert verdict.passed
        assert verdict.cues["steps"] == 2

    def test_a_narrow_refusal_is_asked_and_passes_when_the_networks_agree_afterwards(self):
        door = Door(strict=False, score=0.45)
        door.show_better_after("thanks", 0.6)

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert verdict.passed
        assert verdict.cues["steps"] == STRICT_STEPS

    def test_a_narrow_refusal_stays_refused_when_they_still_do_not(self):
        door = Door(strict=False, score=0.45)

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert (verdict.passed, verdict.reason) == (False, Reason.PRESENTATION_ATTACK)
        assert door.names["thanks"] == 1

    def test_without_a_screen_nobody_is_asked_and_a_narrow_pass_wants_the_pin(self):
        wanted = ((0.75, None), (0.6, Reason.SECOND_FACTOR_REQUIRED), (0.45, Reason.PRESENTATION_ATTACK))
        for score, reason in wanted:
            door = Door(strict=False, score=score)
            door.screen = False

            assert present(door.answer(door.anna)).reason is reason
            assert door.shown == []

    def test_what_hinders_is_told_anew_after_a_challenge_that_was_broken_off(self):
        door = Door(strict=False, score=0.45)
        door.screen = False
        door.answer(door.anna)
        door.width = 45.0
        for _ in range(40):
            door.frame(door.anna)
        assert door.names == {"too_far": 1}
        door.screen = True
        door.frame(door.anna)
        assert door.prompt == "look"

        door.check.reset(door.visit.track_id)
        for _ in range(60):
            door.frame(door.anna)

        assert door.names["too_far"] == 2

    def test_who_must_answer_is_refused_with_a_reason_where_there_is_no_screen(self):
        door = Door()
        door.screen = False

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_UNAVAILABLE)
        assert verdict.cues["screen"] == 0.0

    def test_who_fails_the_passive_check_is_not_asked_at_all(self):
        door = Door(score=0.2)

        assert present(door.answer(door.anna)).reason is Reason.PRESENTATION_ATTACK
        assert door.shown == []

    def test_the_steps_differ_from_door_to_door(self):
        asked = set()
        for seed in range(12):
            door = Door(seed=seed)
            door.answer(door.anna)
            asked.add(
                tuple(prompt.name for prompt in door.shown if prompt and prompt.name in set(ChallengeStep))
            )
        assert len(asked) > 6


class TestAdvice:
    def test_who_waits_too_far_off_is_told_to_come_closer_until_he_does(self):
        door = Door()
        door.width = 40.0
        for _ in range(30):
            door.frame(door.anna)
        assert door.prompt == "too_far"

        door.width = 130.0
        for _ in range(10):
            door.frame(door.anna)

        assert [one.name if one else None for one in door.shown[:3]] == ["too_far", None, "look"]


class TestFailedChallenges:
    def test_two_wrong_answers_end_in_a_refusal_and_a_pause(self):
        door = Door()

        verdict = door.answer(door.anna, wrongly=True)

        assert verdict is not None
        assert (verdict.passed, verdict.reason) == (False, Reason.CHALLENGE_FAILED)
        assert [prompt.name for prompt in door.shown if prompt].count("again") == TRIES - 1
        assert door.prompt == "failed"

    def test_during_the_pause_nobody_may_try_afterwards_everybody(self):
        door = Door()
        door.answer(door.anna, wrongly=True)
        door.check.reset(1)

        door.width = 130.0
        assert present(door.answer(door.anna, seconds=5)).reason is Reason.LOCKOUT_MAX_ATTEMPTS
        door.check.reset(1)
        door.visit.away(PAUSE_SECONDS)

        assert present(door.answer(door.anna)).passed

    def test_a_new_track_does_not_bring_new_tries(self):
        door = Door()
        for track_id in range(1, 1 + TRIES):
            door.visit.track_id = track_id
            while door.prompt not in set(ChallengeStep):
                assert door.frame(door.anna) is None
            door.check.reset(track_id)

        door.visit.track_id = 9
        assert present(door.answer(door.anna, seconds=5)).reason is Reason.LOCKOUT_MAX_ATTEMPTS

    def test_a_display_that_goes_out_meanwhile_costs_no_try(self):
        door = Door(strict=False, score=0.6)
        for track_id in range(1, 2 + TRIES):
            door.visit.track_id = track_id
            while door.prompt not in set(ChallengeStep):
                assert door.frame(door.anna) is None
            door.screen = False
            verdict = next(said for _ in range(45) if (said := door.frame(door.anna)) is not None)
            assert verdict.reason is Reason.SECOND_FACTOR_REQUIRED
            door.screen = True
            door.check.reset(track_id)
            door.visit.away(5)

    def test_who_does_nothing_fails(self):
        door = Door()

        verdict = None
        for _ in range(15 * 30):
            verdict = verdict or door.frame(door.anna)

        assert verdict is not None
        assert verdict.reason is Reason.CHALLENGE_FAILED


class TestAttacks:
    def test_a_filmed_answer_to_an_earlier_challenge_does_not_pass(self):
        """What the head and its distance did when Anna passed is played before other doors."""
        filmed = Door(seed=1)
        assert present(filmed.answer(filmed.anna)).passed
        asked = [one.name for one in filmed.shown if one and one.name in set(ChallengeStep)]

        for seed in range(2, 12):
            door = Door(seed=seed)
            verdicts = []
            for turned, door.width in filmed.moves * 2:
                door.anna.turned = turned
                verdicts.append(door.frame(door.anna))
            now = [one.name for one in door.shown if one and one.name in set(ChallengeStep)][:STRICT_STEPS]
            assert now == asked or not any(one.passed for one in verdicts if one)

    @pytest.mark.parametrize("depth", [0.0, 0.019, None], ids=["flat", "nearly flat", "cannot say"])
    def test_a_flat_turn_fails_however_right_it_was(self, depth):
        door = Door(depth=depth)

        verdict = door.answer(door.anna)

        assert verdict is not None
        assert verdict.reason is Reason.CHALLENGE_FAILED
        assert verdict.cues["flat"] == 1.0

    def test_another_face_entering_fails_the_try(self):
        door = Door()
        while door.prompt not in set(ChallengeStep):
            door.frame(door.anna)

        door.frame(door.anna, alone=False)

        assert door.prompt == "look"
        assert [prompt.name for prompt in door.shown if prompt].count("again") == 1

    def test_somebody_else_answering_for_the_picture_does_not_pass(self):
        """Anna's picture, Mallory's living head for the steps, and the picture again."""
        door = Door()
        verdict = None
        since, last = 0, None
        for index in range(15 * 40):
            if door.prompt != last:
                since, last = index, door.prompt
            during = any(prompt for prompt in door.shown) and door.prompt != "thanks"
            actor = door.mallory if during else door.phone
            actor.turned = TURNED.get(last or "", 0.0) if index - since > 8 else 0.0
            if last == ChallengeStep.CLOSER and index - since > 8:
                door.width = 170.0
            verdict = door.frame(actor)
            if verdict is not None:
                break
        assert verdict is not None
        assert not verdict.passed

    def test_a_track_break_in_the_middle_starts_everything_anew(self):
        door = Door()
        while door.prompt not in set(ChallengeStep):
            door.frame(door.anna)

        door.check.reset(1)

        assert door.shown[-1] is None
        assert door.frame(door.anna) is None

    def test_frames_withheld_in_the_middle_never_pass(self):
        door = Door()
        while door.prompt not in set(ChallengeStep):
            door.frame(door.anna)

        assert [door.visit.assess() for _ in range(500)] == [None] * 500
        door.visit.away(4.0)
        assert door.frame(door.anna) is None
        assert door.prompt == "look"
