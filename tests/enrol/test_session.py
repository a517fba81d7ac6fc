"""Guided enrolment: what a person in front of the door's camera is told, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from edge.camera.file import VideoFile
from edge.domain import Liveness, Reason
from edge.enrol.guidance import Guidance, Refusal
from edge.enrol.poses import Plan, Pose
from edge.enrol.session import EnrolmentOutcome, GuidedSession
from edge.enrol.verdict import EnrolmentReport, Objection, measured, objection_to
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models
from edge.words import names
from tests.fakes.scene import Actor, Residents, Scene, axis, leaning
from tests.places import need_models, shared_data
from tests.present import present

ANNA = Actor(0, axis(0))
OTHER = Actor(1, axis(1))
SIDE = 0.18  # the nose's offset, in eye distances, of a head turned by 18 degrees
NOBODY_ELSE = Residents({})


class Booth:
    """Somebody in front of the camera who does what he is told, unless told not to."""

    def __init__(self, gallery=NOBODY_ELSE, liveness=None, plan=None, actors=(ANNA, OTHER)):
        self.scene = Scene(list(actors))
        self.session = GuidedSession("anna", (self.scene, self.scene), gallery, liveness, plan)
        self.seen = []
        self.seq = 0

    def show(self, *placed):
        progress = self.session.observe(self.scene.frame(self.seq, *placed))
        self.seq += 1
        self.seen.append(progress)
        return progress

    def obey(self, frames=900, width=120):
        turned = 0.0
        for _ in range(frames):
            progress = self.show((Actor(0, axis(0), turned), 260, 150, width))
            if progress.is_over:
                return progress
            turned = {Pose.LEFT: SIDE, Pose.RIGHT: -SIDE}.get(progress.wanted, 0.0)
            ANNA.turned = turned
        return progress

    @property
    def outcome(self) -> EnrolmentOutcome:
        return present(self.session.outcome)

    @property
    def objection(self) -> Objection:
        return present(self.outcome.objection)

    @property
    def report(self) -> EnrolmentReport:
        return present(self.outcome.report)

    @property
    def told(self):
        return {progress.guidance for progress in self.seen}


@pytest.fixture(autouse=True)
def _straight():
    yield
    ANNA.turned = OTHER.turned = 0.0


def test_who_follows_the_guidance_is_enrolled_in_under_a_minute():
    booth = Booth()

    last = booth.obey()

    outcome = booth.outcome
    assert last.is_over
    assert outcome.objection is None
    assert booth.seq / booth.scene.fps < 60
    assert {Guidance.TURN_LEFT, Guidance.TURN_RIGHT, Guidance.CHIN_UP} <= booth.told
    assert all(np.linalg.norm(row) == pytest.approx(1, abs=1e-5) for row in outcome.rows)
    assert booth.report.similarities
    assert booth.report.miss_rate < 0.01


def test_progress_only_grows_and_ends_at_one():
    booth = Booth()

    booth.obey()

    shares = [progress.share for progress in booth.seen]
    assert all(before <= after for before, after in pairwise(shares))
    assert shares[-1] == 1.0


def test_a_stiff_neck_is_enrolled_all_the_same():
    booth = Booth()
    for _ in range(900):
        if booth.show((ANNA, 260, 150, 120)).is_over:
            break

    assert booth.outcome.objection is None
    assert booth.seq / booth.scene.fps < 60


def test_held_out_shots_are_not_among_the_templates():
    booth = Booth()
    booth.obey()

    outcome = booth.outcome
    taken = len(outcome.rows) - 1 + len(booth.report.similarities)
    assert len(booth.report.similarities) >= 3
    assert len(booth.scene.embedded) == 2 * (len(outcome.rows) - 1) + len(booth.report.similarities)
    assert taken >= Plan().front_shots


@pytest.mark.parametrize(
    ("placed", "guidance"),
    [
        ([], Guidance.NOBODY),
        ([(ANNA, 300, 200, 40)], Guidance.COME_CLOSER),
        ([(ANNA, 160, 150, 120), (OTHER, 380, 150, 120)], Guidance.ONE_PERSON),
        ([(Actor(0, axis(0), turned=0.6), 260, 150, 120)], Guidance.TURN_LESS),
    ],
)
def test_what_is_in_the_way_is_said(placed, guidance):
    booth = Booth(actors=[actor for actor, *_ in placed] or (ANNA,))

    assert booth.show(*placed).guidance is guidance


def test_nobody_in_time_is_refused_with_the_commonest_reason():
    booth = Booth()
    for _ in range(15 * 51):
        booth.show((ANNA, 300, 200, 40))

    objection = booth.objection
    assert objection.refusal is Refusal.TIMED_OUT
    assert not objection.is_overridable
    assert "Come closer" in objection.message.said()
    assert "靠近" in objection.message.said("zh")
    assert not booth.outcome.rows


def test_another_person_stepping_in_ends_the_session():
    booth = Booth()
    for _ in range(20):
        booth.show((ANNA, 260, 150, 120))
    for _ in range(60):
        booth.show((OTHER, 260, 150, 120))

    assert Guidance.SAME_PERSON in booth.told
    assert booth.objection.refusal is Refusal.NOT_ONE_PERSON


def test_a_look_alike_is_refused_by_name_and_an_installer_may_override():
    booth = Booth(Residents({"flat-1203": leaning(0, 0.8)}))
    booth.obey()

    objection = booth.objection
    assert objection.refusal is Refusal.LOOK_ALIKE
    assert objection.is_overridable
    assert "flat-1203" in objection.message.said()
    assert booth.outcome.rows


def test_who_is_enrolled_again_resembles_himself():
    booth = Booth(Residents({"anna": axis(0), "flat-7": axis(1)}))
    booth.obey()

    assert booth.outcome.objection is None


def test_shots_the_door_would_not_know_again_are_refused():
    rows = [axis(0)]
    report = measured(rows, [leaning(0, 0.52), leaning(0, 0.45)], threshold=0.5)

    objection = objection_to(NOBODY_ELSE, "anna", rows, report)
    assert report.miss_rate > 0.4
    assert objection is not None
    assert objection.refusal is Refusal.TOO_WEAK
    assert "%" in objection.message.said()


def test_a_rate_that_is_not_a_number_is_an_objection():
    report = replace(measured([axis(0)], [axis(0)], 0.5), miss_rate=float("nan"))

    assert present(objection_to(NOBODY_ELSE, "anna", [axis(0)], report)).refusal is Refusal.TOO_WEAK


class Watch:
    """A liveness check with a fixed opinion, given after some frames."""

    def __init__(self, verdict, after=10):
        self.verdict, self.after, self.frames, self.resets = verdict, after, 0, 0

    def observe(self, frame, face, track_id, alone):
        self.frames += 1

    def assess(self, track_id):
        return self.verdict if self.frames >= self.after else None

    def reset(self, track_id):
        self.frames, self.resets = 0, self.resets + 1


def test_a_picture_of_a_person_is_never_enrolled():
    booth = Booth(liveness=Watch(Liveness(passed=False, score=0.1)))
    booth.obey()

    objection = booth.objection
    assert objection.refusal is Refusal.NOT_LIVE
    assert not objection.is_overridable
    assert not booth.outcome.rows


def test_liveness_asks_nobody_to_come_closer_than_recognition_does():
    booth = Booth(liveness=Watch(Liveness(passed=True, score=0.9)))
    booth.obey(width=80)
    assert booth.outcome.objection is None


def test_liveness_that_never_answers_refuses():
    booth = Booth(liveness=Watch(None))
    booth.obey()

    assert booth.objection.refusal is Refusal.LIVENESS_UNCLEAR
    assert Guidance.WAIT in booth.told


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        (Reason.PRESENTATION_ATTACK, Refusal.NOT_LIVE),
        (Reason.PAD_NO_RESPONSE, Refusal.LIVENESS_UNCLEAR),
        (Reason.PAD_UNAVAILABLE, Refusal.LIVENESS_UNAVAILABLE),
        (None, Refusal.NOT_LIVE),
    ],
)
def test_who_could_not_be_judged_is_not_accused_but_not_enrolled_either(reason, refusal):
    booth = Booth(liveness=Watch(Liveness(passed=False, score=None, reason=reason)))
    booth.obey()

    assert booth.objection.refusal is refusal
    assert not booth.objection.is_overridable
    assert not booth.outcome.rows


def test_liveness_begins_anew_when_the_person_leaves():
    watch = Watch(Liveness(passed=True, score=1.0))
    booth = Booth(liveness=watch)
    booth.show((ANNA, 260, 150, 120))
    booth.show()

    assert watch.resets == 1


def test_every_code_has_words():
    assert set(names("guidance.")) == set(Guidance)
    assert set(names("refusal.")) == set(Refusal)


@pytest.mark.models
@pytest.mark.shared
def test_real_people_are_enrolled_within_a_minute_and_not_taken_for_others():
    need_models()
    path, stranger = shared_data("video", "zub_live.mov"), shared_data("video", "lp_d9.mp4")
    models = open_models()

    def enrolled(path, gallery):
        matcher = build_matcher(models, ErrorRate(), gallery)
        session = GuidedSession("new", (models.detector, models.embedder), matcher)
        for frame in looped(path):
            if session.observe(frame).is_over:
                return present(session.outcome), frame.time
        raise AssertionError("the session did not end")

    outcome, seconds = enrolled(path, {})
    assert outcome.objection is None
    assert seconds < 60
    report = present(outcome.report)
    assert report.lowest > report.threshold
    assert enrolled(stranger, {"first": list(outcome.rows)})[0].objection is None
    again, _ = enrolled(path, {"first": list(outcome.rows)})
    assert present(again.objection).refusal is Refusal.LOOK_ALIKE


def looped(path, every=5):
    """The clip over and over, a few frames a second, time going on."""
    offset, seq = 0.0, 0
    while offset < 60:
        clip, last = VideoFile(path), 0.0
        while (frame := clip.read()) is not None:
            last = frame.time
            if frame.seq % every == 0:
                yield replace(frame, seq=(seq := seq + 1), time=offset + frame.time)
        clip.close()
        offset += last + 0.04
