"""What was said, asked, spent and doubted belongs to a face: it is nobody else's, and it ends."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from edge.faces.liveness.active import TRIES, Asking
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.failures import PAUSE_SECONDS, Failures
from edge.faces.liveness.window import WINDOW_SECONDS
from edge.recognition.visits import MOST_ASKED
from tests.faces.liveness.asking import Depth
from tests.faces.liveness.nets import ALIVE, ANNA, MALLORY, PHONE, TRUSTED, Eye
from tests.faces.liveness.test_with_pipeline import BELA, Door
from tests.fakes.scene import Actor, Scene, axis

if TYPE_CHECKING:
    from edge.faces.liveness.failures import Pause
    from edge.faces.liveness.prompts import Prompt

pytestmark = pytest.mark.slow

NARROWLY, HALF_SEEN = 0.6, 0.35
AFAR, NEAR = 84.0, 140.0


class Street(Door):
    """A door that knows Anna and Bela, and people before it who move as the living do."""

    def __init__(self, asking: Asking | None = None, **alive: float) -> None:
        self.pauses: list[Pause] = []
        scene = Scene([ANNA, PHONE, MALLORY, BELA])
        self.living = Eye({**ALIVE, 3: 0.95, **{int(name[1:]): score for name, score in alive.items()}})
        failures = Failures(tell=self.pauses.append)
        check = PassiveCheck([self.living], scene, failures=failures, demands=TRUSTED)
        super().__init__(check, asking, actors=(ANNA, PHONE, MALLORY, BELA))
        self.residents.rows["bela"] = axis(3)

    def see(self, seconds: float, *placed: tuple[Actor, float], width: float = 130.0) -> None:
        for _ in range(round(seconds * self.scene.fps)):
            sway, nod = 0.06 * width * math.sin(self.seq / 3), 3 * math.sin(self.seq)
            for actor, _ in placed:
                actor.turned = 0.12 * math.sin(self.seq / 7)
            people = [(actor, left + sway, 150.0 + nod, width) for actor, left in placed]
            self.pipeline_takes(self.scene.frame(self.seq, *people))

    @property
    def now(self) -> float:
        return self.seq / self.scene.fps

    def picture_pauses_anna(self) -> None:
        """Hold Anna's picture up, here and there, until nobody may try to pass as her."""
        for left in range(100, 400, 40):
            if self.pauses:
                return
            self.see(1.2, (PHONE, left))
            self.see(3.2)


class TestAPauseThatSomebodyElseBroughtAbout:
    def test_ends_for_a_resident_who_waits_it_out(self):
        door = Street()
        door.picture_pauses_anna()
        before, over = len(door.decisions), door.pauses[0].time + door.pauses[0].seconds

        door.see(over - door.now + 2.5, (ANNA, 250))

        assert [str(one.reason) for one in door.decisions[before:]] == ["lockout_max_attempts", "granted"]
        assert door.decisions[-1].time - over < 2.0

    def test_makes_no_scenery_of_her(self):
        door = Street()
        door.picture_pauses_anna()
        door.see(45, (ANNA, 250))
        assert [str(notice.kind) for notice in door.pipeline.take_notices()] == []

    @pytest.mark.parametrize("gap", [2.0, 20.0])
    def test_leaves_her_looks_as_strict_as_they_were(self, gap):
        """Each showing was a look that recognised her: that is no stranger's chance."""
        door = Street()
        for n in range(8):
            door.see(1.2, (PHONE, 100 + 40 * n))
            door.see(gap)
        door.see(40)
        door.residents.shares.clear()

        door.see(2, (ANNA, 250))

        assert door.grants == ["anna"]
        assert set(door.residents.shares) == {0.5}


def test_a_living_strangers_face_does_not_make_up_for_a_picture_held_up_before_it():
    """Whoever holds the picture up shows their own face in its place, time and again."""
    door = Street()
    for _ in range(8):
        door.see(1.2, (PHONE, 250))
        door.see(4.5, (MALLORY, 250))
        door.show(0.8)
    assert door.grants == []
    assert [one.kind for one in door.pauses][:1] == ["began"]


class TestWhoTakesAResidentsPlaceWithoutAGap:
    """They are refused by liveness, and nobody has looked whose face that is since it was Anna's."""

    @pytest.mark.parametrize("next_one", [MALLORY, BELA])
    @pytest.mark.parametrize("seconds", [0.2, 0.4, 0.8, 1.2])
    def test_is_no_failed_visit_of_hers(self, next_one, seconds):
        door = Street(_0=NARROWLY, _2=0.05, _3=0.05)
        for _ in range(7):
            door.see(seconds, (ANNA, 250))
            door.see(1.0, (next_one, 250))
            door.see(4.5)
        assert {one.resident_id for one in door.pauses} <= {"bela"}
        door.living.alive[0] = 0.95

        door.see(2.5, (ANNA, 250))

        assert door.grants == ["anna"]

    def test_is_one_of_the_residents_whose_picture_it_is(self):
        door = Street(_3=0.05)
        for _ in range(5):
            door.see(0.2, (ANNA, 250))
            door.see(2.0, (BELA, 250))
            door.see(4.5)
        assert [one.resident_id for one in door.pauses] == ["bela"]

    def test_is_one_of_hers_where_it_is_her_picture(self):
        door = Street()
        for _ in range(5):
            door.see(0.2, (MALLORY, 250))
            door.see(2.0, (PHONE, 250))
            door.see(4.5)
        assert [one.resident_id for one in door.pauses] == ["anna"]

    def test_is_counted_where_a_face_covers_her_picture_for_the_look(self):
        """Whoever hides the picture before each verdict gets none: neither a pass nor a failed visit."""
        for shown in (0.3, 0.4, 0.47, 0.53, 0.6, 0.8):
            door = Street()
            for _ in range(30):
                door.see(shown, (PHONE, 250))
                door.see(0.13, (MALLORY, 250))
            assert door.grants == [], shown


class TestWhatWasSaid:
    def test_is_said_again_to_who_comes_back_and_is_refused_again(self):
        door = Street(_0=0.1)
        for _ in range(2):
            door.see(2, (ANNA, 250))
            door.see(30)
        assert door.reasons == ["presentation_attack"] * 2

    def test_is_not_said_again_to_who_was_out_of_sight_for_a_moment(self):
        door = Street(_0=0.1)
        for _ in range(4):
            door.see(2, (ANNA, 250))
            door.see(0.8)
        assert door.reasons == ["presentation_attack"]

    def test_to_one_resident_is_not_kept_from_the_next_one_on_the_track(self):
        door = Street(_0=NARROWLY, _3=NARROWLY)
        door.see(3, (ANNA, 250))
        door.see(13, (BELA, 250))
        assert [one.resident_id for one in door.decisions] == ["anna", "bela"]
        assert set(door.reasons) == {"second_factor_required"}


class TestWhoWasAskedForAPin:
    def test_is_told_nothing_else_while_they_type(self):
        door = Street(_0=NARROWLY)
        door.see(18, (ANNA, 250))
        assert door.reasons == ["second_factor_required"]

    def test_is_asked_again_when_it_did_not_come_and_not_for_ever(self):
        door = Street(_0=NARROWLY)
        door.see(3, (ANNA, 250))
        for asked in range(1, MOST_ASKED + 2):
            assert len(door.decisions) == min(asked, MOST_ASKED)
            door.see(17, (ANNA, 250))
            door.pipeline.reconsider(door.decisions[-1], door.now - door.decisions[-1].time)
            door.see(5, (ANNA, 250))

    def test_is_not_let_in_twice_by_a_face_that_is_clear_meanwhile(self):
        door = Street(_0=NARROWLY)
        door.see(9, (ANNA, 250))
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.living.alive[0] = 0.95
        door.see(4, (ANNA, 250))
        assert door.grants == []

    def test_is_asked_for_no_more_movements(self):
        shown: list[Prompt | None] = []
        asking = Asking(lambda who, at: True, shown.append, Random(3), lambda image, box: Depth(0.05))
        door = Street(asking)
        door.see(2, (ANNA, 250))
        assert [one and one.name for one in shown][-1] == "look"
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(4, (ANNA, 250))
        assert shown[-1] is None
        assert door.reasons == []

    def test_is_not_accused_of_what_was_doubted_before_they_typed_it(self):
        door = Street(_0=HALF_SEEN)
        door.see(0.9, (ANNA, 250), width=AFAR)
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(3)
        assert door.reasons == []

    def test_but_a_pin_lets_nobody_in_whose_face_is_not_there(self):
        door = Street()
        door.see(1, (BELA, 250))
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(1)
        door.see(2, (ANNA, 250))
        assert door.grants == ["bela", "anna"]


class TestWhoIsRefusedNarrowly:
    def visits(self, alive: float, count: int) -> Street:
        door = Street(_0=alive)
        for _ in range(count):
            door.see(3, (ANNA, 250))
            door.see(4.5)
        return door

    def test_is_told_that_it_could_not_be_judged_and_is_not_let_in(self):
        door = self.visits(HALF_SEEN, 1)
        assert door.reasons == ["pad_no_response"]

    def test_is_accused_where_it_is_clear(self):
        assert self.visits(0.05, 1).reasons == ["presentation_attack"]

    def test_is_paused_after_as_many_visits_as_who_is_accused(self):
        doors = [self.visits(alive, 6) for alive in (HALF_SEEN, 0.05)]
        assert [[one.failures for one in door.pauses if one.kind == "began"] for door in doors] == [[5], [5]]
        assert [door.grants for door in doors] == [[], []]


class TestADoubt:
    def stranger_takes_over(self, door: Street) -> None:
        door.see(0.9, (PHONE, 250), width=AFAR)
        door.see(0.2, (MALLORY, 250), width=AFAR)

    def test_does_not_wait_on_a_track_that_goes_on_with_a_stranger(self):
        door = Street(_1=HALF_SEEN)
        self.stranger_takes_over(door)
        for n in range(15 * 2):
            people = (MALLORY, 250.0 + n % 3, 150.0, AFAR), (ANNA, 450.0 + n % 3, 150.0, NEAR)
            door.pipeline_takes(door.scene.frame(door.seq, *people))
        assert door.grants == ["anna"]
        door.see(12, (MALLORY, 250), width=AFAR)  # she has gone in
        door.see(3)
        assert not {"presentation_attack", "pad_no_response"} & set(door.reasons)

    def test_is_told_soon_where_its_face_went_and_did_not_come_back(self):
        door = Street(_1=HALF_SEEN)
        self.stranger_takes_over(door)
        door.see(5, (MALLORY, 250), width=AFAR)
        assert sorted(door.reasons) == ["pad_no_response", "unknown_credential"]

    def test_is_about_somebody_who_has_left_and_nobody_else_is_meant(self):
        door = Street(_1=HALF_SEEN)
        self.stranger_takes_over(door)
        door.see(5, (MALLORY, 250), width=AFAR)
        past = {str(one.reason): one.is_past for one in door.decisions}
        assert past == {"pad_no_response": True, "unknown_credential": False}

    def test_nor_is_anybody_meant_who_comes_after_one_who_left_undecided(self):
        door = Street()
        door.see(0.2, (ANNA, 100))
        door.see(1.5, (BELA, 400))
        past = {str(one.reason): one.is_past for one in door.decisions}
        assert past == {"collecting": True, "granted": False}


class TestTwoPeople:
    @pytest.mark.parametrize("fps", [8, 10, 12, 13, 15])
    def test_who_stands_behind_does_not_wait_for_somebody_nearer_who_stays_undecided(self, fps):
        door = Street(_0=NARROWLY)
        door.scene.fps = fps
        for n in range(2 * fps):
            people = (ANNA, 80.0 + n % 3, 150.0, 110.0), (BELA, 400.0 + n % 3, 150.0, 90.0)
            door.pipeline_takes(door.scene.frame(n, *people))
        assert door.grants == ["bela"]
        assert door.decisions[0].time < 1.2

    def queue(self, door: Street, seconds: float, first: Actor, second: Actor) -> None:
        """Have `first` stand there, and `second` close behind, a part of their box behind the other one's."""
        for _ in range(round(seconds * door.scene.fps)):
            sway = 3 * math.sin(door.seq / 3)
            people = (first, 225.0 + sway, 150.0, 150.0), (second, 345.0 - sway, 140.0, 105.0)
            door.pipeline_takes(door.scene.frame(door.seq, *people))

    def test_who_has_the_next_one_of_a_queue_behind_them_is_let_in(self):
        door = Street()
        self.queue(door, 1.5, ANNA, BELA)
        assert door.grants == ["anna"]

    @pytest.mark.parametrize("seconds", [0.13, 0.2, 0.4, 0.7, 1.1])
    def test_a_picture_before_a_living_face_opens_nothing_however_they_take_turns(self, seconds):
        door = Street()
        for _ in range(round(12 / seconds / 2)):
            self.queue(door, seconds, PHONE, MALLORY)
            self.queue(door, seconds, MALLORY, PHONE)
        assert door.grants == []

    @pytest.mark.parametrize("seconds", [0.13, 0.2, 0.4, 0.7, 1.1])
    def test_nor_does_it_in_the_name_of_a_resident_who_stands_behind_it(self, seconds):
        door = Street()
        for _ in range(round(12 / seconds / 2)):
            self.queue(door, seconds, PHONE, BELA)
            self.queue(door, seconds, BELA, PHONE)
        assert set(door.grants) <= {"bela"}


def test_a_display_asks_one_visitor_at_a_time():
    """Two who are asked at once would each see what the other is to do, and fail by it."""
    shown: list[Prompt | None] = []
    asking = Asking(lambda who, at: True, shown.append, Random(3), lambda image, box: Depth(0.05))
    door = Street(asking)
    door.see(3, (ANNA, 80), (BELA, 400))
    first = {one.track_id for one in shown if one}
    assert len(first) == 1
    door.see(20, (ANNA, 80), (BELA, 400))  # nobody answers
    in_turn = [one.track_id for one in shown if one]
    assert len(set(in_turn)) == 2
    assert sum(one != other for one, other in pairwise(in_turn)) == 1
    begun = next(n for n, one in enumerate(shown) if one and one.track_id == in_turn[-1])
    assert shown[begun + 1] is not None  # the end of the first one's leaves it there


def test_who_passes_narrowly_from_afar_is_asked_to_come_closer_on_the_display():
    shown: list[Prompt | None] = []
    asking = Asking(lambda who, at: False, shown.append, Random(3), lambda image, box: Depth(0.05))
    door = Street(asking, _0=NARROWLY)
    door.see(2, (ANNA, 250), width=100.0)
    assert [one and one.name for one in shown] == ["too_far"]
    door.living.alive[0] = 0.95
    door.see(1.5, (ANNA, 250))
    assert door.grants == ["anna"]
    assert shown[-1] is None


class TestAPictureThatStaysAfterAPin:
    """Anna types her PIN and goes in; her picture, refused before, is still held up."""

    def test_does_not_keep_her_present_for_ever(self):
        door = Street()
        door.see(3, (PHONE, 100))
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(45, (PHONE, 100))

        door.see(4, (PHONE, 100), (ANNA, 380))

        assert door.grants == ["anna"]

    def test_opens_nothing(self):
        door = Street()
        door.see(3, (PHONE, 100))
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(45, (PHONE, 100))
        door.pipeline.note_closed(door.now)
        door.see(45, (PHONE, 100))
        assert door.grants == []

    def test_while_her_own_living_face_opened_before_is_known_to_be_alive(self):
        door = Street()
        door.see(2, (ANNA, 250))
        door.pipeline.note_unlocked(door.now, 5.0, "anna")
        door.see(60, (ANNA, 250))
        door.show(0.5)
        door.see(4, (ANNA, 250))
        assert door.grants == ["anna"]


class TestAPictureThatTakesThePlaceOfWhoWasLetIn:
    """Anna is let in by her face and goes in; her picture goes on in her place, on her track."""

    def test_does_not_keep_her_out_when_she_comes_back(self):
        door = Street()
        door.see(2, (ANNA, 100))
        door.see(45, (PHONE, 100))

        door.see(3, (PHONE, 100), (ANNA, 380))

        assert door.grants == ["anna", "anna"]

    def test_is_exposed_by_her_living_face_beside_it(self):
        door = Street()
        door.see(2, (ANNA, 100))
        door.see(12, (PHONE, 100))

        door.see(3, (PHONE, 100), (ANNA, 380))

        assert door.grants == ["anna", "anna"]
        door.see(5, (PHONE, 100), (ANNA, 380))
        assert door.grants == ["anna", "anna"]

    def test_opens_nothing_however_long_it_is_there_and_comes_and_goes(self):
        door = Street()
        door.see(2, (ANNA, 100))
        for _ in range(6):
            door.see(20, (PHONE, 100))
            door.see(2)
        assert door.grants == ["anna"]


class TestWhoWasLetInAndStays:
    @pytest.mark.parametrize("alive", [0.95, NARROWLY, HALF_SEEN])
    def test_is_let_in_once_whatever_liveness_makes_of_them_short_of_a_clear_no(self, alive):
        door = Street()
        for _ in range(3):
            door.living.alive[0] = 0.95
            door.see(2, (ANNA, 250))
            door.living.alive[0] = alive
            door.see(50, (ANNA, 250))
            door.see(2)
        assert door.reasons == ["granted"]

    def test_is_let_in_once_though_liveness_refuses_them_now_and_then(self):
        door = Street()
        for _ in range(6):
            door.living.alive[0] = 0.95
            door.see(3, (ANNA, 250))
            door.living.alive[0] = 0.05
            door.see(16, (ANNA, 250))
            door.living.alive[0] = 0.95
            door.see(8, (ANNA, 250))
            door.see(1.5)
        assert door.reasons == ["granted"]
        assert door.pauses == []

    def test_is_neither_accused_nor_let_in_twice_where_liveness_goes_on_saying_no(self):
        door = Street()
        door.see(2, (ANNA, 250))
        door.living.alive[0] = 0.05
        door.see(60, (ANNA, 250))
        door.living.alive[0] = 0.95
        door.see(20, (ANNA, 250))
        door.see(2)
        door.see(3, (ANNA, 250))
        assert door.reasons == ["granted"]
        assert door.pauses == []

    @pytest.mark.parametrize("gap", [0.0, 0.2, 0.4])
    def test_is_no_picture_beside_themselves_where_the_track_breaks(self, gap):
        door = Street()
        door.see(2, (ANNA, 100))
        door.living.alive[0] = 0.05
        door.see(12, (ANNA, 100))
        door.living.alive[0] = 0.95
        door.show(gap)
        door.see(4, (ANNA, 400))
        assert door.reasons == ["granted"]

    @pytest.mark.parametrize("alive", [0.05, HALF_SEEN])
    def test_is_no_screen_when_liveness_refuses_them_for_a_moment_after_the_door_fell_shut(self, alive):
        """They wait for somebody outside for a minute; the door falls shut, with sunglasses on at first."""
        door = Street()
        door.see(60, (ANNA, 250))
        door.living.alive[0] = alive
        door.pipeline.note_closed(door.now)
        door.see(6, (ANNA, 250))
        door.living.alive[0] = 0.95
        door.see(10, (ANNA, 250))
        assert door.grants == ["anna", "anna"]

    def test_costs_no_look_by_liveness_while_somebody_else_waits_for_one(self):
        door = Street(_3=NARROWLY)
        door.see(9.5, (ANNA, 100))
        before = door.living.calls
        door.see(1.2, (ANNA, 100), (BELA, 400))
        assert before > 0
        assert door.living.calls - before <= 18


@pytest.mark.parametrize("next_one", [None, BELA])
def test_who_missed_the_opening_is_offered_it_again_on_another_track(next_one):
    """The lock failed; meanwhile Anna's track broke, or went on with somebody else."""
    door = Street()
    door.see(2, (ANNA, 100))
    granted = door.decisions[-1]
    for _ in range(30):
        people = [(ANNA, 400.0, 150.0, 130.0), *([(next_one, 100.0, 150.0, 130.0)] if next_one else [])]
        door.pipeline_takes(door.scene.frame(door.seq, *people))
    before = len(door.grants)

    door.pipeline.reconsider(granted, door.now - granted.time)
    door.see(3, (ANNA, 400), *([(next_one, 100.0)] if next_one else []))

    assert door.grants[before:].count("anna") == 1


def test_who_steps_back_in_the_middle_of_the_movements_keeps_nobody_waiting():
    shown: list[Prompt | None] = []
    asking = Asking(lambda who, at: True, shown.append, Random(3), lambda image, box: Depth(0.05))
    door = Street(asking)
    door.see(2, (ANNA, 100))
    first = shown[-1]
    assert first is not None
    for n in range(8 * 15):
        sway, width = 3.0 * math.sin(door.seq / 3), max(130.0 - 3 * n, 34.0)
        far, near = (ANNA, 100 + sway / 3, 150.0, width), (BELA, 380 + sway, 150.0, 130.0)
        door.pipeline_takes(door.scene.frame(door.seq, far, near))
    assert {one.track_id for one in shown if one} - {first.track_id}, "Bela is asked"


class TestWhoIsRefusedClearlyAndStandsStill:
    """Somebody whom the networks get wrong is taken for a screen after half a minute in one place."""

    def refused(self) -> Street:
        door = Street(_0=0.05)
        door.see(45, (ANNA, 250))
        assert [str(notice.kind) for notice in door.pipeline.take_notices()] == ["access.scenery"]
        assert door.grants == []
        return door

    def test_is_let_in_after_one_step_aside(self):
        door = self.refused()
        door.living.alive[0] = 0.95
        stepped = door.now

        door.see(3, (ANNA, 250 + 0.6 * 130))

        assert door.grants == ["anna"]
        assert door.decisions[-1].time - stepped < 0.7 + WINDOW_SECONDS  # they were in doubt a moment ago

    def test_is_let_in_after_one_step_towards_the_door(self):
        door = self.refused()
        door.living.alive[0] = 0.95

        door.see(3, (ANNA, 250), width=130 * 1.35)

        assert door.grants == ["anna"]

    def test_and_a_screen_that_is_moved_time_and_again_is_paused(self):
        """What lets a living person try again lets a screen try again: no more often than any other."""
        door = self.refused()
        for n in range(8):
            door.see(40, (PHONE, 100 + 60 * (n % 5)))
        assert door.grants == []
        assert door.pauses[0].failures == 5


def test_a_narrow_pass_of_who_took_her_place_costs_a_resident_a_second_and_a_half():
    """Nobody had looked yet whose face it is, so that the doubt is noted against her."""
    door = Street(_3=NARROWLY)
    for _ in range(6):
        door.see(0.2, (ANNA, 250))
        door.see(0.9, (BELA, 250))
        door.see(4.5)
    assert door.pauses == []
    before, come = len(door.decisions), door.now

    door.see(4, (ANNA, 250))

    assert [str(one.reason) for one in door.decisions[before:]] == ["granted"]
    assert door.decisions[-1].time - come < 0.7 + WINDOW_SECONDS


class TestMovementsThatSomebodyElseFails:
    """They are a failed try of the resident in whose name they were asked for."""

    def asked(self) -> tuple[Street, list[Prompt | None]]:
        shown: list[Prompt | None] = []
        asking = Asking(
            lambda who, at: who == "anna", shown.append, Random(3), lambda image, box: Depth(0.05)
        )
        return Street(asking), shown

    def test_keep_her_waiting_for_half_a_minute_at_most(self):
        door, shown = self.asked()
        for _ in range(2):
            door.see(2, (ANNA, 250))
            door.see(4, (MALLORY, 250))
            door.see(2)
        before = len(shown)

        door.see(PAUSE_SECONDS + 2, (ANNA, 250))

        assert [one.name for one in shown[before:] if one][:1] == ["look"]

    def test_give_a_picture_that_is_hidden_behind_a_face_no_tries_without_end(self):
        """Whoever holds it up covers it whenever the steps are not those of their recording."""
        door, shown = self.asked()
        door.living.alive[1] = 0.95  # a picture that the networks take for alive
        while door.now < PAUSE_SECONDS:
            door.see(1.5, (PHONE, 250))
            door.see(1.0, (MALLORY, 250))
        asked = [one for one in shown if one and one.name == "look" and one.number == 1]
        assert 1 <= len(asked) <= TRIES
        assert door.grants == []

    def test_keep_her_neighbour_waiting_no_longer(self):
        door, _ = self.asked()
        for _ in range(2):
            door.see(2, (ANNA, 250))
            door.see(4, (MALLORY, 250))
            door.see(2)
        come = door.now

        door.see(2, (BELA, 250))

        assert door.grants == ["bela"]
        assert door.decisions[-1].time - come < 1.0
