"""The simulator: every key, and every state of the door reached by keys alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.relay.door import Alarm, DoorSettings, DoorStatus, LockStatus, Phase, Secured
from edge.relay.simulator import HELP, SimulatedAnswer, Simulator
from edge.runtime.clock import ManualClock


class Bench:
    """A simulator on a clock that moves a second per key; a space only lets the second pass."""

    def __init__(self, **options: object) -> None:
        self.clock = ManualClock()
        self.simulator = Simulator(self.clock, DoorSettings(), self.keypad, **options)  # type: ignore[arg-type]

    def keypad(self, typed: str) -> SimulatedAnswer:
        if typed == "1203*480516":
            return SimulatedAnswer("keypad: granted", 5.0)
        return SimulatedAnswer("keypad: refused")

    def __call__(self, keys: str) -> Bench:
        for key in keys:
            assert key == " " or self.simulator.press(key)
            self.clock.advance(1.0)
            self.simulator.tick()
        return self

    @property
    def state(self):
        return self.simulator.page().state

    @property
    def events(self) -> str:
        return "\n".join(self.simulator.page().events)


@pytest.mark.parametrize(
    ("keys", "phase"),
    [
        ("c", Phase.UNREAD),
        ("", Phase.SHUT),
        ("g", Phase.RELEASED),
        ("x", Phase.EXIT),
        ("go", Phase.PASSING),
        ("gowww", Phase.HELD),
        ("o", Phase.FORCED),
    ],
)
def test_every_phase_is_reached_by_keys(keys: str, phase: Phase) -> None:
    assert Bench()(keys).state.phase is phase


@pytest.mark.parametrize(
    ("keys", "alarms"),
    [
        ("gowww", {Alarm.DOOR_OPEN_TOO_LONG}),
        ("o", {Alarm.FORCED_OPEN}),
        ("owww", {Alarm.FORCED_OPEN, Alarm.DOOR_OPEN_TOO_LONG}),
        ("t", {Alarm.TAMPER}),
        ("c", {Alarm.DOOR_FAULT}),
        ("k", {Alarm.DOOR_FAULT}),
        ("tt", set()),
        ("cc", set()),
        ("kk", set()),
        ("oo", set()),
    ],
)
def test_every_alarm_is_reached_by_keys_and_goes_away(keys: str, alarms: set[Alarm]) -> None:
    assert Bench()(keys).state.alarms == alarms


@pytest.mark.parametrize(
    ("keys", "door", "lock", "secured"),
    [
        ("", DoorStatus.CLOSED, LockStatus.LOCKED, Secured.SECURED),
        ("g", DoorStatus.CLOSED, LockStatus.UNLOCKED, Secured.UNSECURED),
        ("gl", DoorStatus.CLOSED, LockStatus.LOCKED, Secured.SECURED),
        ("go", DoorStatus.OPENED, LockStatus.UNLOCKED, Secured.UNSECURED),
        ("c", DoorStatus.UNKNOWN, LockStatus.LOCKED, Secured.UNSECURED),
        ("k", DoorStatus.CLOSED, LockStatus.LOCK_FAULT, Secured.UNSECURED),
    ],
)
def test_every_status_is_reached_by_keys(
    keys: str, door: DoorStatus, lock: LockStatus, secured: Secured
) -> None:
    state = Bench()(keys).state
    assert (state.door, state.lock, state.secured) == (door, lock, secured)


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        ("g      ", "door.no_entry_after_granted"),
        ("goo", "door.closed"),
        ("b", "door.bell"),
        ("x", "door.rex"),
        ("f", "door.fire_alarm"),
        ("ff", "door.fire_alarm_cleared"),
        ("gowwwa", "door.acknowledged"),
        ("gowww" + 12 * "w", "door.held_repeat"),
        ("ngoww    ", "door.held_warning"),
        ("gowww", "chime sounds"),
        ("gowwwo", "chime is silent"),
        ("kg", "no relay guard answers"),
        ("p", "no recording"),
        ("1203*480516#", "keypad: granted"),
        ("1203*111111#", "keypad: refused"),
    ],
)
def test_every_event_is_reached_by_keys(keys: str, event: str) -> None:
    assert event in Bench()(keys).events


def test_the_keypad_shows_dots_and_moves_the_relay() -> None:
    bench = Bench()("1203*480516")
    assert bench.simulator.page().keypad == "•" * 11
    assert bench.simulator.page().relay == "at rest"
    bench("#")
    assert (bench.simulator.page().keypad, bench.simulator.page().relay) == ("", "energised")


def test_a_button_is_let_go_again() -> None:
    bench = Bench()
    bench.simulator.press("x")
    assert bench.simulator.page().inputs["rex"] == "ACTIVE"
    assert bench(" ").simulator.page().inputs["rex"] == "-"


def test_a_fire_makes_every_opening_an_escape() -> None:
    assert Bench()("fo").state.alarms == frozenset()


def test_held_unlocked_makes_openings_legal() -> None:
    bench = Bench()("uowwww")
    assert bench.state.alarms == frozenset()
    assert bench.simulator.page().modes == ("held unlocked",)


def test_the_recording_is_played_at_its_pace() -> None:
    says = [
        (1.0, SimulatedAnswer("camera: stranger: unknown_credential")),
        (4.0, SimulatedAnswer("camera: anna: granted", 5.0)),
    ]
    bench = Bench(recording=says)("p ")
    assert "stranger" in bench.events
    assert bench.state.lock is LockStatus.LOCKED
    assert bench("   ").state.lock is LockStatus.UNLOCKED
    assert "anna" in bench.events


def test_an_extended_grant_lasts_longer() -> None:
    assert Bench()("e         ").state.lock is LockStatus.UNLOCKED
    assert Bench()("g         ").state.lock is LockStatus.LOCKED


def test_quit_ends_it_with_the_lock_locked() -> None:
    bench = Bench()("g")
    assert bench.simulator.press("q") is False
    assert bench.simulator.page().relay == "at rest"


@given(keys=st.text(alphabet="geoxbtfckluanpw123*# ?", max_size=30))
@settings(deadline=None)  # a busy machine is no failure
def test_no_key_breaks_it_and_the_relay_is_energised_only_while_the_door_knows(keys: str) -> None:
    bench = Bench()(keys)
    page = bench.simulator.page()
    if page.relay == "energised":
        assert page.state.lock is LockStatus.UNLOCKED


def test_every_key_is_explained() -> None:
    assert set("geoxbtfckluanpwq") <= set(HELP)
