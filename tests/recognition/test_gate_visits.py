"""Coming and going at the gate: what a visit costs, and when it is over."""

from __future__ import annotations

from edge.domain import Box, Decision, Face, Frame, Image, Liveness, Reason, Verdict
from edge.recognition.pipeline import Pipeline
from tests.fakes.scene import Actor, Residents, Scene, axis

ANNA = Actor(0, axis(0))
BELA = Actor(1, axis(1))
STRANGER = Actor(2, axis(5))


class Gate:
    """A camera, two residents, and everything that was said."""

    def __init__(self, scene: Scene | None = None, liveness=None):
        self.scene = scene or Scene([ANNA, BELA, STRANGER])
        self.gallery = Residents({"anna": axis(0), "bela": axis(1)})
        self.pipeline = Pipeline(self.scene, self.scene, self.gallery, liveness)
        self.decisions: list[Decision] = []
        self.seq = 0

    def show(self, seconds: float, *placed: tuple[Actor, float]) -> list[Decision]:
        """Show these people at these places for so long, swaying as people do."""
        said = []
        for _ in range(round(seconds * self.scene.fps)):
            sway = 4 * (self.seq % 5)
            frame = self.scene.frame(self.seq, *[(who, x + sway, 150, 100) for who, x in placed])
            said += self.observe(frame)
        return said

    def wait(self, seconds: float) -> None:
        """Let time pass in which the camera brings nothing."""
        self.seq += round(seconds * self.scene.fps)

    def observe(self, frame: Frame) -> list[Decision]:
        self.seq += 1
        said = self.pipeline.observe(frame)
        self.decisions += said
        return said

    def opened_for(self) -> list[str | None]:
        return [d.resident_id for d in self.decisions if d.verdict is Verdict.GRANT]

    def refusals(self) -> list[Reason]:
        return [d.reason for d in self.decisions if d.verdict is Verdict.DENY]


class Says:
    """A liveness check that says the same until it is told otherwise."""

    def __init__(self, answer: Liveness | None):
        self.answer = answer

    def observe(self, frame, face, track_id, alone):
        pass

    def is_ready(self, track_id, resident_id=None):
        return self.assess(track_id, resident_id) is not None

    def assess(self, track_id, resident_id=None):
        return self.answer

    def opinion(self, track_id):
        return None

    def confirm(self, track_id, resident_id):
        pass

    def reset(self, track_id):
        pass


def grown_down(face: Face, image: Image) -> Face:
    """The face of somebody low in the picture: its box goes on where the picture ends."""
    box = face.box
    missing = 0.4 * box.height if box.bottom >= 0.95 * image.shape[0] else 0.0
    return Face(Box(box.left, box.top, box.right, box.bottom + missing), face.landmarks, face.score)


class TestTryingIsCounted:
    def test_who_ducks_in_and_out_of_view_stays_on_one_visit(self):
        """Ten minutes of 0.4 s in view and 0.73 s away: 529 visits of the tracker, one of the face."""
        gate = Gate()
        for _ in range(529):
            gate.show(0.4, (STRANGER, 250))
            gate.wait(11 / 15)
        assert sum(gate.gallery.shares) <= 1.0
        assert gate.refusals() == [Reason.COLLECTING, Reason.UNKNOWN_CREDENTIAL]

    def test_a_glimpse_that_was_compared_is_written_down_once(self):
        gate = Gate()
        gate.show(0.1, (STRANGER, 250))
        gate.show(2)
        assert gate.refusals() == [Reason.COLLECTING]

    def test_a_stack_of_faces_is_bounded_by_the_hour_and_told(self):
        gate = Gate()
        for n in range(1500):
            stranger = gate.scene.actors[2] = Actor(2, axis(2 + n % 13))
            gate.pipeline._recent._faces.clear()  # as if no two of them were alike
            gate.show(0.1, (stranger, 250))
            gate.wait(0.8)
        assert sum(gate.gallery.shares) <= 101
        assert [str(notice.kind) for notice in gate.pipeline.take_notices()] == ["access.budget"]
        gate.show(1.5)
        assert [d.resident_id for d in gate.show(2, (ANNA, 250))] == ["anna"], "a resident still comes in"

    def test_a_resident_costs_the_camera_nothing(self):
        gate = Gate()
        for _ in range(20):
            gate.show(2, (ANNA, 250))
            gate.show(6)
        assert gate.pipeline._budget.spent(gate.seq / 15) == 0.0
        assert gate.opened_for() == ["anna"] * 20


class TestOneOpeningAVisit:
    def test_a_turned_back_or_a_step_aside_is_no_new_visit(self):
        gate = Gate()
        for away in (1, 2.5, 4, 2.5, 4):
            gate.show(8, (ANNA, 250))
            gate.show(away)
        assert gate.opened_for() == ["anna"]
        assert gate.refusals() == []

    def test_who_chats_is_let_in_once_whoever_joins(self):
        gate = Gate()
        gate.show(3, (ANNA, 220))
        gate.show(15, (ANNA, 220), (BELA, 330))
        gate.show(8, (ANNA, 220))
        assert sorted(filter(None, gate.opened_for())) == ["anna", "bela"]

    def test_who_is_hidden_behind_somebody_they_talk_to_has_not_left(self):
        gate = Gate()
        gate.show(3, (ANNA, 250))
        gate.show(7, (STRANGER, 300))
        gate.show(3, (ANNA, 250))
        assert gate.opened_for() == ["anna"]

    def test_who_left_and_comes_back_after_others_stood_there_is_let_in_again(self):
        gate = Gate()
        gate.show(3, (ANNA, 250))
        gate.show(25, (STRANGER, 300))
        gate.show(1)
        gate.show(3, (ANNA, 250))
        assert gate.opened_for() == ["anna", "anna"]

    def test_a_picture_that_is_asked_for_more_keeps_no_resident_out(self):
        live = Says(Liveness(False, 0.9, Reason.SECOND_FACTOR_REQUIRED))
        gate = Gate(liveness=live)
        gate.show(20, (ANNA, 250))
        assert gate.refusals() == [Reason.SECOND_FACTOR_REQUIRED]
        gate.show(1)
        live.answer = Liveness(True, 0.9)
        gate.show(1, (ANNA, 250))
        assert gate.opened_for() == ["anna"]

    def test_who_left_and_comes_back_is_let_in_again(self):
        gate = Gate()
        gate.show(3, (ANNA, 250))
        gate.show(6)
        gate.show(3, (ANNA, 250))
        assert gate.opened_for() == ["anna", "anna"]

    def test_a_door_that_opened_and_closed_opens_again_for_who_still_stands_there(self):
        gate = Gate()
        gate.show(6, (ANNA, 250))
        gate.pipeline.note_closed(gate.seq / 15)
        assert gate.show(1, (ANNA, 250)) == []
        gate.show(4, (ANNA, 250))
        assert gate.opened_for() == ["anna", "anna"]

    def test_nobody_is_accused_whom_the_door_let_in_a_moment_ago(self):
        live = Says(Liveness(True, 0.9))
        gate = Gate(liveness=live)
        gate.show(2, (ANNA, 250))
        gate.show(2)
        live.answer = Liveness(False, 0.3, Reason.PRESENTATION_ATTACK)
        gate.show(5, (ANNA, 250))
        assert gate.opened_for() == ["anna"]
        assert gate.refusals() == []

    def test_a_photograph_held_up_after_a_resident_went_is_found_out(self):
        live = Says(Liveness(True, 0.9))
        gate = Gate(liveness=live)
        gate.show(2, (ANNA, 250))
        gate.show(2)
        live.answer = Liveness(False, 0.3, Reason.PRESENTATION_ATTACK)
        gate.show(60, (ANNA, 250))
        assert gate.opened_for() == ["anna"]
        assert gate.refusals() == [Reason.PRESENTATION_ATTACK]
        gate.show(6)
        live.answer = Liveness(True, 0.9)
        gate.show(2, (ANNA, 250))
        assert gate.opened_for() == ["anna", "anna"], "and it keeps nobody out"

    def test_who_takes_the_place_of_somebody_let_in_is_looked_at(self):
        gate = Gate()
        gate.show(4, (ANNA, 250))
        gate.show(20, (STRANGER, 250))
        assert gate.refusals() == [Reason.UNKNOWN_CREDENTIAL]
        gate.show(10, (BELA, 250))
        assert gate.opened_for() == ["anna", "bela"]


class CutOff(Scene):
    """A detector that guesses the chin below the picture's edge."""

    def detect(self, image: Image) -> list[Face]:
        return [grown_down(face, image) for face in super().detect(image)]


class TestHalfAFace:
    def cut_off(self, gate: Gate, top: float, seconds: float) -> None:
        for _ in range(round(seconds * gate.scene.fps)):
            gate.observe(gate.scene.frame(gate.seq, (STRANGER, 250 + 4 * (gate.seq % 5), top, 100)))

    def test_who_is_not_whole_in_the_picture_is_told_so_and_not_called_a_stranger(self):
        gate = Gate(CutOff([ANNA, BELA, STRANGER]))
        self.cut_off(gate, 340, 4)
        assert gate.refusals() == [Reason.LOW_QUALITY]

    def test_who_steps_into_the_picture_and_is_unknown_is_a_stranger(self):
        gate = Gate()
        self.cut_off(gate, 200, 4)
        assert gate.refusals() == [Reason.UNKNOWN_CREDENTIAL]


class TestCompany:
    def test_a_stranger_behind_a_resident_is_told_of_when_the_door_is_locked_again(self):
        gate = Gate()
        (grant,) = gate.show(1, (ANNA, 200))
        gate.pipeline.note_unlocked(grant.time, 5.0)
        gate.show(2, (ANNA, 200), (STRANGER, 450))
        gate.show(3, (STRANGER, 450))
        assert [(str(n.kind), n.data) for n in gate.pipeline.take_notices()] == [
            ("access.company", {"most_faces": 2, "let_in": 1})
        ]


class TestWhatHangsThere:
    def poster(self, gate: Gate, seconds: float, *placed: tuple[Actor, float]) -> list[Decision]:
        said = []
        for _ in range(round(seconds * gate.scene.fps)):
            sway = 4 * (gate.seq % 5)
            people = [(who, x + sway, 150, 100) for who, x in placed]
            said += gate.observe(gate.scene.frame(gate.seq, (STRANGER, 450, 100, 90), *people))
        return said

    def test_a_poster_is_one_event_and_one_alarm_and_costs_nothing_any_more(self):
        gate = Gate()
        self.poster(gate, 30)
        embedded, detected = len(gate.scene.embedded), gate.scene.detections
        self.poster(gate, 120)
        assert gate.refusals() == [Reason.UNKNOWN_CREDENTIAL]
        assert [str(notice.kind) for notice in gate.pipeline.take_notices()] == ["access.scenery"]
        assert len(gate.scene.embedded) == embedded
        assert gate.scene.detections - detected <= 122, "one glance a second, as at an empty place"

    def test_residents_beside_it_are_alone_and_let_in(self):
        gate = Gate()
        self.poster(gate, 30)
        said = self.poster(gate, 3, (ANNA, 250))
        assert [(d.resident_id, d.faces_in_view) for d in said] == [("anna", 1)]


class TestWhoWasHalfCovered:
    """A stranger stood before them when liveness doubted them."""

    def shown(self, *others: tuple[Actor, float, float, float]) -> int:
        """Show a resident for some seconds, doubted on one look of them; return the accusations so far."""
        for n in range(45):
            self.check.answer = self.refusal if n == 40 else None
            self.gate.observe(self.gate.scene.frame(self.gate.seq, (ANNA, 390 + n % 3, 150, 80), *others))
        return self.gate.refusals().count(Reason.PRESENTATION_ATTACK)

    def setup_method(self) -> None:
        self.refusal = Liveness(False, 0.2, Reason.PRESENTATION_ATTACK)
        self.check = Says(None)
        self.gate = Gate(liveness=self.check)

    def test_gets_a_first_look_without_it_before_they_are_accused(self):
        assert self.shown((STRANGER, 250, 140, 130)) == 0
        assert self.shown() == 0
        assert self.shown() == 1

    def test_is_told_of_when_they_leave_without_another(self):
        assert self.shown((STRANGER, 250, 140, 130)) == 0
        assert self.shown() == 0
        self.gate.show(3)
        assert self.gate.refusals().count(Reason.PRESENTATION_ATTACK) == 1

    def test_is_accused_at_once_where_nobody_stood_before_them(self):
        assert self.shown() == 1
