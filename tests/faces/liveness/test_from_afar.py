"""Whoever is doubted from afar and comes nearer is judged anew, and accused of nothing meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.domain import Reason
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.failures import NEARER
from edge.faces.liveness.gate import SURE_FACE_PX
from tests.faces.liveness.nets import ALIVE, ANNA, CLEARLY, ENOUGH, MALLORY, PHONE, TRUSTED, Eye, scene
from tests.faces.liveness.test_with_pipeline import BELA, Door
from tests.fakes.scene import Residents, Scene, axis

if TYPE_CHECKING:
    from edge.domain import Box, Image, Liveness

AFAR, NEAR = 70.0, 150.0


class Shortsighted(Eye):
    """A network that takes everybody for a picture until they are near."""

    def score(self, image: Image, box: Box) -> float:
        score = super().score(image, box)
        return score if box.width >= SURE_FACE_PX else 0.3


class Approach(Door):
    """A door before which somebody comes nearer."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = Shortsighted(dict(ALIVE))
        check = PassiveCheck([self.eye], self.scene, demands=TRUSTED)
        self.pipeline = type(self.pipeline)(self.scene, self.scene, self.residents, check)

    def comes(self, who, first: float, last: float, seconds: float) -> None:
        frames = round(seconds * self.scene.fps)
        for n in range(frames):
            self.width = first + (last - first) * n / frames
            self.show(1 / self.scene.fps, (who, 250))


class TestWhoComesNearer:
    def test_is_let_in_and_never_accused(self):
        door = Approach()
        door.comes(ANNA, AFAR, AFAR, 0.8)
        assert door.reasons == []
        door.comes(ANNA, AFAR, NEAR, 0.8)
        door.comes(ANNA, NEAR, NEAR, 0.8)
        assert door.grants == ["anna"]
        assert door.reasons == ["granted"]

    def test_need_not_wait_for_the_pause_after_the_first_doubt(self):
        door = Approach()
        door.comes(ANNA, AFAR, AFAR, 0.7)
        doubted = door.seq
        door.comes(ANNA, NEAR, NEAR, 0.6)
        assert door.grants == ["anna"]
        assert door.decisions[0].frame_seq - doubted <= CLEARLY + 1

    def test_need_not_wait_after_a_second_doubt_either(self):
        door = Approach()
        door.comes(ANNA, AFAR, AFAR, 2.2)
        assert door.reasons == ["pad_no_response"]
        door.comes(ANNA, NEAR, NEAR, 0.7)
        assert door.grants == ["anna"]

    def test_is_told_meanwhile_to_come_closer(self):
        door = Approach()
        door.comes(ANNA, AFAR, AFAR, 0.8)
        assert door.pipeline.hindrance == "too_far"


class TestWhoDoesNot:
    def test_is_refused_where_they_stay(self):
        door = Approach()
        door.comes(PHONE, AFAR, AFAR, 6)
        assert door.reasons == ["pad_no_response"]

    def test_is_told_of_when_they_leave(self):
        door = Approach()
        door.comes(PHONE, AFAR, AFAR, 0.8)
        assert door.reasons == []
        door.show(2)
        assert door.reasons == ["pad_no_response"]

    def test_a_phone_that_comes_nearer_is_an_attack_all_the_same(self):
        door = Approach()
        door.comes(PHONE, AFAR, NEAR, 3)
        door.comes(PHONE, NEAR, NEAR, 10)
        door.show(2)
        assert door.grants == []
        assert door.reasons == ["presentation_attack"]


def tries_while(world, widths: list[float]) -> int:
    """How many verdicts a phone of these widths gets, a frame each, always asking."""
    verdicts = 0
    for width in widths:
        world.visit.show(PHONE, 1, width=width)
        if world.visit.assess() is not None:
            verdicts += 1
            world.check.reset(1)
    return verdicts


@pytest.mark.parametrize("swings", [0, 5, 40])
def test_a_phone_moved_to_and_fro_gets_four_more_tries_a_visit_at_most(swings):
    """Only what is nearer than everything that was refused is another look."""
    seconds = 20
    away = [50 + 100 * abs(n * max(swings, 1) / (15 * seconds) % 2 - 1) for n in range(15 * seconds)]
    moved, still = scene(), scene()
    moved.visit.resident_id = still.visit.resident_id = "anna"
    more = tries_while(moved, away) - tries_while(still, [NEAR] * len(away))
    assert more <= 4
    assert 50 * NEARER**4 > SURE_FACE_PX


def test_a_face_that_was_half_hidden_at_first_need_not_begin_anew():
    world = scene()
    world.visit.show(MALLORY, 4)
    begun = world.visit.seq
    while world.visit.assess() is None:
        world.visit.show(ANNA, 1)
    assert world.visit.assess().passed
    assert world.visit.seq - begun <= CLEARLY + 2


def test_what_is_kept_of_a_window_shows_nobody_else():
    world = scene({0: 0.95, 1: 0.95, 2: 0.95})
    world.visit.show(MALLORY, 12)
    world.visit.show(ANNA, 12)
    assert world.visit.assess().passed
    window = world.check._windows[1]
    embedder = Scene([ANNA, MALLORY])
    faces = [embedder.embed(one.witness.cut, one.witness.landmarks) for one in window.samples]
    assert all(float(face @ ANNA.embedding) > 0.9 for face in faces)


def test_an_early_doubt_counts_as_a_failed_visit_all_the_same():
    world = scene()
    world.visit.resident_id = "anna"
    for _ in range(5):
        world.visit.show(PHONE, 12, width=AFAR)
        assert world.visit.assess().is_early
        world.check.reset(1)
        world.visit.away(4)
    world.visit.show(PHONE, 1, width=AFAR)
    assert world.visit.assess().reason is Reason.LOCKOUT_MAX_ATTEMPTS


class TestANearMiss:
    """Judged once more at once, on frames of its own, and told only when that came to nothing too."""

    def test_a_resident_who_was_narrowly_doubted_is_in_half_a_second_later(self):
        door = Approach()
        door.eye.alive = {0: 0.45}
        door.comes(ANNA, NEAR, NEAR, 0.7)
        assert door.reasons == []
        door.eye.alive = {0: 0.9}
        door.comes(ANNA, NEAR, NEAR, 0.6)
        assert door.grants == ["anna"]
        assert door.reasons == ["granted"]

    def test_who_is_doubted_twice_is_refused_and_waits(self):
        door = Approach()
        door.eye.alive = {0: 0.45}
        door.comes(ANNA, NEAR, NEAR, 1.3)
        assert door.reasons == ["pad_no_response"]
        tries = door.eye.calls
        door.comes(ANNA, NEAR, NEAR, 1.5)
        assert door.eye.calls == tries

    def test_what_is_far_under_the_line_is_refused_at_once(self):
        door = Approach()
        door.comes(PHONE, NEAR, NEAR, 0.8)
        assert door.reasons == ["presentation_attack"]

    def test_two_phones_in_turn_get_two_tries_a_visit_until_the_pause(self):
        world = scene({1: 0.45})
        world.visit.resident_id = "anna"
        tries = []
        for turn in range(20):
            world.visit.track_id = 1 + turn % 2
            for _ in range(45):
                world.visit.show(PHONE, 1)
                verdict = world.visit.assess()
                if verdict is not None:
                    tries.append(verdict.reason)
                    world.check.reset(world.visit.track_id)
            world.visit.away(4)
        before_the_pause = tries.index(Reason.LOCKOUT_MAX_ATTEMPTS)
        assert before_the_pause <= 5 * 3
        assert world.eye.calls <= 20 * 3 * 5


def test_a_narrow_pass_from_afar_waits_until_the_face_is_near():
    world = scene({0: 0.6})
    said = set()
    for _ in range(90):
        world.visit.show(ANNA, 1, width=AFAR)
        verdict = world.visit.assess()
        said |= set() if verdict is None else {verdict.passed, verdict.reason}
    assert said == {False, Reason.PAD_NO_RESPONSE}
    world.eye.alive = {0: 0.9}
    world.visit.show(ANNA, ENOUGH + 15, width=NEAR)
    assert world.visit.assess().passed


def test_a_clear_face_passes_from_afar():
    world = scene()
    world.visit.show(ANNA, CLEARLY, width=AFAR)
    assert world.visit.assess().passed


class TestANarrowPass:
    """Opens nothing by itself, however near: the face is judged for longer, and then more is asked for."""

    def said(self, world, frames: int, width: float = NEAR) -> list[Liveness]:
        told = []
        for _ in range(frames):
            world.visit.show(ANNA, 1, width=width)
            told.append(world.visit.assess())
        return [one for one in told if one is not None]

    def test_is_not_enough_and_no_accusation(self):
        said = self.said(scene({0: 0.6}), 45)
        assert {one.reason for one in said} == {Reason.SECOND_FACTOR_REQUIRED}

    def test_is_judged_on_for_a_while_first(self):
        world = scene({0: 0.6})
        assert self.said(world, 22) == []
        world.eye.alive = {0: 0.95}
        assert self.said(world, 15)[-1].passed

    def test_asks_for_nothing_where_a_step_nearer_may_be_enough(self):
        assert self.said(scene({0: 0.6}), 30, width=SURE_FACE_PX - 5) == []

    def test_who_looks_alive_on_average_and_not_on_every_frame_is_asked_and_does_not_wait_for_ever(self):
        world, said = scene(), []
        for number in range(60):
            world.eye.alive = {0: 0.45 if number % 6 < 2 else 0.95}
            said += self.said(world, 1)
        assert {one.reason for one in said} == {Reason.SECOND_FACTOR_REQUIRED}

    def test_who_does_so_from_afar_is_told_to_come_nearer_instead(self):
        world, said = scene(), []
        for number in range(60):
            world.eye.alive = {0: 0.45 if number % 6 < 2 else 0.95}
            said += self.said(world, 1, width=SURE_FACE_PX - 5)
        assert {one.reason for one in said} == {Reason.PAD_NO_RESPONSE}


def test_who_is_asked_for_more_after_an_early_doubt_is_not_accused_when_they_leave():
    door = Approach()
    door.eye.alive = {0: 0.6}
    door.comes(ANNA, AFAR, AFAR, 0.8)
    door.comes(ANNA, AFAR, NEAR, 0.8)
    door.comes(ANNA, NEAR, NEAR, 3)
    door.show(2)
    assert door.reasons == ["second_factor_required"]


class TestWhoIsOutOfSightForAMoment:
    """A queue: somebody nearer hides the next one, who was doubted from afar, and their track breaks."""

    @pytest.mark.parametrize("hidden", [0.75, 0.9])
    def test_has_not_left_and_is_not_accused(self, hidden):
        door = Approach()
        door.comes(ANNA, AFAR, AFAR, 0.8)
        door.show(hidden)
        door.comes(ANNA, NEAR, NEAR, 1.5)
        assert door.reasons == ["granted"]

    def test_is_told_of_when_they_are_doubted_again(self):
        door = Approach()
        door.comes(PHONE, AFAR, AFAR, 0.8)
        door.show(0.8)
        door.comes(PHONE, NEAR, NEAR, 3)
        door.show(3)
        assert door.grants == []
        assert door.reasons == ["presentation_attack"]

    def test_is_told_of_when_somebody_else_comes_instead(self):
        door = Approach()
        door.comes(PHONE, AFAR, AFAR, 0.8)
        door.show(0.8)
        door.comes(MALLORY, NEAR, NEAR, 2)
        assert sorted(door.reasons) == ["pad_no_response", "unknown_credential"]


class Crowd(Approach):
    """A door that knows two residents, one of whom may take the other's place on one track."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene([ANNA, PHONE, MALLORY, BELA])
        self.eye.alive[3] = 0.95
        check = PassiveCheck([self.eye], self.scene, demands=TRUSTED)
        known = Residents({"anna": axis(0), "bela": axis(3)})
        self.pipeline = type(self.pipeline)(self.scene, self.scene, known, check)


class TestATrackThatGoesOnWithAnotherFace:
    """Faces in a queue take each other's place: a doubt belongs to the face, not to the track."""

    def test_leaves_nobody_accused_who_comes_nearer_on_another_track(self):
        door = Crowd()
        door.comes(ANNA, AFAR, AFAR, 0.8)
        door.show(0.4, (BELA, 292))  # where a track just goes on, in doubt
        door.comes(ANNA, NEAR, NEAR, 3)
        assert not {"presentation_attack", "pad_no_response"} & set(door.reasons)
        assert door.grants == ["anna"]

    def test_does_not_hide_an_attack_behind_who_is_let_in_there(self):
        door = Crowd()
        door.comes(PHONE, AFAR, AFAR, 0.8)
        door.comes(BELA, AFAR, NEAR, 0.8)
        door.comes(BELA, NEAR, NEAR, 2)
        assert sorted(door.reasons) == ["granted", "pad_no_response"]
        assert door.grants == ["bela"]


class TestWhoWasOnlyDoubtedBehindSomebody:
    """Half a face behind a nearer head looks like a picture: it is told, and accuses nobody."""

    def stands_behind(self, door: Approach, seconds: float) -> None:
        for _ in range(round(seconds * door.scene.fps)):
            shake = door.seq % 3
            placed = ((PHONE, 420.0 + shake, 150.0, AFAR), (MALLORY, 250.0 + shake, 150.0, NEAR))
            door.pipeline_takes(door.scene.frame(door.seq, *placed))

    def test_is_told_as_not_judged_when_they_leave(self):
        door = Approach()
        self.stands_behind(door, 1.2)
        door.show(2.5)
        assert sorted(door.reasons) == ["pad_no_response", "unknown_credential"]

    def test_is_an_attack_where_a_look_without_the_nearer_head_says_so_too(self):
        door = Approach()
        self.stands_behind(door, 1.2)
        door.comes(PHONE, NEAR, NEAR, 4)
        door.show(2.5)
        assert door.grants == []
        assert sorted(door.reasons) == ["presentation_attack", "unknown_credential"]
