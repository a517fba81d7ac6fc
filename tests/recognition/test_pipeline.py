"""What the door concludes from what it sees, frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain import Decision, Flaw, Frame, Image, Landmarks, Liveness, Probe, Reason, Verdict
from edge.errors import FrameRefused
from edge.events import Kind
from edge.faces.quality import QualityLimits
from edge.recognition.pipeline import Pipeline
from tests.fakes.scene import START, Actor, Residents, Scene, axis, leaning, unit
from tests.present import present

ANNA = Actor(0, axis(0))
BELA = Actor(1, axis(1))
STRANGER = Actor(2, axis(5))


def residents(**kwargs: Any) -> Residents:
    return Residents({"anna": axis(0), "bela": axis(1)}, **kwargs)


def watch(scene: Scene, gallery: Residents, frames: list[Frame], liveness=None) -> list[Decision]:
    pipeline = Pipeline(scene, scene, gallery, liveness)
    return [decision for frame in frames for decision in pipeline.observe(frame)]


def standing(scene: Scene, actor: Actor, seconds: float, width: float = 90, left: float = 280) -> list[Frame]:
    return [scene.frame(n, (actor, left + n % 3, 150, width)) for n in range(int(seconds * scene.fps))]


def brief(decisions: list[Decision]) -> list[tuple[str, str, str | None]]:
    return [(str(d.verdict), str(d.reason), d.resident_id) for d in decisions]


class TestOnePerson:
    def test_a_resident_is_granted_on_the_first_clear_frame(self):
        scene = Scene([ANNA])

        decisions = watch(scene, residents(), standing(scene, ANNA, 3))

        assert brief(decisions) == [("grant", "granted", "anna")]
        assert decisions[0].frame_seq == 0
        assert decisions[0].similarity == pytest.approx(1.0)
        assert scene.embedded == [0]

    def test_a_stranger_is_told_once_and_stays_outside(self):
        scene = Scene([STRANGER])

        decisions = watch(scene, residents(), standing(scene, STRANGER, 20))

        assert brief(decisions) == [("deny", "unknown_credential", None)]
        assert decisions[0].detail["nearest"] in {"anna", "bela"}

    @pytest.mark.parametrize(("sigma", "reason"), [(0, "unknown_credential"), (6, "low_quality")])
    def test_nobody_is_called_a_stranger_by_a_blurred_face(self, sigma, reason):
        scene = Scene([STRANGER])
        frames = standing(scene, STRANGER, 3)
        if sigma:
            frames = [replace(one, image=cv2.GaussianBlur(one.image, (0, 0), sigma)) for one in frames]
        # A card has no skin: blurred it is left with 0.25, sharp it has 2.7.
        pipeline = Pipeline(scene, scene, residents(), limits=QualityLimits(clear_sharpness=0.5))

        decisions = [decision for frame in frames for decision in pipeline.observe(frame)]

        assert brief(decisions) == [("deny", reason, None)]

    @pytest.mark.parametrize(
        ("norm", "reason"), [(12.0, "unknown_credential"), (9.0, "low_quality"), (None, "unknown_credential")]
    )
    def test_nobody_is_called_a_stranger_in_whom_the_network_found_little(self, norm, reason):
        scene = Scene([STRANGER], feature_norm=norm, clear_norm=10.0)

        decisions = watch(scene, residents(), standing(scene, STRANGER, 3))

        assert brief(decisions) == [("deny", reason, None)]
        assert present(decisions[0].quality).feature_norm == norm

    def test_one_clear_look_is_enough_to_be_called_a_stranger(self):
        scene = Scene([STRANGER], feature_norm=9.0, clear_norm=10.0)
        pipeline = Pipeline(scene, scene, residents())
        frames, decisions = standing(scene, STRANGER, 3), []
        for frame in frames:
            scene.feature_norm = 12.0 if len(scene.embedded) == 1 else 9.0
            decisions += pipeline.observe(frame)

        assert brief(decisions) == [("deny", "unknown_credential", None)]

    def test_a_faint_picture_of_a_resident_lets_them_in(self):
        """How much was found in a face never weighs for or against a match, only what is told of a miss."""
        scene = Scene([ANNA], feature_norm=9.0, clear_norm=10.0)

        assert brief(watch(scene, residents(), standing(scene, ANNA, 3))) == [("grant", "granted", "anna")]

    @pytest.mark.parametrize(("width", "flaw"), [(90, Flaw.TOO_FAR), (140, Flaw.BLURRED)])
    def test_who_is_seen_faintly_is_told_what_helps(self, width, flaw):
        scene = Scene([STRANGER], feature_norm=9.0, clear_norm=10.0)
        pipeline = Pipeline(scene, scene, residents())
        told = set()
        for frame in standing(scene, STRANGER, 1, width=width):
            pipeline.observe(frame)
            told.add(pipeline.hindrance)

        assert told == {flaw, None}

    def test_nobody_is_called_a_stranger_from_behind_anothers_head(self):
        scene = Scene([ANNA, STRANGER])
        frames = [
            scene.frame(n, (STRANGER, 390 + n % 3, 150, 80), (ANNA, 250 + n % 3, 140, 130)) for n in range(45)
        ]

        decisions = watch(scene, residents(), frames)

        assert sorted(brief(decisions)) == [("deny", "low_quality", None), ("grant", "granted", "anna")]

    def test_looks_at_a_stranger_become_ever_rarer(self):
        scene = Scene([STRANGER])

        watch(scene, residents(), standing(scene, STRANGER, 60))

        assert len(scene.embedded) <= 16

    def test_a_passer_by_is_never_embedded(self):
        """Too small means too far: nobody is compared without having come to the door."""
        scene = Scene([ANNA])
        frames = [scene.frame(n, (ANNA, 20 + 5 * n, 200, 40)) for n in range(100)]

        assert watch(scene, residents(), frames) == []
        assert scene.embedded == []

    def test_somebody_looking_away_is_never_embedded_and_told_after_a_while(self):
        away = Actor(0, axis(0), turned=0.6)
        scene = Scene([away])

        decisions = watch(scene, residents(), standing(scene, away, 4))

        assert brief(decisions) == [("deny", "not_facing", None)]
        assert scene.embedded == []

    def test_somebody_in_the_dark_is_never_embedded_and_told_after_a_while(self):
        scene = Scene([ANNA])
        pipeline = Pipeline(scene, scene, residents(), None, QualityLimits(min_brightness=250.0))

        decisions = [d for frame in standing(scene, ANNA, 4) for d in pipeline.observe(frame)]

        assert brief(decisions) == [("deny", "low_quality", None)]
        assert scene.embedded == []

    def test_weak_shots_add_up(self):
        """Each look alone is under the threshold; their mean over changing pictures is not."""
        shots = [unit(0.46 * axis(0) + 0.60 * axis(8) + 0.654 * axis(9 + n)) for n in range(4)]
        actor = Actor(0, shots[0])
        scene = Scene([actor])
        pipeline = Pipeline(scene, scene, residents(threshold=0.54))
        decisions = []
        for frame in standing(scene, actor, 3):
            actor.embedding = shots[len(scene.embedded) % 4]
            decisions += pipeline.observe(frame)

        assert [d.verdict for d in decisions] == [Verdict.GRANT]
        assert decisions[0].shots == 3

    def test_all_looks_at_a_stranger_share_one_error_rate(self):
        scene = Scene([STRANGER])
        gallery = residents()

        watch(scene, gallery, standing(scene, STRANGER, 60))

        assert len(gallery.shares) == len(scene.embedded)
        assert sum(gallery.shares) <= 1.0

    def test_too_close_to_call_is_ambiguous_not_a_grant(self):
        twin = Actor(0, leaning(0, 0.72, other=1))
        scene = Scene([twin])

        decisions = watch(scene, residents(margin=0.1), standing(scene, twin, 4))

        assert brief(decisions) == [("deny", "ambiguous_match", None)]

    def test_one_opening_per_visit(self):
        scene = Scene([ANNA])
        frames = standing(scene, ANNA, 10)
        blind = [scene.frame(frame.seq) if 60 <= frame.seq < 75 else frame for frame in frames]

        decisions = watch(scene, residents(), blind)

        assert brief(decisions) == [("grant", "granted", "anna")]

    def test_coming_back_is_a_new_visit(self):
        scene = Scene([ANNA])
        frames = [
            frame if frame.seq < 30 or frame.seq >= 120 else scene.frame(frame.seq)
            for frame in standing(scene, ANNA, 10)
        ]

        decisions = watch(scene, residents(), frames)

        assert [d.resident_id for d in decisions] == ["anna", "anna"]

    def test_an_empty_gallery_grants_nobody(self):
        scene = Scene([ANNA])

        decisions = watch(scene, Residents({}), standing(scene, ANNA, 3))

        assert brief(decisions) == [("deny", "unknown_credential", None)]


class TestSeveralPeople:
    def test_everybody_is_decided_for_himself(self):
        scene = Scene([ANNA, BELA, STRANGER])
        frames = [
            scene.frame(n, (ANNA, 60, 100, 80), (STRANGER, 270, 110, 90), (BELA, 480, 100, 70))
            for n in range(60)
        ]

        decisions = watch(scene, residents(), frames)

        assert sorted(brief(decisions)) == [
            ("deny", "unknown_credential", None),
            ("grant", "granted", "anna"),
            ("grant", "granted", "bela"),
        ]
        assert {d.faces_in_view for d in decisions} == {3}

    def test_the_name_does_not_jump_to_the_neighbour(self):
        """The resident steps back behind a stranger who takes over her place in the picture."""
        scene = Scene([ANNA, STRANGER])
        frames = [
            scene.frame(n, (ANNA, 280, 150, 90)) if n < 20 else scene.frame(n, (STRANGER, 283, 152, 90))
            for n in range(120)
        ]

        decisions = watch(scene, residents(), frames)

        assert [d.resident_id for d in decisions if d.verdict is Verdict.GRANT] == ["anna"]

    def test_a_stranger_cannot_finish_a_residents_evidence(self):
        """Shots of two people are never averaged: the second face starts anew."""
        half = Actor(0, leaning(0, 0.45, other=8))
        other = Actor(1, leaning(0, 0.30, other=9))
        scene = Scene([half, other])
        gallery = Residents({"anna": axis(0)}, threshold=0.5)
        frames = [scene.frame(n, ((half, other)[n // 2 % 2], 280, 150, 90)) for n in range(90)]

        decisions = watch(scene, gallery, frames)

        assert not [d for d in decisions if d.verdict is Verdict.GRANT]

    def test_a_resident_behind_a_granted_one_still_gets_in(self):
        """One opening per visit silences a person, not a place in the picture."""
        scene = Scene([ANNA, BELA])
        frames = [
            scene.frame(n, (ANNA, 280, 150, 90)) if n < 20 else scene.frame(n, (BELA, 420, 150, 90))
            for n in range(60)
        ]

        decisions = watch(scene, residents(), frames)

        assert [d.resident_id for d in decisions] == ["anna", "bela"]

    def test_work_per_frame_is_bounded_however_many_faces(self):
        people = [Actor(n, axis(n)) for n in range(6)]
        scene = Scene(people)
        pipeline = Pipeline(scene, scene, residents())
        for n in range(40):
            before = scene.detections, len(scene.embedded)
            pipeline.observe(
                scene.frame(n, *[(p, 8 + 104 * i, 150 + 3 * (n % 2), 60) for i, p in enumerate(people)])
            )
            assert scene.detections - before[0] <= 2
            assert len(scene.embedded) - before[1] <= 1


class BlindTo(Scene):
    """An embedder whose network gives nothing usable for one of the faces."""

    def probe(self, image: Image, landmarks: Landmarks) -> Probe:
        probe = super().probe(image, landmarks)
        if np.array_equal(probe.embedding, STRANGER.embedding):
            raise FrameRefused("the network gave no usable embedding for this face: not finite or zero")
        return probe


class TestAFaceThatCannotBeEmbedded:
    def test_keeps_nobody_waiting(self):
        scene = BlindTo([STRANGER, ANNA])
        pipeline = Pipeline(scene, scene, residents())
        decisions: list[Decision] = []
        for n in range(30):
            people = [(STRANGER, 40 + n % 3, 150, 120)] + ([(ANNA, 400 + n % 3, 150, 90)] if n > 5 else [])
            decisions += pipeline.observe(scene.frame(n, *people))
        assert brief(decisions)[0] == ("grant", "granted", "anna")
        assert decisions[0].frame_seq < 12

    def test_is_told_to_staff_once_and_to_who_stays_there(self):
        scene = BlindTo([STRANGER])
        pipeline = Pipeline(scene, scene, residents())
        decisions = [d for frame in standing(scene, STRANGER, 5) for d in pipeline.observe(frame)]
        assert brief(decisions) == [("deny", "low_quality", None)]
        (draft,) = pipeline.take_notices()
        assert draft.kind == Kind.HEALTH_FRAME
        assert "no usable embedding" in draft.data["error"]


class TestEveryFrame:
    def test_a_grant_comes_with_the_frame_that_was_embedded(self):
        """Never from a track: remove the face and nothing more can be granted."""
        scene = Scene([ANNA])
        pipeline = Pipeline(scene, scene, residents(threshold=2.0))
        decisions = [d for frame in standing(scene, ANNA, 1) for d in pipeline.observe(frame)]
        embedded = len(scene.embedded)
        for n in range(15, 60):
            decisions += pipeline.observe(scene.frame(n))
        assert not [d for d in decisions if d.verdict is Verdict.GRANT]
        assert len(scene.embedded) == embedded

    def test_a_still_empty_scene_costs_almost_nothing(self):
        scene = Scene([ANNA])

        watch(scene, residents(), [scene.frame(n) for n in range(150)])

        assert scene.detections <= 12

    def test_the_same_recording_gives_the_same_decisions(self):
        def run() -> list[Decision]:
            scene = Scene([ANNA, STRANGER])
            frames = [
                scene.frame(n, (ANNA, 40 + 2 * n, 150, 60 + n), (STRANGER, 420, 120, 85)) for n in range(80)
            ]
            return watch(scene, residents(), frames)

        assert [repr(d) for d in run()] == [repr(d) for d in run()]

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 5), st.integers(-80, 700), st.integers(-80, 500), st.integers(2, 300)),
            max_size=6,
            unique_by=lambda card: card[0],
        ),
        st.integers(0, 2**32 - 1),
    )
    def test_no_arrangement_of_strangers_opens_or_breaks_it(self, placed, seed):
        strangers = [Actor(n, axis(6 + n)) for n in range(6)]
        scene = Scene(strangers)
        rng = np.random.default_rng(seed)
        frames = [
            scene.frame(n, *[(strangers[c], x + rng.integers(-9, 9), y, w) for c, x, y, w in placed])
            for n in range(12)
        ]

        decisions = watch(scene, residents(), frames)

        assert not [d for d in decisions if d.verdict is Verdict.GRANT]

    @pytest.mark.parametrize("shape", [(1, 1, 3), (2, 700, 3), (700, 2, 3), (31, 33, 3)])
    def test_odd_sizes_are_looked_at_without_harm(self, shape):
        scene = Scene([ANNA])
        image = np.full(shape, 90, np.uint8)

        decisions = watch(scene, residents(), [Frame(image, n, n / 15, START) for n in range(5)])

        assert decisions == []


class Scripted:
    """A liveness check that says what it is told, and remembers what it was shown."""

    def __init__(self, *answers: Liveness | None):
        self.answers = list(answers)
        self.seen: list[tuple[int, int]] = []
        self.resets: list[int] = []
        self.asked_for: list[str | None] = []

    def observe(self, frame, face, track_id, alone):
        self.seen.append((frame.seq, track_id))

    def is_ready(self, track_id, resident_id=None):
        return self.assess(track_id, resident_id) is not None

    def assess(self, track_id, resident_id=None):
        self.asked_for.append(resident_id)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def opinion(self, track_id):
        return None

    def confirm(self, track_id, resident_id):
        pass

    def reset(self, track_id):
        self.resets.append(track_id)


class TestLiveness:
    def test_no_grant_before_liveness_has_spoken(self):
        scene = Scene([ANNA])

        assert watch(scene, residents(), standing(scene, ANNA, 3), Scripted(None)) == []

    def test_while_liveness_is_awaited_the_face_is_not_embedded_again(self):
        scene = Scene([ANNA])

        watch(scene, residents(), standing(scene, ANNA, 3), Scripted(None))

        assert len(scene.embedded) == 1

    def test_a_live_resident_is_granted_on_a_fresh_embedding(self):
        scene = Scene([ANNA])
        answers = [None] * 8 + [Liveness(True, 0.9)]

        decisions = watch(scene, residents(), standing(scene, ANNA, 3), Scripted(*answers))

        assert brief(decisions) == [("grant", "granted", "anna")]
        assert decisions[0].frame_seq > 0
        assert len(scene.embedded) == 2
        assert decisions[0].liveness == Liveness(True, 0.9)

    def test_liveness_is_told_for_whom_it_is_asked(self):
        scene = Scene([ANNA, BELA])
        check = Scripted(None)
        frames = [scene.frame(n, (BELA, 280 + n % 3, 150, 90)) for n in range(15)]

        watch(scene, residents(), frames, check)

        assert set(check.asked_for) == {"bela"}

    def test_somebody_recognised_who_turns_far_to_the_side_is_still_watched(self):
        anna = Actor(0, axis(0))
        scene, check = Scene([anna]), Scripted(None)
        pipeline = Pipeline(scene, scene, residents(), check)

        for frame in standing(scene, anna, 2):
            anna.turned = 0.5 if frame.seq >= 15 else 0.0  # 42 degrees: beyond the intent gate
            pipeline.observe(frame)

        assert [seq for seq, _ in check.seen] == list(range(30))

    def test_a_passer_by_who_looks_away_is_not(self):
        scene, check = Scene([Actor(0, axis(0), turned=0.5)]), Scripted(None)

        watch(scene, residents(), standing(scene, scene.actors[0], 2), check)

        assert check.seen == []

    def test_an_attack_is_refused_with_its_reason_and_forgotten(self):
        scene = Scene([ANNA])
        check = Scripted(Liveness(False, 0.1, Reason.PRESENTATION_ATTACK))

        decisions = watch(scene, residents(), standing(scene, ANNA, 2), check)

        assert brief(decisions) == [("deny", "presentation_attack", None)]
        assert check.resets

    def test_a_face_that_may_be_another_resets_liveness(self):
        scene = Scene([ANNA, BELA])
        check = Scripted(None)
        frames = [
            scene.frame(n, (ANNA, 200, 150, 90)) if n < 10 else scene.frame(n, (BELA, 275, 150, 90))
            for n in range(30)
        ]

        watch(scene, residents(), frames, check)

        assert len(check.resets) >= 2
