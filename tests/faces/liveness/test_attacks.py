"""Attacks on the logic of the passive check: exchanged faces, second faces, tracks that flicker."""

from __future__ import annotations

import pytest

from edge.domain import Reason
from edge.faces.liveness.failures import DOOR_ALARM, MAX_FAILURES, PAUSE_SECONDS, Failures, Pause
from tests.faces.liveness.nets import ANNA, CLEARLY, ENOUGH, MALLORY, PHONE, Visit, scene
from tests.present import present


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
        world.visit.show(ANNA, CLEARLY - 1)

        world.visit.show(ANNA, 1, alone=False)
        world.visit.show(ANNA, CLEARLY - 1)
        assert world.visit.assess() is None
        world.visit.show(ANNA, 1)
        assert world.visit.assess().passed

    def test_the_photo_beside_a_living_face_borrows_nothing_from_it(self):
        world = scene()
        photo = Visit(world.check, world.scene, track_id=2)

        for _ in range(2 * ENOUGH):
            world.visit.show(MALLORY, 1, left=60)
            photo.show(PHONE, 1, left=400)

        assert world.visit.assess().passed
        assert present(photo.assess()).reason is Reason.PRESENTATION_ATTACK

    def test_a_track_break_starts_the_evidence_anew(self):
        world = scene()
        world.visit.show(ANNA, CLEARLY - 1)

        world.check.reset(1)
        world.visit.show(ANNA, CLEARLY - 1)

        assert world.visit.assess() is None

    def test_a_flicker_of_tracks_does_not_give_more_tries(self):
        """A phone waved in and out is a new track each time; the resident it shows is the same."""
        world = scene()
        judged = 0
        for track_id in range(1, 60):
            visit = Visit(world.check, world.scene, track_id)
            visit.resident_id, visit.seq = "anna", 20 * track_id
            visit.show(PHONE, ENOUGH)
            judged += visit.assess() is not None

        assert judged <= 7  # at once, then after 1, 2, 4, 8, 16 and 32 s

    def test_visits_that_fail_pause_that_resident_and_nobody_else(self):
        told: list[Pause] = []
        world = scene(failures=Failures(tell=told.append))
        for number in range(1, MAX_FAILURES + 1):
            visit = Visit(world.check, world.scene, number)
            visit.resident_id, visit.seq = "anna", 150 * number
            visit.show(PHONE, ENOUGH)
            assert present(visit.assess()).reason is Reason.PRESENTATION_ATTACK

        for track_id, who, expected in ((20, "anna", Reason.LOCKOUT_MAX_ATTEMPTS), (21, "bela", None)):
            visit = Visit(world.check, world.scene, track_id)
            visit.resident_id, visit.seq = who, 150 * (MAX_FAILURES + 1)
            visit.show(ANNA, ENOUGH)
            assert present(visit.assess()).reason is expected
        assert [(one.kind, one.resident_id) for one in told] == [("began", "anna")]

    def test_after_the_pause_a_resident_passes_and_its_end_is_told(self):
        told: list[Pause] = []
        world = scene(failures=Failures(tell=told.append))
        for number in range(1, MAX_FAILURES + 1):
            visit = Visit(world.check, world.scene, number)
            visit.seq = 150 * number
            visit.show(PHONE, ENOUGH)
            visit.assess()

        anna = Visit(world.check, world.scene, 50)
        anna.seq = round((PAUSE_SECONDS + 10 * (MAX_FAILURES + 1)) * anna.fps)
        anna.show(ANNA, ENOUGH)

        assert present(anna.assess()).passed
        assert [one.kind for one in told] == ["began", "ended"]

    @pytest.mark.parametrize("alive", [0.05, 0.35])
    def test_many_failures_at_the_door_are_an_alarm_and_no_pause(self, alive):
        """Narrow ones too: they accuse nobody, and are no `access.attempts`, but they are failures."""
        told: list[Pause] = []
        world = scene(failures=Failures(tell=told.append))
        world.eye.alive[1] = alive
        for number in range(1, DOOR_ALARM + 1):
            visit = Visit(world.check, world.scene, number)
            visit.resident_id, visit.seq = f"flat-{number}", 150 * number
            visit.show(PHONE, ENOUGH)
            visit.assess()
        anna = Visit(world.check, world.scene, 99)
        anna.resident_id, anna.seq = "anna", 150 * DOOR_ALARM + 30

        anna.show(ANNA, ENOUGH)

        assert present(anna.assess()).passed
        assert [one.kind for one in told] == ["alarm"]

    def test_a_resident_does_not_wait_for_a_picture_of_theirs_that_hangs_beside_them(self):
        world = scene()
        poster, anna = Visit(world.check, world.scene, 1), Visit(world.check, world.scene, 2)
        poster.resident_id = anna.resident_id = "anna"
        poster.show(PHONE, ENOUGH)
        anna.seq = poster.seq

        for _ in range(2 * ENOUGH):
            poster.show(PHONE, 1, left=60)
            anna.show(ANNA, 1, left=400)

        assert present(anna.assess()).passed
        assert not present(poster.assess()).passed

    def test_two_phones_that_take_turns_get_no_more_tries_either(self):
        world = scene()
        judged = 0
        held = [Visit(world.check, world.scene, 1000), Visit(world.check, world.scene, 1001)]
        for turn in range(60):
            seq = ENOUGH * turn
            fresh = held[turn % 2] = Visit(world.check, world.scene, turn + 1)
            for one in held:
                one.resident_id, one.seq = "anna", seq
            for _ in range(ENOUGH):
                for one in held:
                    one.show(PHONE, 1)
            judged += fresh.assess() is not None

        assert judged <= 12

    def test_one_refusal_asked_for_many_times_counts_once(self):
        world = scene()
        world.visit.show(PHONE, ENOUGH)

        reasons = {world.visit.assess().reason for _ in range(50)}

        assert reasons == {Reason.PRESENTATION_ATTACK}


def held_up(world, track_id: int, seq: int, frames: int) -> int:
    """Show a phone with Anna on a track of its own from frame `seq` on; return how many verdicts it got."""
    visit, verdicts = Visit(world.check, world.scene, track_id), 0
    visit.resident_id, visit.seq = "anna", seq
    for _ in range(frames):
        visit.show(PHONE, 1)
        if (verdict := visit.assess()) is not None:
            verdicts += verdict.reason is not Reason.LOCKOUT_MAX_ATTEMPTS
            world.check.reset(track_id)
    return verdicts


class TestWhoComesAfterARefusedPhone:
    """Who failed is the phone's face: a resident who comes after it does not serve its waits."""

    def comes(self, world, seq: int) -> int:
        """Return after how many frames Anna passes who comes into view at frame `seq`."""
        anna = Visit(world.check, world.scene, 500)
        anna.resident_id, anna.seq = "anna", seq
        while (verdict := anna.assess()) is None or not verdict.passed:
            anna.show(ANNA, 1)
            assert anna.seq - seq < 300
        return anna.seq - seq

    def test_is_judged_at_once_two_seconds_later(self):
        world = scene()
        shown = 6 * 15
        assert held_up(world, 1, 0, shown) >= 2
        assert self.comes(world, shown + 30) <= CLEARLY

    def test_is_judged_at_once_after_a_phone_that_was_refused_often(self):
        world = scene()
        shown = 20 * 15
        assert held_up(world, 1, 0, shown) >= MAX_FAILURES - 1
        assert self.comes(world, shown + 30) <= CLEARLY

    def test_a_phone_that_is_taken_away_and_held_up_again_is_a_visit_each_time_until_the_pause(self):
        world = scene()
        tries = [held_up(world, number, 30 * number, 12) for number in range(1, 61)]
        assert sum(tries[:20]) == MAX_FAILURES
        assert sum(tries) <= MAX_FAILURES + 60 * 2 / PAUSE_SECONDS

    def test_a_phone_whose_track_breaks_waits_as_before(self):
        world = scene()
        tries = sum(held_up(world, number, 20 * number, 18) for number in range(1, 61))
        assert tries <= 7
