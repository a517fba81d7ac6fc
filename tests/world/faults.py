"""What goes wrong in a simulated world, and what staff do there: each act is drawn from the story's seed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from edge.policy.modes import Mode, ModeState
from tests.world.people import Commanded
from tests.world.site import resident_of
from tests.world.visits import a_stranger_comes, numbers_are_tried, residents_come, two_come

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world.story import World

FILES = (
    "journal.db*",
    "residents.db*",
    "keys.db*",
    "consents.db*",
    "credentials.db*",
    "mode.json*",
    "clock-floor*",
    "*",
)
CARD_FAULTS = (
    "all {glob} EIO",
    "all {glob} EIO p=0.3",
    "reads {glob} EIO",
    "changes {glob} EROFS",
    "writes {glob} ENOSPC",
    "fsync {glob} EIO",
    "fsync {glob} EIO count=1",
    "open {glob} EMFILE",
)
QUEUES = ("journal", "credentials", "roster", "mode", "clock", "open-*", "*")


def time_passes(world: World) -> None:
    """Nothing happens for a while: a minute, or a month."""
    seconds = 10 ** world.rng.uniform(1.5, 6.5)
    world.say(f"{timedelta(seconds=round(seconds))} pass")
    world.idle(seconds)


def the_clock_leaps(world: World) -> None:
    """The wall clock is set wrong, either way, or right again."""
    hours = world.rng.choice([0.0, 0.0, 0.4, -0.4, 3, -3, 30, -30, 24 * 90, -24 * 90, 24 * 1500, -24 * 1500])
    world.clock.error = timedelta(hours=hours)
    world.say(f"the clock is set {hours:+g} h from the truth")
    world.run(3.0)


def time_service_changes(world: World) -> None:
    """NTP goes, or comes back with the true time."""
    world.clock.is_synchronised = not world.clock.is_synchronised
    if world.clock.is_synchronised:
        world.clock.error = timedelta()
    world.say("NTP answers" if world.clock.is_synchronised else "NTP is gone")
    world.run(3.0)


def the_card_fails(world: World) -> None:
    """The card returns errors, is full or read-only."""
    glob = world.rng.choice(FILES)
    rule = world.rng.choice(CARD_FAULTS).format(glob=glob)
    world.say(f"the card: {rule}")
    world.card_does(rule)
    world.run(world.rng.uniform(0.5, 4))


def the_card_is_well(world: World) -> None:
    """The card does what it should again."""
    if not world.is_card_well:
        world.say("the card is well")
    world.card_does()
    world.run(5.0)


def the_card_hangs(world: World) -> None:
    """The card answers some files only after a while."""
    names, seconds = world.rng.choice(QUEUES), world.rng.choice([0.3, 1.5, 5, 40])
    world.say(f"the card hangs for {names}, {seconds:g} s")
    world.threads.hang(names, seconds)


def the_guard_dies(world: World) -> None:
    """The relay's guard ends, and may come back."""
    world.guard.die()
    gone = world.rng.choice([0.5, 1.2, 5, 60])
    world.say(f"the relay's guard is gone for {gone:g} s")
    world.run(min(gone, 3))
    if world.rng.random() < 0.5:
        residents_come(world)
    world.guard.lost_at = None
    world.run(1.0)


def the_camera_fails(world: World) -> None:
    """The camera is dead, frozen, late, moved, or well again."""
    world.camera.state = world.rng.choice(["dead", "frozen", "late", "swapped", "ok", "ok", "ok"])
    world.say(f"the camera is {world.camera.state}")
    world.run(8.0)


def the_door_stops(world: World) -> None:
    """The service is stopped and started."""
    world.say("the service is stopped")
    world.stop()
    world.start()
    world.run(2.0)


def the_door_is_killed(world: World) -> None:
    """The process is killed at one of its next steps, whatever it does then."""
    world.clock.kill_in = world.rng.choice([1, 5, 30, 200, 1000])
    world.say(f"a kill waits {world.clock.kill_in} looks at the clock away")
    if world.rng.random() < 0.7:
        residents_come(world)


def the_power_goes(world: World) -> None:
    """The board is off for a while, and starts with whatever its clock kept."""
    off = 10 ** world.rng.uniform(0.5, 6)
    world.say(f"no power for {timedelta(seconds=round(off))}")
    world.off(off)
    if world.has_rtc and world.rng.random() < 0.7:
        world.say("the battery kept the clock")
    else:
        world.clock.error -= timedelta(seconds=off)  # it goes on where it stood
        world.clock.is_synchronised = False
    world.start()
    world.run(2.0)


def a_mode_is_commanded(world: World) -> None:
    """Staff command a mode, for good, for a time, or the usual one."""
    name = world.rng.choice(["locked_down", "evacuation", "unlocked", None, None])
    minutes = world.rng.choice([None, 10, 600])
    until = None if minutes is None or name is None else world.clock.true + timedelta(minutes=minutes)
    state = None if name is None else ModeState(Mode(name), until, "staff")
    world.say(f"mode {name or 'as usual'}" + (f" for {minutes} min" if until else ""))
    parts = world.door.parts
    if parts is not None:
        world.command(Commanded(name, until), lambda: parts.door.rules.set_mode(state))
    world.run(2.0)


def the_roster_changes(world: World) -> None:
    """The property removes somebody, or takes them back."""
    everybody = world.everybody
    person = world.rng.choice([one for one in everybody if one.id not in {"anna", "caretaker"}])
    if person.id in world.property.wanted:
        world.say(f"the property removes {person.id}")
        world.property.want(None, person.id)
    else:
        world.say(f"the property takes {person.id} back")
        person.has_face = False  # whoever comes back is enrolled anew
        world.property.want(resident_of(person), person.id)
    world.run(6.0)


def the_link_changes(world: World) -> None:
    """The broker is out of reach, or back."""
    world.property.is_reached = not world.property.is_reached
    world.say("the broker is back" if world.property.is_reached else "the broker is out of reach")
    world.run(6.0)


ACTS: dict[Callable[[World], None], int] = {
    residents_come: 30,
    a_stranger_comes: 6,
    two_come: 4,
    numbers_are_tried: 3,
    time_passes: 14,
    the_clock_leaps: 6,
    time_service_changes: 5,
    the_card_fails: 8,
    the_card_is_well: 6,
    the_card_hangs: 5,
    the_guard_dies: 3,
    the_camera_fails: 5,
    the_door_stops: 3,
    the_door_is_killed: 5,
    the_power_goes: 4,
    a_mode_is_commanded: 5,
    the_roster_changes: 4,
    the_link_changes: 4,
}
