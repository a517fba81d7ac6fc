"""The door's state machine: every pair of phase and stimulus, every alarm, and the rules as properties."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.relay.door import (
    Alarm,
    DoorCommand,
    DoorSettings,
    DoorStatus,
    DoorStep,
    LockStatus,
    Phase,
    Secured,
    Sensor,
)
from edge.relay.held import HeldSettings
from edge.relay.machine import DoorMachine

HELD = HeldSettings(
    alarm_seconds=30,
    warning_seconds=5,
    extended_seconds=60,
    repeat_seconds=100,
    snooze_seconds=900,
    escalate_after=2,
)
SETTINGS = DoorSettings(unlock_seconds=5, exit_seconds=10, grace_seconds=1, held=HELD)


class Door:
    """A machine with a clock of its own, and everything that came out of it."""

    def __init__(self, settings: DoorSettings = SETTINGS, **options: object) -> None:
        self.now = 1000.0
        self.machine = DoorMachine(settings, self.now, **options)  # type: ignore[arg-type]
        self.kinds: list[str] = []
        self.commands: list[DoorCommand] = []
        self.last: dict[str, object] = {}

    def __call__(self, what: str, passed: float = 0.0) -> Door:
        """Let `passed` seconds go by in ticks of 0.5 s, then do `what`."""
        self.wait(passed)
        machine, now = self.machine, self.now
        step = {
            "granted": lambda: machine.granted(5, now),
            "granted_extended": lambda: machine.granted(15, now),
            "withdrawn": lambda: machine.withdrawn(now),
            "relocked": lambda: machine.relocked(now),
            "rex": lambda: machine.sensed(Sensor.REX, True, now),
            "rex_released": lambda: machine.sensed(Sensor.REX, False, now),
            "opened": lambda: machine.sensed(Sensor.CONTACT, True, now),
            "closed": lambda: machine.sensed(Sensor.CONTACT, False, now),
            "tamper": lambda: machine.sensed(Sensor.TAMPER, True, now),
            "tamper_over": lambda: machine.sensed(Sensor.TAMPER, False, now),
            "fire": lambda: machine.sensed(Sensor.FIRE, True, now),
            "fire_over": lambda: machine.sensed(Sensor.FIRE, False, now),
            "bell": lambda: machine.sensed(Sensor.BELL, True, now),
            "free": lambda: machine.free_access(True, now),
            "free_over": lambda: machine.free_access(False, now),
            "acknowledged": lambda: machine.acknowledge("concierge", now),
            "contact_fault": lambda: machine.fault("contact", "chatters", now),
            "contact_well": lambda: machine.fault("contact", None, now),
            "lock_fault": lambda: machine.fault("lock", "it has gone", now),
            "lock_well": lambda: machine.fault("lock", None, now),
            "tick": lambda: machine.tick(now),
        }[what]()
        return self.take(step)

    def wait(self, seconds: float, *, quiet: bool = False, tick: float = 0.5) -> Door:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + tick)
            self.take(self.machine.tick(self.now, quiet=quiet))
        return self

    def take(self, step: DoorStep) -> Door:
        self.kinds += [note.kind for note in step.notes]
        self.commands += step.commands
        for note in step.notes:
            self.last = note.data
        return self

    def forget(self) -> Door:
        self.kinds, self.commands = [], []
        return self

    @property
    def phase(self) -> Phase:
        return self.machine.state.phase

    @property
    def alarms(self) -> frozenset[Alarm]:
        return self.machine.state.alarms


def reach(phase: Phase) -> Door:
    ways = {
        Phase.UNREAD: [],
        Phase.SHUT: ["closed"],
        Phase.RELEASED: ["closed", "granted"],
        Phase.EXIT: ["closed", "rex"],
        Phase.PASSING: ["closed", "granted", "opened"],
        Phase.HELD: ["closed", "granted", "opened", "30"],
        Phase.FORCED: ["closed", "opened"],
    }
    door = Door()
    for what in ways[phase]:
        door.wait(float(what)) if what.isdecimal() else door(what)
    assert door.phase is phase
    return door.forget()


NOTHING: tuple[list[str], list[str]] = ([], [])

# phase -> stimulus -> (next phase, notes, commands). 31 s of ticks bring time limits up.
STORY: dict[Phase, dict[str, tuple[Phase, list[str], list[str]]]] = {
    Phase.UNREAD: {
        "granted": (Phase.UNREAD, *NOTHING),
        "rex": (Phase.UNREAD, ["door.rex"], []),
        "opened": (Phase.PASSING, ["door.found_open"], []),
        "closed": (Phase.SHUT, *NOTHING),
        "withdrawn": (Phase.UNREAD, *NOTHING),
        "31 s": (Phase.UNREAD, *NOTHING),
    },
    Phase.SHUT: {
        "granted": (Phase.RELEASED, *NOTHING),
        "rex": (Phase.EXIT, ["door.rex"], []),
        "opened": (Phase.FORCED, ["door.forced"], []),
        "closed": (Phase.SHUT, *NOTHING),
        "withdrawn": (Phase.SHUT, *NOTHING),
        "31 s": (Phase.SHUT, *NOTHING),
    },
    Phase.RELEASED: {
        "granted": (Phase.RELEASED, *NOTHING),
        "rex": (Phase.RELEASED, ["door.rex"], []),
        "opened": (Phase.PASSING, ["door.opened"], []),
        "closed": (Phase.RELEASED, *NOTHING),
        "withdrawn": (Phase.EXIT, *NOTHING),
        "31 s": (Phase.SHUT, ["door.no_entry_after_granted"], []),
    },
    Phase.EXIT: {
        "granted": (Phase.RELEASED, *NOTHING),
        "rex": (Phase.EXIT, ["door.rex"], []),
        "opened": (Phase.PASSING, ["door.opened"], []),
        "closed": (Phase.EXIT, *NOTHING),
        "withdrawn": (Phase.EXIT, *NOTHING),
        "31 s": (Phase.SHUT, *NOTHING),
    },
    Phase.PASSING: {
        "granted": (Phase.PASSING, *NOTHING),
        "rex": (Phase.PASSING, ["door.rex"], []),
        "opened": (Phase.PASSING, *NOTHING),
        "closed": (Phase.EXIT, ["door.closed"], ["lock"]),
        "withdrawn": (Phase.PASSING, *NOTHING),
        "31 s": (Phase.HELD, ["door.held"], ["chime", "chime"]),
    },
    Phase.HELD: {
        "granted": (Phase.HELD, *NOTHING),
        "rex": (Phase.HELD, ["door.rex"], []),
        "opened": (Phase.HELD, *NOTHING),
        "closed": (Phase.EXIT, ["door.closed"], ["hush"]),
        "withdrawn": (Phase.HELD, *NOTHING),
        "31 s": (Phase.HELD, *NOTHING),
    },
    Phase.FORCED: {
        "granted": (Phase.FORCED, *NOTHING),
        "rex": (Phase.FORCED, ["door.rex"], []),
        "opened": (Phase.FORCED, *NOTHING),
        "closed": (Phase.EXIT, ["door.closed"], []),
        "withdrawn": (Phase.FORCED, *NOTHING),
        "31 s": (Phase.FORCED, ["door.held"], ["chime", "chime"]),
    },
}


@pytest.mark.parametrize(
    ("phase", "stimulus"), [(phase, stimulus) for phase, row in STORY.items() for stimulus in row]
)
def test_every_transition(phase: Phase, stimulus: str) -> None:
    following, notes, commands = STORY[phase][stimulus]
    door = reach(phase)
    door.wait(31) if stimulus == "31 s" else door(stimulus)
    assert (door.phase, door.kinds, door.commands) == (following, notes, commands)


def test_the_story_has_every_phase() -> None:
    assert set(STORY) == set(Phase)
    assert len({frozenset(row) for row in STORY.values()}) == 1


@pytest.mark.parametrize(
    ("phase", "door", "lock", "secured"),
    [
        (Phase.UNREAD, DoorStatus.UNKNOWN, LockStatus.LOCKED, Secured.UNKNOWN),
        (Phase.SHUT, DoorStatus.CLOSED, LockStatus.LOCKED, Secured.SECURED),
        (Phase.RELEASED, DoorStatus.CLOSED, LockStatus.UNLOCKED, Secured.UNSECURED),
        (Phase.EXIT, DoorStatus.CLOSED, LockStatus.LOCKED, Secured.SECURED),
        (Phase.PASSING, DoorStatus.OPENED, LockStatus.UNLOCKED, Secured.UNSECURED),
        (Phase.HELD, DoorStatus.OPENED, LockStatus.LOCKED, Secured.UNSECURED),
        (Phase.FORCED, DoorStatus.OPENED, LockStatus.LOCKED, Secured.UNSECURED),
    ],
)
def test_what_a_phase_shows(phase: Phase, door: DoorStatus, lock: LockStatus, secured: Secured) -> None:
    state = reach(phase).machine.state
    assert (state.door, state.lock, state.secured) == (door, lock, secured)


# Alarms.


def test_a_door_opened_without_permission_is_forced_until_it_is_shut() -> None:
    door = reach(Phase.FORCED)
    assert door.alarms == {Alarm.FORCED_OPEN}
    door("closed", 3)
    assert door.alarms == frozenset()
    assert door.machine.state.secured is Secured.SECURED


def test_opening_just_after_the_lock_fell_is_within_the_grace() -> None:
    assert Door()("closed")("granted")("opened", 5.9).phase is Phase.PASSING
    assert Door()("closed")("granted")("opened", 6.1).phase is Phase.FORCED


def test_a_late_tick_does_not_turn_a_break_in_into_a_pass() -> None:
    door = Door()("closed")("granted")
    door.now += 60  # nobody ticked
    door("opened")
    assert door.alarms == {Alarm.FORCED_OPEN}
    assert door.kinds == ["door.no_entry_after_granted", "door.forced"]


def test_the_exit_button_makes_an_opening_no_break_in_for_its_time() -> None:
    assert Door()("closed")("rex")("opened", 9).phase is Phase.PASSING
    assert Door()("closed")("rex")("opened", 11).phase is Phase.FORCED
    assert Door()("closed")("rex_released").kinds == []


def test_a_door_that_springs_back_out_of_its_latch_is_no_break_in() -> None:
    door = Door()("closed")("granted")("opened", 1)("closed", 2)("opened", 0.3)
    assert door.phase is Phase.PASSING
    assert door("closed", 1).phase is Phase.EXIT
    assert door("opened", 1.5).phase is Phase.FORCED


def test_relock_on_close_can_be_turned_off_and_then_the_time_is_left() -> None:
    settings = DoorSettings(unlock_seconds=5, relock_on_close=False, held=HELD)
    door = Door(settings)("closed")("granted")("opened", 1)("closed", 1)
    assert DoorCommand.LOCK not in door.commands
    assert door.machine.state.lock is LockStatus.UNLOCKED
    assert door("opened", 2).phase is Phase.PASSING


def test_the_ladder_warns_then_alarms_then_repeats_and_grows() -> None:
    door = reach(Phase.PASSING)
    door.wait(24.5)
    assert (door.kinds, door.commands) == ([], [])
    door.wait(0.5)
    assert (door.kinds, door.commands) == ([], [DoorCommand.CHIME])
    door.wait(5)
    assert door.kinds == ["door.held"]
    assert door.alarms == {Alarm.DOOR_OPEN_TOO_LONG}
    assert door.last == {"alarms": ["door_open_too_long"], "open_seconds": 30.0, "level": 1, "count_week": 1}
    door.wait(100)
    assert (door.kinds[-1], door.last["level"]) == ("door.held_repeat", 1)
    door.wait(100)
    assert (door.kinds[-1], door.last["level"]) == ("door.held_repeat", 2)
    door("closed", 10)
    assert door.kinds == ["door.held", "door.held_repeat", "door.held_repeat", "door.closed"]
    assert door.last == {"open_seconds": 240.0}
    assert door.commands[-1] is DoorCommand.HUSH
    assert door.alarms == frozenset()


def test_an_acknowledged_alarm_is_silent_for_the_snooze_and_no_longer() -> None:
    door = reach(Phase.HELD)("acknowledged")
    assert door.last == {"by": "concierge", "alarms": ["door_open_too_long"]}
    assert door.commands == [DoorCommand.HUSH]
    door.forget().wait(899.5)
    assert door.kinds == []
    assert door.alarms == {Alarm.DOOR_OPEN_TOO_LONG}, "in hand is not over"
    door.wait(0.5)
    assert door.kinds == ["door.held_repeat"]


def test_there_is_nothing_to_acknowledge_without_an_alarm() -> None:
    assert reach(Phase.SHUT)("acknowledged").kinds == []


@pytest.mark.parametrize("what", ["relocked", "free_over", "withdrawn"])
def test_what_is_done_to_the_lock_chimes_in_no_quiet_hour(what: str) -> None:
    door = reach(Phase.PASSING)
    door.wait(24.5, quiet=True)
    door.now += 2.0  # the warning is due, and its tick comes a moment later
    door(what)
    assert DoorCommand.CHIME not in door.commands
    door.wait(0.5, quiet=True)
    assert (door.kinds[-1], DoorCommand.CHIME in door.commands) == ("door.held_warning", False)


def test_quiet_hours_never_chime_and_tell_people_earlier() -> None:
    door = reach(Phase.PASSING)
    door.wait(130, quiet=True)
    assert door.commands == []
    assert door.kinds == ["door.held_warning", "door.held", "door.held_repeat"]


def test_the_alarm_is_raised_once_however_late_the_tick() -> None:
    door = reach(Phase.PASSING)
    door.wait(3600, tick=3600)
    assert door.kinds == ["door.held"]


def test_the_week_is_counted_and_older_alarms_drop_out() -> None:
    day = 86_400.0
    door = Door(held_ages_seconds=[1 * day, 6.5 * day, 6.9 * day])("closed")("granted")("opened")
    door.wait(30)
    assert door.last["count_week"] == 4
    door("closed")("granted", 10)("opened")
    door.wait(0.4 * day, tick=60)
    assert door.kinds[-1] == "door.held_repeat"
    assert door.last["count_week"] == 4


def test_somebody_else_let_in_starts_the_time_again() -> None:
    door = reach(Phase.PASSING)("granted", 20)
    door.wait(29.5)
    assert door.phase is Phase.PASSING
    assert door.wait(0.5).phase is Phase.HELD


def test_a_neighbour_who_comes_along_takes_no_time_from_whoever_was_given_longer() -> None:
    door = Door()("closed")("granted_extended")("opened", 2)("granted", 3)
    door.wait(40)
    assert "door.held" not in door.kinds
    door.wait(25)
    assert "door.held" in door.kinds


def test_time_that_was_given_to_one_person_is_not_left_for_the_next_one() -> None:
    door = Door()("closed")
    door.machine.free_access(True, door.now)
    door("granted_extended")
    door.wait(20)
    door.machine.free_access(False, door.now)
    door("rex")("opened", 1)
    door.wait(35)
    assert "door.held" in door.kinds


def test_an_extended_opening_has_longer_to_close() -> None:
    door = Door()("closed")("granted_extended")("opened", 14)
    door.wait(59.5)
    assert door.phase is Phase.PASSING
    assert door.wait(0.5).phase is Phase.HELD
    door("closed")("granted", 5)("opened")
    assert door.wait(30).phase is Phase.HELD


def test_a_door_found_open_is_timed_and_not_called_forced() -> None:
    door = Door()("opened")
    door.wait(30)
    assert door.kinds == ["door.found_open", "door.held"]


def test_tamper_is_an_alarm_of_its_own_in_any_phase() -> None:
    for phase in Phase:
        door = reach(phase)
        before = door.alarms
        door("tamper")("tamper")
        assert door.alarms == before | {Alarm.TAMPER}
        assert door.phase is phase
        door("tamper_over")
        assert door.alarms == before
        assert door.kinds == ["door.tamper", "door.tamper_cleared"]


def test_every_broken_part_is_named_and_the_alarm_lasts_until_the_last_is_well() -> None:
    door = reach(Phase.SHUT)("lock_fault")
    assert door.last == {"part": "lock", "why": "it has gone", "alarm": "door_fault"}
    assert door.machine.state.lock is LockStatus.LOCK_FAULT
    door("contact_fault")("lock_fault")("lock_well")
    assert door.alarms == {Alarm.DOOR_FAULT}
    assert door.machine.state.door is DoorStatus.UNKNOWN
    door("contact_well")
    assert door.alarms == frozenset()
    assert door.kinds == ["door.fault", "door.fault", "door.fault_cleared", "door.fault_cleared"]


def test_a_contact_that_comes_back_loses_no_alarm() -> None:
    door = reach(Phase.HELD)("contact_fault")("contact_well")("opened")
    assert Alarm.DOOR_OPEN_TOO_LONG in door.alarms
    assert door("closed").alarms == frozenset()
    door = reach(Phase.FORCED)("contact_fault")("contact_well")("closed")
    assert door.alarms == frozenset()


def test_in_a_fire_openings_are_escapes() -> None:
    door = reach(Phase.SHUT)("fire")("opened")
    door.wait(600)
    assert door.kinds == ["door.fire_alarm", "door.opened"]
    assert door.alarms == frozenset()
    door("fire_over")
    door.wait(30)
    assert door.kinds[2:] == ["door.fire_alarm_cleared", "door.held"]


def test_a_door_meant_to_stand_unlocked_is_neither_forced_nor_held_nor_missed() -> None:
    door = reach(Phase.SHUT)("free")("opened")("closed", 100)("granted", 2)
    door.wait(60)
    door("opened")("closed", 100)
    assert door.kinds == ["door.opened", "door.closed", "door.opened", "door.closed"]
    assert DoorCommand.LOCK not in door.commands
    door("free_over")
    assert door("opened", 2).phase is Phase.FORCED


def test_the_bell_is_an_event_and_no_permission() -> None:
    door = reach(Phase.SHUT)("bell")
    assert door.kinds == ["door.bell"]
    assert door("opened").phase is Phase.FORCED


def test_an_unlock_that_failed_expects_nobody() -> None:
    door = reach(Phase.SHUT)("granted")("withdrawn")
    door.wait(30)
    assert door.kinds == []
    assert door.machine.state.lock is LockStatus.LOCKED


def test_relocked_on_order_is_locked_now() -> None:
    door = reach(Phase.RELEASED)("relocked")
    assert door.machine.state.lock is LockStatus.LOCKED
    assert door.wait(2).kinds == ["door.no_entry_after_granted"]


# Properties.

MOVES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "granted",
                "granted_extended",
                "rex",
                "opened",
                "closed",
                "tamper",
                "tamper_over",
                "acknowledged",
                "tick",
            ]
        ),
        st.sampled_from([0.0, 0.2, 0.9, 3.0, 12.0, 40.0, 200.0]),
    ),
    max_size=30,
)


@example(moves=[("opened", 0.0), ("granted", 0.0), ("closed", 0.0), ("opened", 0.0)], tick=0.1)
@given(moves=MOVES, tick=st.sampled_from([0.1, 0.5, 7.0]))
@settings(max_examples=400, deadline=None)
def test_forced_and_held_against_the_plain_reading(moves: list[tuple[str, float]], tick: float) -> None:
    """Forced: opened with no permission in force. Held: open past the limit since the last permission."""
    door = Door()("closed")
    is_open = forced = held = extended = False
    may_open_until = unlocked_until = since = limit = 0.0
    for what, passed in moves:
        door.wait(passed, tick=tick)
        held = held or (is_open and door.now >= since + limit)
        extended = extended and (is_open or door.now < may_open_until)
        door(what)
        if what.startswith("granted"):
            seconds = 5 if what == "granted" else 15
            extended = extended or what == "granted_extended"
            unlocked_until = max(unlocked_until, door.now + seconds)
            may_open_until = max(may_open_until, door.now + seconds + 1)
        elif what == "rex":
            may_open_until = max(may_open_until, door.now + 10)
        elif what == "opened" and not is_open:
            is_open, forced = True, door.now >= may_open_until
            since, limit = door.now, 60 if extended else 30
        elif what == "closed" and is_open:
            is_open = forced = held = extended = False
            if door.now < unlocked_until:
                unlocked_until, may_open_until = door.now, min(may_open_until, door.now + 1)
        if what in ("granted", "granted_extended", "rex") and is_open and not forced and not held:
            since, limit = door.now, 60 if extended else 30
        assert (door.machine.state.door is DoorStatus.OPENED) == is_open
        assert (Alarm.FORCED_OPEN in door.alarms) == forced
        assert (Alarm.DOOR_OPEN_TOO_LONG in door.alarms) == held


@given(moves=MOVES)
@settings(deadline=None)  # a busy machine is no failure
def test_secured_is_closed_and_locked_and_without_alarm(moves: list[tuple[str, float]]) -> None:
    door = Door()
    for what, passed in moves:
        state = door(what, passed).machine.state
        expected = (
            state.door is DoorStatus.CLOSED
            and state.lock is LockStatus.LOCKED
            and state.alarms == frozenset()
        )
        assert (state.secured is Secured.SECURED) == expected


@given(moves=MOVES, shift=st.floats(-1e6, 1e9))
@settings(deadline=None)  # a busy machine is no failure
def test_only_differences_of_time_matter(moves: list[tuple[str, float]], shift: float) -> None:
    here, there = Door(), Door()
    there.now = 1000.0 + round(shift)
    there.machine = DoorMachine(SETTINGS, there.now)
    for what, passed in moves:
        assert here(what, passed).kinds == there(what, passed).kinds
