"""Attacks on the logic of the passive check: exchanged faces, second faces, tracks that flicker."""

from __future__ import annotations

from edge.domain import Reason
from edge.faces.liveness.lockout import MAX_FAILURES, PAUSE_SECONDS
from edge.faces.liveness.window import LEAST_FRAMES
from tests.faces.liveness.nets import ANNA, MALLORY, PHONE, Visit, scene


class TestAttacksOnTheLogic:
    def test_a_live_face_exchanged_for_a_phone_before_the_match_does_not_pass(self):
        """Mallory collects a pass with his own face, then slides Anna's picture over it."""
        world = scene()
        world.visit.show(MALLORY, 30)
        assert world.visit.assess().passed

        for _ in range(30):
            world.visit.show(PHONE, 1)
            verdict = world.visit.assess()
            assert verdict is None or not verdict.passed

    def test_a_few_live_frames_of_somebody_else_in_between_do_not_help(self):
        world = scene({0: 0.95, 1: 0.3, 2: 1.0})

        for _ in range(10):
            world.visit.show(PHONE, 3)
            world.visit.show(MALLORY, 4)
            world.visit.show(PHONE, 3)
            verdict = world.visit.assess()
            assert verdict is None or not verdict.passed

    def test_a_picture_cannot_borrow_the_score_of_a_living_face_that_looks_the_same(self):
        """Were the resident's own face and his picture exchanged, only what is there now counts."""
        world = scene()
        for _ in range(6):
            world.visit.show(ANNA, 6)
            world.visit.show(PHONE, 3)
            verdict = world.visit.assess()
            assert verdict is None or not verdict.passed

    def test_a_second_face_starts_the_evidence_anew(self):
        world = scene()
        world.visit.show(ANNA, LEAST_FRAMES - 1)

        world.visit.show(ANNA, 1, alone=False)
        world.visit.show(ANNA, LEAST_FRAMES - 1)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 1)
        assert world.visit.assess().passed

    def test_the_photo_beside_a_living_face_borrows_nothing_from_it(self):
        world = scene()
        photo = Visit(world.check, world.scene, track_id=2)

        world.visit.show(MALLORY, 20)
        photo.show(PHONE, 20)

        assert world.visit.assess().passed
        assert photo.assess().reason is Reason.PRESENTATION_ATTACK

    def test_a_track_break_starts_the_evidence_anew(self):
        world = scene()
        world.visit.show(ANNA, LEAST_FRAMES - 1)

        world.check.reset(1)
        world.visit.show(ANNA, LEAST_FRAMES - 1)

        assert world.visit.assess() is None

    def test_a_flicker_of_tracks_does_not_give_more_tries(self):
        """A phone waved in and out is a new track each time; the door counts, not the track."""
        world = scene()
        verdicts = []
        for track_id in range(1, 20):
            visit = Visit(world.check, world.scene, track_id)
            visit.seq = 10 * track_id
            visit.show(PHONE, LEAST_FRAMES)
            verdicts.append(visit.assess().reason)

        assert verdicts[:MAX_FAILURES] == [Reason.PRESENTATION_ATTACK] * MAX_FAILURES
        assert set(verdicts[MAX_FAILURES:]) == {Reason.LOCKOUT_MAX_ATTEMPTS}

    def test_after_the_pause_a_resident_passes(self):
        world = scene()
        for track_id in range(1, MAX_FAILURES + 1):
            visit = Visit(world.check, world.scene, track_id)
            visit.seq = 10 * track_id
            visit.show(PHONE, LEAST_FRAMES)
            visit.assess()

        anna = Visit(world.check, world.scene, 50)
        anna.seq = round((PAUSE_SECONDS + 10) * anna.fps)
        anna.show(ANNA, LEAST_FRAMES)

        assert anna.assess().passed

    def test_one_refusal_asked_for_many_times_counts_once(self):
        world = scene()
        world.visit.show(PHONE, LEAST_FRAMES)

        reasons = {world.visit.assess().reason for _ in range(50)}

        assert reasons == {Reason.PRESENTATION_ATTACK}
