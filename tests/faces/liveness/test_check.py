"""Passive liveness on a track: what passes, what is refused and why, and attacks on the logic."""

from __future__ import annotations

import pytest

from edge.domain import Reason
from edge.faces.liveness.check import Unavailable
from edge.faces.liveness.window import LEAST_FRAMES, MOST_FRAMES
from tests.faces.liveness.nets import ALIVE, ANNA, PHONE, scene, setup
from tests.fakes.scene import Actor, axis


class TestVerdict:
    def test_a_living_face_passes_on_the_eighth_frame_with_every_number_that_made_it(self):
        world = scene()

        world.visit.show(ANNA, LEAST_FRAMES - 1)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 1)

        verdict = world.visit.assess()
        assert verdict.passed
        assert verdict.reason is None
        assert verdict.score == pytest.approx(0.95)
        assert verdict.cues == {"faceplugin": pytest.approx(0.95), "frames": 8.0, "threshold": 0.5}

    def test_that_takes_about_half_a_second(self):
        world = scene()

        world.visit.show(ANNA, LEAST_FRAMES)

        assert (world.visit.seq - 1) / world.visit.fps < 0.5
        assert world.visit.assess().passed

    def test_a_phone_is_refused_as_an_attack(self):
        world = scene()

        world.visit.show(PHONE, LEAST_FRAMES)

        verdict = world.visit.assess()
        assert not verdict.passed
        assert verdict.reason is Reason.PRESENTATION_ATTACK

    def test_a_refusal_stands_until_the_track_is_reset(self):
        world = scene()
        world.visit.show(PHONE, LEAST_FRAMES)
        world.visit.assess()

        world.visit.show(ANNA, 40)
        assert not world.visit.assess().passed
        world.check.reset(1)
        world.visit.show(ANNA, LEAST_FRAMES)
        assert world.visit.assess().passed

    def test_only_the_last_ten_frames_count(self):
        world = scene()
        world.visit.show(PHONE, 3)
        world.visit.assess()

        world.visit.show(ANNA, MOST_FRAMES)

        assert world.visit.assess().score == pytest.approx(0.95)

    def test_frames_closer_than_the_pace_are_one_picture(self):
        world = scene()
        world.scene.fps = 60

        world.visit.show(ANNA, 16)

        assert world.visit.assess() is None
        assert world.eye.calls == 4

    def test_the_window_is_kept_warm_at_half_the_cost_until_somebody_asks(self):
        world = scene()
        world.visit.show(ANNA, 60, asked=False)
        warm = world.eye.calls

        world.visit.assess()
        world.visit.show(ANNA, 60)

        assert warm <= 36
        assert world.eye.calls - warm == 60


class TestGuidance:
    """What hinders judging is never called an attack."""

    @pytest.mark.parametrize(
        ("how", "cue"),
        [
            ({"width": 60}, "frames_too_far"),
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
        assert verdict.cues == {cue: 47.0}
        assert world.eye.calls == 0

    def test_a_face_turned_away_is_not_judged(self):
        world = setup(ALIVE, [Actor(0, axis(0), turned=0.4)])

        world.visit.show(world.scene.actors[0], 60)

        assert world.visit.assess().cues == {"frames_turned": 47.0}

    def test_coming_closer_is_enough(self):
        world = scene()

        world.visit.show(ANNA, 30, width=60)
        world.visit.show(ANNA, LEAST_FRAMES, width=130)

        assert world.visit.assess().passed

    def test_a_refusal_in_bad_light_is_guidance(self):
        world = scene({0: 0.3})
        dark = world.scene
        bright = dark.frame

        def night(seq, *placed):
            frame = bright(seq, *placed)
            image = (frame.image * 0.25).astype("uint8")
            return type(frame)(image, frame.seq, frame.time, frame.at)

        for _ in range(LEAST_FRAMES):
            lit = bright(world.visit.seq, (ANNA, 250, 120, 130))
            world.check.observe(night(world.visit.seq), world.visit.face(lit, ANNA), 1, True)
            world.visit.seq += 1

        assert world.visit.assess().reason is Reason.PAD_NO_RESPONSE


class TestClosed:
    def test_a_network_that_answers_nonsense_fails_the_track(self):
        world = scene()
        world.eye.is_broken = True

        world.visit.show(ANNA, 1)
        world.eye.is_broken = False
        world.visit.show(ANNA, 30)

        verdict = world.visit.assess()
        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_UNAVAILABLE)

    def test_what_was_seen_before_anybody_asked_is_not_enough(self):
        world = scene()
        world.visit.show(ANNA, 60, asked=False)

        assert world.visit.assess() is None
        world.visit.show(ANNA, 3)
        assert world.visit.assess().passed

    def test_a_face_that_cannot_be_judged_now_does_not_pass_on_what_it_was(self):
        world = scene()
        world.visit.show(ANNA, 20)

        world.visit.show(ANNA, 1, width=60)

        assert world.visit.assess() is None

    def test_a_track_never_seen_never_passes(self):
        assert scene().check.assess(99) is None

    def test_frames_withheld_never_pass(self):
        world = scene()
        world.visit.show(ANNA, LEAST_FRAMES - 1)

        assert [world.visit.assess() for _ in range(1000)] == [None] * 1000

    def test_frames_at_a_trickle_end_in_no_response(self):
        world = scene()

        for _ in range(9):
            world.visit.show(ANNA, 1)
            world.visit.away(0.4)

        assert world.visit.assess().reason is Reason.PAD_NO_RESPONSE

    def test_stale_frames_do_not_add_up(self):
        world = scene()

        world.visit.show(ANNA, 7)
        world.visit.away(0.6)
        world.visit.show(ANNA, 7)

        assert world.visit.assess() is None

    def test_without_networks_nobody_passes(self):
        check = Unavailable("no file")

        verdict = check.assess(1)

        assert (verdict.passed, verdict.reason) == (False, Reason.PAD_UNAVAILABLE)
