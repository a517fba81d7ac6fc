"""The end of a story: all is well again, everybody who may comes in, and everything is in the journal."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.errors import FacegateError
from edge.store.reader import JournalReader
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from tests.world.gate import MODEL
from tests.world.visits import visit

if TYPE_CHECKING:
    from tests.world.story import World

SETTLE_SECONDS = 2 * 3600.0
"""For how long a clock may have to prove itself that was wrong, before the board was off."""


def end(world: World) -> None:
    """Mend everything, let the residents come once more, stop the door and look at what it kept."""
    world.say("everything is mended")
    world.card_does()
    world.camera.state, world.guard.lost_at = "ok", None
    world.clock.error, world.clock.is_synchronised, world.clock.kill_in = timedelta(), True, None
    world.property.is_reached = True
    world.run(90.0)
    world.stop()
    world.start()
    if world.was_deceived and world.door.parts is not None:
        # In this run of the board the door counts from a time that it had every reason to believe, and
        # that was wrong: one word against another, which only somebody beside it can settle.
        world.say("staff say that the clock is right")
        world.door.parts.door.rules.note_clock_is_right()
    world.idle(SETTLE_SECONDS)
    if world.door.unsaved:
        world.broken(f"{world.door.unsaved} events still wait in memory on a card that is well")
    for person in world.rights.people.values():
        if not person.is_twin or world.rng.random() < 0.2:  # a PIN takes as long as at a real door
            visit(world, person)
    world.stop()
    _nobody_erased(world)
    _nothing_lost(world)


def _nobody_erased(world: World) -> None:
    with closing(ResidentStore(world.door.data / RESIDENTS_FILE)) as store:
        faces = {one.resident_id for one in store.templates(MODEL)}
        known = {one.id for one in store.list()}
    for person in world.rights.people.values():
        if person.id not in known:
            world.broken(f"{person.id} is not on the roster any more")
        until = person.valid_until
        is_over = until is not None and until <= world.clock.true
        if person.has_face and person.id not in faces and not is_over and not world.is_face_old(person):
            world.broken(f"the face of {person.id} was erased")


def _nothing_lost(world: World) -> None:
    entries = [*_journaled(world), *(json.loads(text) for text in world.property.received.values())]
    kept = {(entry["type"], datetime.fromisoformat(entry["ts"])) for entry in entries}
    missing = [(draft, start) for draft, start in world.told if (draft.kind, draft.at) not in kept]
    counted = sum(_counted(entry) for entry in {entry["id"]: entry for entry in entries}.values())
    if len(missing) > counted + world.may_be_lost:
        draft, start = missing[0]
        at = f"{draft.kind} at {draft.at:%Y-%m-%d %H:%M:%S} of start {start}"
        world.broken(f"{len(missing)} events are lost, {counted} were counted: {at}")


def _journaled(world: World) -> list[dict[str, Any]]:
    try:
        with closing(JournalReader(world.door.data / "journal.db")) as reader:
            reader.verify()
            return [json.loads(row.body) for row in reader.rows(0, 100_000)]
    except FacegateError as error:
        world.broken(f"the journal does not verify: {error}")
    return []


def _counted(entry: dict[str, Any]) -> int:
    data = entry.get("data", {})
    return int(data.get("folded", 0)) + int(data.get("lost", 0))
