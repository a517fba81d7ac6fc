"""The display at the gate: the newest thing wins, and nothing stays longer than it is true."""

import pytest

from edge.domain import Flaw, Reason
from edge.faces.liveness.prompts import Prompt
from edge.panel.gate_screen import DECIDED_SECONDS, WATCHED_SECONDS, GateScreen, Stage
from edge.runtime.clock import ManualClock

LOOK = Prompt(1, "look", 1, 3, 4.0)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def screen(clock):
    return GateScreen(clock, {"flat-1": "Li Wei"}.get)


def stage(screen: GateScreen) -> Stage:
    return screen.shown.stage


def test_a_grant_is_shown_for_some_seconds_and_then_nothing(screen, clock):
    screen.decided(True, Reason.GRANTED, "flat-1")
    granted = screen.shown
    clock.advance(DECIDED_SECONDS)

    assert (granted.stage, granted.name) == (Stage.GRANTED, "Li Wei")
    assert stage(screen) is Stage.IDLE


def test_nobody_is_named_who_does_not_wish_it_nor_when_refused(screen):
    screen.decided(True, Reason.GRANTED, "flat-2")
    assert screen.shown.name is None
    screen.decided(False, Reason.OUT_OF_TIME_RANGE, "flat-1")
    assert (screen.shown.stage, screen.shown.name) == (Stage.REFUSED, None)
    assert screen.shown.reason is Reason.OUT_OF_TIME_RANGE


def test_a_recognised_face_that_needs_its_pin_is_asked_for_it_as_long_as_the_door_waits(screen, clock):
    screen.decided(False, Reason.SECOND_FACTOR_REQUIRED, "flat-1")
    clock.advance(19)
    assert stage(screen) is Stage.PIN_WANTED
    clock.advance(1)
    assert stage(screen) is Stage.IDLE


def test_what_others_are_told_hides_that_for_a_moment_only(screen, clock):
    screen.decided(False, Reason.SECOND_FACTOR_REQUIRED, "flat-1")
    clock.advance(4)
    screen.refused_by_camera(Reason.UNKNOWN_CREDENTIAL)
    assert stage(screen) is Stage.REFUSED
    before = screen.shown.seq
    clock.advance(DECIDED_SECONDS)
    assert stage(screen) is Stage.PIN_WANTED
    assert screen.shown.seq == screen.shown.seq > before
    clock.advance(20 - 4 - DECIDED_SECONDS)
    assert stage(screen) is Stage.IDLE


def test_a_wrong_pin_leaves_time_for_another_and_the_right_one_ends_it(screen, clock):
    screen.decided(False, Reason.SECOND_FACTOR_REQUIRED, "flat-1")
    screen.decided(False, Reason.INCORRECT_AUTHENTICATION_FACTOR)
    clock.advance(DECIDED_SECONDS)
    assert stage(screen) is Stage.PIN_WANTED
    screen.decided(True, Reason.GRANTED, "flat-1")
    clock.advance(DECIDED_SECONDS)
    assert stage(screen) is Stage.IDLE


def test_a_prompt_stays_until_it_is_cleared_and_clearing_leaves_a_decision_alone(screen):
    screen.prompt(LOOK)
    assert screen.shown.prompt == LOOK
    screen.decided(False, Reason.CHALLENGE_FAILED)
    screen.prompt(None)
    assert stage(screen) is Stage.REFUSED
    screen.prompt(LOOK)
    screen.prompt(None)
    assert stage(screen) is Stage.IDLE


def test_a_prompt_that_nobody_clears_goes_by_itself(screen, clock):
    screen.prompt(LOOK)
    clock.advance(60)
    assert stage(screen) is Stage.IDLE


@pytest.mark.parametrize("busy", [lambda s: s.prompt(LOOK), lambda s: s.decided(True, Reason.GRANTED)])
def test_guidance_never_covers_anything_else(screen, busy):
    busy(screen)
    before = screen.shown
    screen.guide(Flaw.TOO_FAR)
    assert screen.shown == before


def test_guidance_goes_when_nobody_is_in_view(screen, clock):
    screen.guide(Flaw.TOO_FAR)
    assert screen.shown.flaw is Flaw.TOO_FAR
    clock.advance(2)
    screen.guide(None)
    assert stage(screen) is Stage.IDLE


def test_the_same_thing_told_again_is_no_news_to_speak(screen, clock):
    screen.guide(Flaw.TOO_FAR)
    first = screen.shown.seq
    clock.advance(1)
    screen.guide(Flaw.TOO_FAR)
    assert screen.shown.seq == first
    screen.decided(False, Reason.UNKNOWN_CREDENTIAL)
    clock.advance(DECIDED_SECONDS)
    screen.decided(False, Reason.UNKNOWN_CREDENTIAL)
    assert screen.shown.seq == first + 2


def test_a_display_is_there_while_it_asks(screen, clock):
    assert not screen.is_watched
    screen.look()
    assert screen.is_watched
    clock.advance(WATCHED_SECONDS)
    assert not screen.is_watched


def test_the_bell_is_confirmed(screen):
    screen.rung()
    assert stage(screen) is Stage.RUNG


def test_while_faces_cannot_be_read_nobody_is_asked_to_look_at_the_camera(screen, clock):
    """A dead camera, missing models: card, PIN and bell are named, and what is decided is still shown."""
    before = screen.shown.seq
    screen.blinded(True)
    assert stage(screen) is Stage.BLIND
    assert screen.shown.seq > before  # spoken once
    screen.blinded(True)
    assert screen.shown.seq == before + 1
    screen.decided(True, Reason.GRANTED)
    assert stage(screen) is Stage.GRANTED
    clock.advance(DECIDED_SECONDS)
    assert stage(screen) is Stage.BLIND
    screen.blinded(False)
    assert stage(screen) is Stage.IDLE
