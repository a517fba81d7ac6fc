"""What the door tells its panel and display, and what these may do at the door."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from edge.config.panel import PanelSection
from edge.consent.notice import GREETING_NOTICE
from edge.consent.rules import GREETING, Statement, consent_from
from edge.controller import DoorOutcome, EntryOutcome
from edge.domain import Authorisation, Decision, EventDraft, Liveness, Reason, Resident, Verdict
from edge.errors import LockError, PanelRefused, StoreError
from edge.events import KINDS, Kind
from edge.panel.gate_screen import GateScreen, Stage
from edge.policy.desk import CredentialAnswer
from edge.policy.modes import Mode
from edge.runtime.clock import ManualClock
from edge.service.own_folder import OwnFolder, require_no_door
from edge.service.panel.side import DisplayKeys, PanelSide, broker_state, greeting_name
from edge.words import Message, message
from tests.present import present

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.service.panel.side import PanelTies

AT = datetime(2026, 1, 5, tzinfo=UTC)


class Door:
    """As much of a running door as the panel touches."""

    def __init__(self):
        self.mode = Mode.NORMAL
        self.unlocked: list[float] = []
        self.recorded: list[EventDraft] = []
        self.typed: list[tuple[str, str]] = []
        self.clock = ManualClock()
        self.access = SimpleNamespace(type_pin=lambda number, pin: self.typed.append((number, pin)))
        policy = SimpleNamespace(modes=SimpleNamespace(mode=lambda _at: self.mode))
        self.rules = SimpleNamespace(policy=policy)
        self.events = SimpleNamespace(record=self.recorded.append)
        self.hardware = SimpleNamespace(door=SimpleNamespace(unlock=self.unlocked.append))
        self.settings = SimpleNamespace(lock=SimpleNamespace(unlock_seconds=5.0))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def screen(clock):
    return GateScreen(clock)


@pytest.fixture
def door():
    return Door()


@pytest.fixture
def side(clock, screen):
    return PanelSide(PanelSection.model_validate({"enabled": True}), screen, clock)


def decision(verdict, reason, resident_id=None):
    return DoorOutcome(Decision(verdict, reason, 1, 2, 3.0, AT, 1, resident_id), None)


def event(kind, **data):
    return EventDraft(kind, AT, 0.0, data=data)


def test_what_the_camera_decided_is_shown(side, screen):
    side.decided(decision(Verdict.GRANT, Reason.GRANTED, "anna"))
    assert screen.shown.stage is Stage.GRANTED
    side.decided(decision(Verdict.DENY, Reason.NOT_FACING))
    assert screen.shown.reason is Reason.NOT_FACING
    side.decided(decision(Verdict.WAIT, Reason.COLLECTING))
    assert screen.shown.reason is Reason.NOT_FACING


@pytest.mark.parametrize(
    ("reason", "cues", "helps"),
    [
        (Reason.PAD_NO_RESPONSE, {"frames_too_far": 30.0, "frames_turned": 2.0}, "too_far"),
        (Reason.PAD_NO_RESPONSE, {"frames_not_alone": 9.0, "frames_too_far": 1.0}, "not_alone"),
        (Reason.PAD_NO_RESPONSE, {"bad_light": 1.0, "faceplugin": 0.2}, "bad_light"),
        (Reason.PAD_NO_RESPONSE, {"monochrome": 1.0}, None),
        (Reason.PRESENTATION_ATTACK, {"bad_light": 0.0, "faceplugin": 0.2}, None),
    ],
)
def test_who_could_not_be_judged_is_told_what_helps(side, screen, reason, cues, helps):
    unjudged = Decision(Verdict.DENY, reason, 1, 2, 3.0, AT, 1, liveness=Liveness(False, None, reason, cues))
    side.decided(DoorOutcome(unjudged, None))
    shown = screen.shown
    assert (shown.stage, shown.reason, shown.by_face) == (Stage.REFUSED, reason, True)
    assert (shown.prompt and shown.prompt.name) == helps


def test_whoever_comes_next_is_not_told_that_another_ones_pin_never_came(side, screen):
    reason = Reason.AUTHENTICATION_FACTOR_TIMEOUT
    rights = Authorisation(allowed=False, reason=reason, unlock_seconds=0.0, rule=Message("rule.remote"))
    side.answered(CredentialAnswer(rights, event(Kind.ACCESS_DENIED)), EntryOutcome(None, reason))
    assert screen.shown.stage is Stage.IDLE


def test_whoever_comes_next_is_not_told_what_was_decided_of_who_has_left(side, screen):
    left = Decision(Verdict.DENY, Reason.COLLECTING, 1, 2, 3.0, AT, 1, is_past=True)
    side.decided(DoorOutcome(left, None))
    assert screen.shown.stage is Stage.IDLE


def test_a_pin_under_threat_looks_like_any_other(side, screen):
    rights = Authorisation(
        allowed=True, reason=Reason.GRANTED, unlock_seconds=5.0, rule=Message("rule.remote")
    )
    shown = []
    for silent in (None, event(Kind.ALARM_DURESS)):
        answer = CredentialAnswer(rights, event(Kind.ACCESS_GRANTED), silent)
        side.answered(answer, EntryOutcome(None, Reason.GRANTED, 5.0))
        shown.append((screen.shown.stage, screen.shown.name, screen.shown.reason))
    assert shown[0] == shown[1]


def test_the_display_reaches_the_door_as_keypad_and_bell_do(door):
    keys = DisplayKeys(door)
    keys.type_pin("1203", "4711")
    keys.ring()
    keys.ring("1203")

    assert door.typed == [("1203", "4711")]
    assert [(one.kind, one.data) for one in door.recorded] == [
        ("door.bell", {"at": "screen"}),
        ("door.bell", {"at": "screen", "flat": "1203"}),
    ]


def test_the_bell_is_confirmed_whoever_rang(side, screen):
    side.heard(event(Kind.DOOR_BELL))
    assert screen.shown.stage is Stage.RUNG


def test_the_panel_says_what_is_wrong_with_the_camera(side):
    lost = message("camera.no_frame", name="rtsp://cam", seconds="5.0")
    side.heard(event(Kind.HEALTH_CAMERA, state="lost", **lost.recorded("detail")))
    assert side.feed.problem == lost
    side.heard(event(Kind.HEALTH_CAMERA, state="lost", detail="as another version tells it"))
    assert str(side.feed.problem) == "the camera is lost"
    side.heard(event(Kind.HEALTH_CAMERA, state="black"))
    assert str(side.feed.problem) == "the camera is black"
    side.heard(event(Kind.HEALTH_CAMERA, state="back"))
    assert side.feed.problem is None


def test_the_door_test_opens_for_the_usual_time_but_not_a_door_that_is_locked_down(side, door):
    side._pulse(door)
    assert door.unlocked == [5.0]
    door.mode = Mode.LOCKED_DOWN
    with pytest.raises(PanelRefused, match="locked down"):
        side._pulse(door)
    assert door.unlocked == [5.0]


def test_a_lock_that_does_not_answer_is_said_on_the_page(side, door):
    def dead(_seconds):
        raise LockError("the relay guard does not answer")

    door.hardware.door.unlock = dead
    with pytest.raises(LockError, match="relay guard"):
        side._pulse(door)


def test_only_who_agreed_to_it_is_welcomed_by_name():
    statement = Statement("anna", agrees=True, notice=GREETING_NOTICE, purpose=GREETING)
    wish, door = consent_from(statement, "ines", AT), consent_from(Statement("otto", agrees=True), "ines", AT)
    consents = {one.id: one for one in (wish, door)}
    people = {who: Resident(who, who.title()) for who in ("anna", "otto")}
    find: Callable[[str], Resident | None] = people.get

    assert greeting_name(consents, find, "anna") == "Anna"
    assert greeting_name(consents, find, "otto") is None
    assert greeting_name(consents, lambda _who: None, "anna") is None


def test_a_folder_is_the_running_doors_until_it_stops(tmp_path, caplog):
    require_no_door(tmp_path, "stop it")
    mark = OwnFolder(tmp_path)
    with pytest.raises(StoreError, match="a door is running here; stop it"):
        require_no_door(tmp_path, "stop it")
    second = OwnFolder(tmp_path)
    assert (mark.is_marked, second.is_marked) == (True, False)
    assert "another door runs on this folder" in caplog.text
    second.close()
    mark.close()

    require_no_door(tmp_path, "stop it")


@pytest.mark.parametrize("kind", Kind)
def test_the_display_is_told_of_what_the_table_says_and_of_nothing_else(side, screen, kind):
    """Above all of no silent alarm: a robber may stand beside the resident."""
    side.heard(event(kind))
    assert (screen.shown.stage is not Stage.IDLE) == KINDS[kind].for_display


def test_a_welcome_is_taken_back_when_the_lock_did_not_move(side, screen):
    side.decided(decision(Verdict.GRANT, Reason.GRANTED, "anna"))
    side.heard(event(Kind.LOCK_UNLOCK_FAILED, seconds=5.0))
    assert (screen.shown.stage, screen.shown.reason) == (Stage.REFUSED, Reason.LOCK_UNAVAILABLE)


@pytest.mark.parametrize("confirmed", [None, "2026-01-05T12:00:00+00:00"])
def test_the_page_knows_when_the_property_was_last_heard(door, confirmed):
    """It said "not yet" of every door, also below "connected"."""
    told = {"outbox": {"problem": None, "waiting": 0}, "roster": {"confirmed": confirmed}}
    door.settings = SimpleNamespace(mqtt=SimpleNamespace(host="hub", port=8883))
    ties = SimpleNamespace(door=door, property=SimpleNamespace(link=lambda: told))
    found = present(broker_state(cast("PanelTies", ties)))
    assert found.is_connected
    assert found.last_contact == (None if confirmed is None else AT.replace(hour=12))
