"""Passive liveness on a track: what passes, what is refused and why, and attacks on the logic."""

from __future__ import annotations

import pytest

from edge.domain import Reason
from edge.faces.liveness.gate import GateLimits
from edge.faces.liveness.unavailable import Unavailable
from edge.faces.liveness.window import MOST_FRAMES
from tests.faces.liveness.nets import ALIVE, ANNA, CLEARLY, ENOUGH, PHONE, scene, setup
from tests.fakes.scene import Actor, axis


class TestVerdict:
    def test_a_clear_face_passes_after_four_tenths_of_a_second_with_every_number_that_made_it(self):
        world = scene()

        world.visit.show(ANNA, CLEARLY - 1)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 1)

        verdict = world.visit.assess()
        assert verdict.passed
        assert verdict.reason is None
        assert verdict.score == pytest.approx(0.95)
        assert verdict.cues == {
            "faceplugin": pytest.approx(0.95),
            "frames": 3.0,
            "looks": pytest.approx(2.26),
            "threshold": 0.5,
        }

    def test_a_less_clear_one_needs_a_little_longer(self):
        world = scene({0: 0.75})

        world.visit.show(ANNA, ENOUGH - 1)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 1)

        assert world.visit.assess().passed

    @pytest.mark.parametrize(
        ("fps", "seconds"), [(3, 1.0), (4, 0.75), (5, 0.6), (8, 0.5), (12, 0.5), (15, 0.54), (30, 0.54)]
    )
    def test_time_counts_and_not_the_number_of_frames(self, fps, seconds):
        world = scene({0: 0.75})
        world.scene.fps = world.visit.fps = fps

        while world.visit.assess() is None:
            world.visit.show(ANNA, 1)

        assert world.visit.assess().passed
        assert (world.visit.seq - 1) / fps <= seconds + 1e-6

    def test_a_phone_is_refused_as_an_attack(self):
        world = scene()

        world.visit.show(PHONE, ENOUGH)

        verdict = world.visit.assess()
        assert not verdict.passed
        assert verdict.reason is Reason.PRESENTATION_ATTACK

    def test_a_refusal_stands_until_the_track_is_reset(self):
        world = scene()
        world.visit.show(PHONE, ENOUGH)
        world.visit.assess()

        world.visit.show(ANNA, 40)
        assert not world.visit.assess().passed
        world.check.reset(1)
        world.visit.show(ANNA, 40)
        assert world.visit.assess().passed

    def test_only_the_last_ten_frames_count(self):
        world = scene()
        world.visit.show(PHONE, 3)
        world.visit.assess()

        world.visit.show(ANNA, 2 * MOST_FRAMES)

        assert world.visit.assess().score == pytest.approx(0.95)

    def test_frames_closer_than_the_pace_are_one_picture(self):
        world = scene({0: 0.7})
        world.scene.fps = world.visit.fps = 60

        world.visit.show(ANNA, 16)

        assert world.visit.assess() is None
        assert world.eye.calls == 4

    def test_a_clear_face_is_scored_no_more_often_than_it_teaches(self):
        world = scene()

        world.visit.show(ANNA, CLEARLY)

        assert world.visit.assess().passed
        assert world.eye.calls == 3

    @pytest.mark.parametrize("fps", [5, 8, 12])
    def test_a_slow_camera_is_scored_on_every_frame(self, fps):
        world = scene()
        world.scene.fps = world.visit.fps = fps

        while world.visit.assess() is None:
            world.visit.show(ANNA, 1)

        assert world.eye.calls == world.visit.seq

    def test_nothing_is_scored_until_somebody_asks(self):
        world = scene()

        world.visit.show(ANNA, 60, asked=False)

        assert world.eye.calls == 0

    def test_a_second_of_frames_costs_no_more_than_half_of_them(self):
        world = scene({0: 0.7})

        world.visit.show(ANNA, 30)

        assert world.eye.calls <= 15


class TestGuidance:
    """What hinders judging is never called an attack."""

    @pytest.mark.parametrize(
        ("how", "cue"),
        [
            ({"width": 40}, "frames_too_far"),
            ({"alone": False}, "frames_not_alone"),
        ],
        ids=str,
    )
    def test_after_three_seconds_the_visitor_is_told_what_hinders(self, how, cue):
        world = scene()

        world.visit.show(ANNA, 40, **how)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 8, **how)

        verdict = world.visit.assess()
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_NO_RESPONSE)
        assert verdict.cues == {cue: 48.0}
        assert world.eye.calls == 0

    def test_a_face_turned_away_is_not_judged(self):
        world = setup(ALIVE, [Actor(0, axis(0), turned=0.4)])

        world.visit.show(world.scene.actors[0], 60)

        assert world.visit.assess() is None, "it was said, once"

    def test_coming_closer_is_enough(self):
        world = scene()

        world.visit.show(ANNA, 30, width=40)
        world.visit.show(ANNA, CLEARLY, width=130)

        assert world.visit.assess().passed

    def test_a_refusal_in_bad_light_is_guidance(self):
        world = scene({0: 0.3}, limits=GateLimits(min_brightness=200.0))

        world.visit.show(ANNA, ENOUGH)

        verdict = world.visit.assess()
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_NO_RESPONSE)
        assert verdict.cues["bad_light"] == 1.0


class TestClosed:
    def test_a_network_that_answers_nonsense_fails_the_track(self):
        world = scene()
        world.eye.is_broken = True

        world.visit.show(ANNA, 6)
        world.eye.is_broken = False
        world.visit.show(ANNA, 30)

        verdict = world.visit.assess()
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_UNAVAILABLE)

    def test_one_frame_that_a_network_could_not_answer_costs_only_that_frame(self):
        world = scene()
        world.visit.show(ANNA, 2)
        world.eye.is_broken = True
        world.visit.show(ANNA, 1)
        world.eye.is_broken = False

        world.visit.show(ANNA, ENOUGH)

        assert world.visit.assess().passed

    def test_what_was_seen_before_anybody_asked_is_not_enough(self):
        world = scene()
        world.visit.show(ANNA, 60, asked=False)

        assert world.visit.assess() is None
        world.visit.show(ANNA, CLEARLY - 1)
        assert world.visit.assess().passed

    def test_a_face_that_cannot_be_judged_now_does_not_pass_on_what_it_was(self):
        world = scene()
        world.visit.show(ANNA, 20)

        world.visit.show(ANNA, 1, width=40)

        assert world.visit.assess() is None

    def test_a_track_never_seen_never_passes(self):
        assert scene().check.assess(99) is None

    def test_frames_withheld_never_pass(self):
        world = scene()
        world.visit.show(ANNA, CLEARLY - 1)

        assert [world.visit.assess() for _ in range(1000)] == [None] * 1000

    def test_frames_at_a_trickle_end_in_no_response(self):
        world = scene()

        reasons = []
        for _ in range(9):
            world.visit.show(ANNA, 1)
            world.visit.away(0.54)
            reasons.append(world.visit.assess())

        assert [one.reason for one in reasons if one] == [Reason.PAD_NO_RESPONSE]

    def test_stale_frames_do_not_add_up(self):
        world = scene()

        world.visit.show(ANNA, CLEARLY - 1)
        world.visit.away(0.6)
        world.visit.show(ANNA, CLEARLY - 1)

        assert world.visit.assess() is None

    def test_without_networks_nobody_passes(self):
        check = Unavailable("no file")

        verdict = check.assess(1)

        assert verdict is not None
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_UNAVAILABLE)
