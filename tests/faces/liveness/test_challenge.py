"""A random challenge: who answers passes, a recording that moves when it likes does not."""

from __future__ import annotations

from math import pi, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.faces.liveness.challenge import (
    SETTLE_SECONDS,
    STEP_SECONDS,
    Challenge,
    ChallengeProgress,
    ChallengeStep,
    draw_steps,
    new_challenge,
)

FPS = 15.0
YAW = {ChallengeStep.LEFT: 28.0, ChallengeStep.RIGHT: -28.0, ChallengeStep.CLOSER: 0.0}


class Person:
    """Somebody who does as asked: reads, moves smoothly, comes back."""

    def __init__(self, seed: int, *, reaction: float = 0.6, noise: float = 1.5, rest: float = 4.0) -> None:
        self.random = Random(seed)
        self.reaction, self.noise, self.rest = reaction, noise, rest
        self.yaw, self.scale = 0.0, 60.0
        self.goal = (0.0, 60.0)
        self.pending: list[tuple[float, tuple[float, float]]] = []

    def told(self, time: float, step: ChallengeStep | None) -> None:
        goal = (
            (0.0, self.scale)
            if step is None
            else (YAW[step], self.scale * (1.35 if step is ChallengeStep.CLOSER else 1))
        )
        self.pending.append((time + self.reaction, goal))

    def pose(self, time: float) -> tuple[float, float]:
        while self.pending and self.pending[0][0] <= time:
            self.goal = self.pending.pop(0)[1]
        self.yaw += (self.goal[0] - self.yaw) * 0.25
        self.scale += (self.goal[1] - self.scale) * 0.15
        return self.rest + self.yaw + self.random.gauss(0, self.noise), self.scale * self.random.gauss(
            1, 0.01
        )


def played(challenge: Challenge, person: Person, seconds: float = 60.0) -> Challenge:
    shown: ChallengeStep | None = None
    for index in range(int(seconds * FPS)):
        time = index / FPS
        challenge.feed(time, *person.pose(time))
        if challenge.step is not shown:
            shown = challenge.step
            person.told(time, shown)
        if challenge.progress in {ChallengeProgress.PASSED, ChallengeProgress.FAILED}:
            break
    return challenge


def one(step: ChallengeStep, rest: float = 0.5) -> Challenge:
    return Challenge((step,), (rest,), 0.0, 0.0)


def asked(step: ChallengeStep) -> Challenge:
    """A challenge that has just asked for `step`, at one second."""
    challenge = one(step)
    for index in range(16):
        challenge.feed(index / FPS, 0.0, 60.0)
        if challenge.step is step:
            challenge.since = 1.0
            return challenge
    raise AssertionError("never asked")


class TestSteps:
    @given(st.integers(2, 4), st.integers())
    def test_always_a_turn_and_at_most_one_step_forward(self, count, seed):
        steps = draw_steps(count, Random(seed))

        assert len(steps) == count
        assert steps.count(ChallengeStep.CLOSER) <= 1
        assert set(steps) - {ChallengeStep.CLOSER}

    def test_every_sequence_comes_up_about_as_often(self):
        random = Random(5)
        drawn = [draw_steps(2, random) for _ in range(4000)]

        shares = {steps: drawn.count(steps) / len(drawn) for steps in set(drawn)}
        assert len(shares) == 8
        assert max(shares.values()) < 0.16


class TestCooperation:
    @pytest.mark.parametrize("steps", [2, 3])
    def test_nearly_everybody_who_does_as_asked_passes(self, steps):
        passed = 0
        for seed in range(200):
            random = Random(seed)
            person = Person(seed, reaction=random.uniform(0.4, 1.5), noise=random.uniform(0.5, 2.5))
            challenge = played(new_challenge(steps, 4.0, 0.0, random), person)
            passed += challenge.progress is ChallengeProgress.PASSED
        assert passed >= 190

    def test_small_wobbles_are_forgiven(self):
        challenge = asked(ChallengeStep.LEFT)

        challenge.feed(1.5, -9.0, 60.0)
        challenge.feed(1.6, 5.0, 63.0)
        for index in range(3):
            challenge.feed(1.9 + index / FPS, 26.0, 60.0)

        assert challenge.progress is ChallengeProgress.PASSED


class TestRefusals:
    @pytest.mark.parametrize("step", [ChallengeStep.LEFT, ChallengeStep.RIGHT, ChallengeStep.CLOSER])
    def test_the_wrong_movement_first_fails(self, step):
        for other in ChallengeStep:
            challenge = asked(step)
            challenge.feed(1.5, YAW[other], 60.0 * (1.3 if other is ChallengeStep.CLOSER else 1))
            assert (challenge.progress is ChallengeProgress.FAILED) == (other is not step)

    def test_moving_before_one_can_have_read_fails(self):
        challenge = asked(ChallengeStep.LEFT)

        challenge.feed(1.1, 18.0, 60.0)

        assert (challenge.progress, challenge.why) == (ChallengeProgress.FAILED, "moved before it was asked")

    def test_a_single_frame_is_no_movement(self):
        challenge = asked(ChallengeStep.LEFT)

        challenge.feed(1.5, 25.0, 60.0)
        challenge.feed(1.6, 1.0, 60.0)

        assert challenge.progress is ChallengeProgress.ASKING

    def test_moving_while_one_should_rest_fails(self):
        challenge = one(ChallengeStep.LEFT)
        challenge.feed(0.0, 2.0, 60.0)

        challenge.feed(0.2, 20.0, 60.0)

        assert (challenge.progress, challenge.why) == (ChallengeProgress.FAILED, "moved before it was asked")

    def test_too_slow_fails(self):
        challenge = asked(ChallengeStep.RIGHT)

        challenge.feed(1.0 + STEP_SECONDS + 0.1, 0.0, 60.0)

        assert (challenge.progress, challenge.why) == (ChallengeProgress.FAILED, "too slow")

    def test_who_never_rests_is_never_asked(self):
        challenge = one(ChallengeStep.LEFT)

        for index in range(int((SETTLE_SECONDS + 1) * FPS)):
            challenge.feed(index / FPS, 20.0, 60.0)

        assert challenge.progress is ChallengeProgress.FAILED

    def test_frames_withheld_end_as_too_slow(self):
        challenge = asked(ChallengeStep.LEFT)

        challenge.feed(9.0, 28.0, 60.0)

        assert challenge.progress is ChallengeProgress.FAILED

    @given(st.floats(allow_nan=True), st.floats(allow_nan=True))
    def test_numbers_that_are_no_pose_never_pass(self, yaw, scale):
        challenge = asked(ChallengeStep.LEFT)
        if yaw >= 14:
            return

        for index in range(60):
            challenge.feed(1.3 + index / FPS, yaw, scale)

        assert challenge.progress is not ChallengeProgress.PASSED


class TestReplayedChallenge:
    def test_the_recording_of_a_passed_challenge_passes_the_next_by_chance_only(self):
        """Somebody films a resident answering three steps: one in twenty sequences is the same."""
        person, first = Person(1, reaction=0.5), new_challenge(3, 4.0, 0.0, Random(1))
        recording: list[tuple[float, float]] = []
        shown: ChallengeStep | None = None
        for index in range(600):
            recording.append(person.pose(index / FPS))
            first.feed(index / FPS, *recording[-1])
            if first.step is not shown:
                shown = first.step
                person.told(index / FPS, shown)
            if first.progress is ChallengeProgress.PASSED:
                break
        assert first.progress is ChallengeProgress.PASSED

        passed = sum(self.plays(recording, Random(seed)) for seed in range(2, 502))

        assert passed <= 500 / 20

    def plays(self, recording: list[tuple[float, float]], random: Random) -> bool:
        challenge = new_challenge(3, 4.0, 0.0, random)
        for index in range(40 * len(recording)):
            challenge.feed(index / FPS, *recording[index % len(recording)])
            if challenge.progress in {ChallengeProgress.PASSED, ChallengeProgress.FAILED}:
                break
        return challenge.progress is ChallengeProgress.PASSED

    @settings(deadline=None, max_examples=50)
    @given(st.integers(), st.floats(0.5, 4))
    def test_a_head_that_swings_to_and_fro_fails(self, seed, hz):
        """A pendulum passes every position, but never rests."""
        challenge = new_challenge(2, 0.0, 0.0, Random(seed))
        for index in range(600):
            challenge.feed(index / FPS, 30 * sin(2 * pi * hz * index / FPS), 60.0)

        assert challenge.progress is not ChallengeProgress.PASSED
