"""The scenes at a gate, with people drawn as cards: what is composed, played and judged."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.bench.gate.cast import make_actor, split
from edge.bench.gate.compose import Layer, Scene, hangs, stands, swings, visits, walks_up
from edge.bench.gate.people import load_cast
from edge.bench.gate.report import line, plot, table, totals
from edge.bench.gate.run import judge, play_all, run
from edge.bench.gate.scenes import Cast, Play, plays
from edge.domain import Decision, Reason, Verdict
from edge.errors import FacegateError
from edge.replay.door import Recognition
from edge.replay.gallery import load_folders
from edge.service.recognition.recogniser import Models
from tests.fakes import scene as fakes

ANNA, BELA, CARL, STRANGER = (fakes.Actor(n, fakes.axis(n)) for n in range(4))
NAMES = {"anna": ANNA, "bela": BELA, "carl": CARL}


@pytest.fixture(scope="module")
def world() -> fakes.Scene:
    return fakes.Scene([ANNA, BELA, CARL, STRANGER])


@pytest.fixture(scope="module")
def cast(world: fakes.Scene) -> Cast:
    def drawn(name: str, who: fakes.Actor):
        frame = world.frame(0, (who, 260, 160, 120)).image
        return make_actor(name, [frame, frame], 15.0, world)

    return Cast([drawn(name, who) for name, who in NAMES.items()], [drawn("stranger", STRANGER)])


def door(world: fakes.Scene) -> Recognition:
    gallery = fakes.Residents({name: who.embedding for name, who in NAMES.items()})
    return Recognition(world, world, gallery)


def test_a_face_is_drawn_where_the_path_wants_it_and_as_large(world, cast):
    scene = Scene(1, [Layer(cast.residents[0], stands(300, 200, 100))], noise=0)
    for frame in list(scene.frames())[::5]:
        (face,) = (one for one in world.detect(frame.image) if one.box.width > 50)
        wanted = stands(300, 200, 100)(frame.time)
        assert wanted is not None
        assert face.box.centre == pytest.approx(wanted[:2], abs=4)
        assert face.box.width == pytest.approx(wanted[2], abs=5)


def test_a_scene_is_the_same_every_time(cast):
    scene = Scene(1, [Layer(cast.residents[0], walks_up(1, 150, 60))], light=swings(3, 0.2))
    once, again = ([frame.image for frame in scene.frames()] for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))


def test_who_hangs_on_the_wall_and_who_comes_from_the_side_are_seen(world, cast):
    hung = hangs(cast.residents[1], 80, 500, 150)
    scene = Scene(3, [Layer(cast.residents[0], visits(250, 200, 120, 1, 2))], hung)
    frames = list(scene.frames())
    assert len(world.detect(frames[0].image)) == 1
    assert len(world.detect(frames[22].image)) == 2


def test_a_recording_enrols_from_its_beginning_and_acts_from_the_rest():
    frames = [np.full((4, 4, 3), n, np.uint8) for n in range(20)]
    enrolled, acting = split(frames)
    assert len(enrolled) == 7
    assert [int(one[0, 0, 0]) for one in (*enrolled, *acting)] == list(range(20))
    assert split(frames[:1]) == (frames[:1], frames[:1])


def test_of_two_photographs_one_enrols_and_the_other_acts(world, tmp_path):
    """Nobody is recognised by the picture that they were enrolled from."""
    taken = [world.frame(0, (who, 200, 120, 200)).image for who in (ANNA, BELA, CARL)]
    for name, shown in (("anna", taken[:2]), ("carl", taken[2:])):
        (tmp_path / name).mkdir()
        for number, image in enumerate(shown):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), image)

    cast, rows = load_cast(tmp_path, None, None, Models(world, world, None), print)  # type: ignore[arg-type]

    assert [float(rows[name][0] @ who.embedding) for name, who in (("anna", ANNA), ("carl", CARL))] == [
        pytest.approx(1.0, abs=1e-3)
    ] * 2
    assert [one.name for one in cast.residents] == ["anna", "carl"]
    assert np.array_equal(cast.residents[0].frames[0], taken[1])
    assert np.array_equal(cast.residents[1].frames[0], taken[2])


def test_a_recording_without_a_face_is_refused_by_name(world):
    with pytest.raises(FacegateError, match="nobody"):
        make_actor("nobody", [np.zeros((90, 90, 3), np.uint8)], 15.0, world)


def said(
    verdict: Verdict, reason: Reason, time: float, who: str | None = None, nearest: str = "anna"
) -> Decision:
    resident = who if verdict is Verdict.GRANT else None
    at = fakes.START
    return Decision(verdict, reason, 1, 0, time, at, 1, resident_id=resident, detail={"nearest": "anna"})


LET_IN = (Verdict.GRANT, Reason.GRANTED)
EMPTY = Scene(1, [])


def test_a_scene_that_went_well_has_no_fault():
    result = judge(Play("x", EMPTY, {"anna": 1.0}), [said(*LET_IN, 1.5, "anna")], [], 1.0)
    assert result.is_right
    assert result.waits == {"anna": 0.5}


@pytest.mark.parametrize(
    ("decisions", "fault"),
    [
        ([], "let in 0 of 1"),
        ([said(*LET_IN, 4.0, "anna")], "waited 3.0 s"),
        ([said(*LET_IN, 1.2, "anna"), said(*LET_IN, 9.0, "anna")], "opened 1 times more"),
        ([said(*LET_IN, 1.2, "anna"), said(*LET_IN, 1.3, "bela")], "not there: bela"),
        (
            [said(Verdict.DENY, Reason.PRESENTATION_ATTACK, 1.1), said(*LET_IN, 1.2, "anna")],
            "accused 1 times",
        ),
        (
            [said(Verdict.DENY, Reason.LOCKOUT_MAX_ATTEMPTS, 1.1), said(*LET_IN, 1.2, "anna")],
            "paused 1 times",
        ),
    ],
)
def test_what_went_wrong_is_named(decisions, fault):
    result = judge(Play("x", EMPTY, {"anna": 1.0}), decisions, [], 1.0)
    assert fault in "; ".join(result.faults)


def test_refusing_a_picture_is_no_accusation():
    play = Play("x", EMPTY, {"bela": 0.0}, pictured=frozenset({"anna"}))
    refused = said(Verdict.DENY, Reason.PRESENTATION_ATTACK, 0.5)
    assert judge(play, [refused, said(*LET_IN, 0.6, "bela")], [], 1.0).is_right


def test_the_whole_suite_in_its_short_form(world, cast):
    """Drawn people have no liveness, and are known by a colour that must not be half covered."""
    apart = ("walks up", "turns the back", "leaves and comes", "residents, ")
    chosen = [play for play in plays(cast, is_short=True) if any(word in play.name for word in apart)]
    results = play_all(chosen, lambda: door(world), lambda result: None)
    assert {result.name: result.faults for result in results if result.faults} == {}
    found = totals(results)
    assert found["let_in"] == found["within"] == found["expected"] == 6
    assert (found["twice"], found["wrong"], found["accused"], found["paused"]) == (0, 0, 0, 0)


def test_a_strangers_poster_is_one_event_and_one_alarm(world, cast):
    scene = Scene(30, [], hangs(cast.strangers[0], 100, 480, 200))
    decisions, notices, _ = run(Play("poster", scene), door(world))
    assert [str(one.reason) for one in decisions] == ["unknown_credential"]
    assert notices == ["access.scenery"]


def test_nobody_else_is_enrolled_without_a_gallery():
    """`facegate bench gate` asks for others only where somebody names a folder."""
    found = load_folders([], "m", lambda: pytest.fail("nothing is to be embedded"), None)
    assert (found.residents, found.refused) == ({}, [])


def test_the_report_tells_every_scene():
    good = judge(Play("good & <fine>", EMPTY, {"anna": 0.0}), [said(*LET_IN, 0.5, "anna")], [], 1.0)
    bad = judge(Play("bad", EMPTY, {"anna": 0.0}), [], [], 1.0)
    assert "| good & <fine> | 1 of 1 | 0.5 | 1.0 |" in table([good, bad])
    assert line(bad).startswith("BAD bad: nobody let in; missed anna")
    assert "good &amp; &lt;fine&gt;" in plot([good, bad])
    assert json.loads(json.dumps(totals([good, bad])))["right"] == 1


def test_cards_are_seen_through_the_composer(world, cast):
    """The drawn world must survive warping: else the tests above prove nothing."""
    image = next(Scene(1, [Layer(cast.residents[0], stands(320, 230, 150))]).frames()).image
    assert cv2.countNonZero(cv2.inRange(image, (150, 20, 20), (250, 110, 110))) > 10_000


def test_who_wants_in_looks_at_the_camera_when_they_come(world):
    """Of a recording that looks away most of the time the moment that does not is found."""
    away, towards = fakes.Actor(0, fakes.axis(0), turned=0.6), ANNA
    shown = [away] * 30 + [towards] * 8 + [away] * 30
    frames = [world.frame(n, (one, 260, 160, 120)).image for n, one in enumerate(shown)]

    class Seen:
        """The detector, which cannot see how a card is turned, told which frame it looks at."""

        def detect(self, image):
            number = next(n for n, one in enumerate(frames) if one is image)
            return [
                replace(face, landmarks=shown[number].landmarks(face.box)) for face in world.detect(image)
            ]

    who = make_actor("anna", frames, 15.0, Seen())
    assert 30 <= round(who.facing * 15) < 38
    assert who.facing_at(40.0).frame(40.0) is frames[round(who.facing * 15)]


def test_whoever_moves_in_the_recording_is_not_cut_off(world):
    """The cut-out follows the face: half a face looks turned away."""
    frames = [world.frame(n, (ANNA, 100 + 6 * n, 160, 120)).image for n in range(60)]
    who = make_actor("anna", frames, 15.0, world)
    widths = []
    for frame in Scene(4, [Layer(who, stands(320, 230, 60))], noise=0).frames():
        widths += [face.box.width for face in world.detect(frame.image) if face.box.width > 20]
    assert min(widths) > 50


def test_a_screen_hangs_as_a_camera_saw_it(cast):
    shown = make_actor_named(cast, "bela")
    names = [play.name for play in plays(Cast(cast.residents, cast.strangers, [shown]))]
    assert "beside a screen, 100 px, with bela" in names
    assert "a screen with bela comes nearer" in names
    assert not any("screen" in play.name for play in plays(cast))


def make_actor_named(cast: Cast, name: str):
    return next(one for one in cast.residents if one.name == name)
