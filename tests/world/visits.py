"""Who comes to a simulated gate: residents who must get in, and everybody else, who must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.world.gate import face, stranger
from tests.world.people import Person, Way
from tests.world.story import FRAME_SECONDS, LATE_SECONDS, World

if TYPE_CHECKING:
    from collections.abc import Callable

LEAVE_SECONDS = 6.0
PAUSE_SECONDS = 40.0
"""A little more than the pause after wrong tries lasts."""


def visit(world: World, person: Person) -> None:
    """Have a resident walk up and try every way they have, one after another, until they are in."""
    must = [way for way in person.ways() if must_open(world, person, way)]
    world.say(f"{person.id} walks up" + (f"; must be let in by {' or '.join(must)}" if must else ""))
    before, starts = world.clock.mono, world.door.starts
    is_in = any(ask(world, person, way) for way in person.ways())
    if not is_in and world.door.starts > starts:
        world.say(f"{person.id} tries again")
        is_in = any(ask(world, person, way) for way in person.ways())
    if is_in:
        world.say(f"{person.id} is in after {world.clock.mono - before:.1f} s")
    elif must and all(must_open(world, person, way) for way in must):
        world.broken(f"{person.id} stays outside: {reasons(world)}")
    leave(world)


def ask(world: World, person: Person, way: Way) -> bool:
    """Ask once by this way; return whether the door opened within three seconds."""
    count, began = len(world.guard.openings), world.clock.mono

    def is_open() -> bool:
        return len(world.guard.openings) > count or world.guard.is_open

    if way in (Way.FACE, Way.FACE_PIN):
        world.camera.faces = [face(person.number)]
        world.acting.append((person, Way.FACE))
        world.run(LATE_SECONDS, is_open)
    if way in (Way.PIN, Way.FACE_PIN) and not is_open() and person.pin:
        number, pin = person.door_number, person.pin
        in_process(world, person, way, lambda door: door.access.type_pin(number, pin))
    if way is Way.CARD and person.card:
        card = person.card
        in_process(world, person, way, lambda door: door.access.present_card(card))
    world.run(max(began + LATE_SECONDS - world.clock.mono, FRAME_SECONDS), is_open)
    return is_open()


def in_process(world: World, person: Person | None, way: Way, call: Callable[..., object]) -> None:
    """Have somebody ask at a reader of the running process."""
    parts = world.door.parts
    if parts is not None:
        world.ask(person, way, lambda: call(parts.door))


def must_open(world: World, person: Person, way: Way) -> bool:
    """Return whether the door has to open for this person by this way now, whatever else is broken."""
    is_free = world.guard.lost_at is None
    may = all(world.rights.must_pass(person, way, at) for at in world.moments())
    knows = world.knows_time or not person.is_bound_to_time
    may_write = world.on_failure == "open" or (world.is_card_well and not world.threads.is_hanging)
    if not (is_free and may and knows and may_write) or world.is_spoilt_start:
        return False
    if way is Way.FACE and not person.is_twin:
        return world.camera.state == "ok" and world.is_card_well and not world.threads.is_hanging
    is_paused = world.clock.mono < world.pause_until
    return not is_paused and (way is not Way.FACE_PIN)


def reasons(world: World) -> str:
    """Return what the door said last."""
    said = [f"{draft.kind} {draft.reason or ''}".strip() for draft, _ in world.told[-4:]]
    return ", ".join(said) or "nothing was said"


def leave(world: World) -> None:
    """Have everybody go, and the door fall shut."""
    world.camera.faces = []
    world.run(LEAVE_SECONDS)
    world.acting.clear()
    world.run(1.0)


def residents_come(world: World) -> None:
    """One of the residents walks up."""
    everybody = list(world.rights.people.values())
    visit(world, world.rng.choices(everybody, [1 if one.is_twin else 4 for one in everybody])[0])


def a_stranger_comes(world: World) -> None:
    """Somebody walks up whom nobody here knows."""
    near = world.rng.randint(1, 7)
    world.say(f"a stranger walks up, a little like resident {near}")
    world.camera.faces = [stranger(world.numbers, near)]
    world.acting.append((None, Way.FACE))
    world.run(world.rng.uniform(1, 6))
    leave(world)


def two_come(world: World) -> None:
    """A resident and a stranger stand side by side."""
    person = world.rng.choice([one for one in world.rights.people.values() if one.has_face])
    world.say(f"{person.id} and a stranger stand there")
    world.camera.faces = [face(person.number), stranger(world.numbers, 0)]
    world.acting += [(person, Way.FACE), (None, Way.FACE)]
    world.run(world.rng.uniform(2, 5))
    leave(world)


def numbers_are_tried(world: World) -> None:
    """Somebody tries cards or PINs that are not theirs."""
    tries, way = world.rng.randint(1, 7), world.rng.choice([Way.CARD, Way.PIN])
    world.say(f"{tries} wrong tries by {way}")
    for _ in range(tries if way is Way.CARD else min(tries, 2)):
        guess = f"{world.rng.randrange(10**6):06d}"
        if way is Way.CARD:
            in_process(world, None, way, lambda door, guess=guess: door.access.present_card(f"hid:9{guess}"))
        else:
            in_process(world, None, way, lambda door, guess=guess: door.access.type_pin("101", guess))
    world.pause_until = world.clock.mono + PAUSE_SECONDS
    world.acting.clear()
    world.run(2.0)
