"""Random faults at random files of a door, and three promises that must hold whatever they are.

    python -m tests.io.schedules --schedules 500 [--seed N]

One schedule: a door at work, then one to three faults for some seconds (some of them with a new start
in the middle), then a card that is well. Promised: residents come in by at least one way within three
seconds while anything can be read; no event is lost that was acknowledged, and every opening is in the
journal; the door is well again by itself.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tests.io.base import CARDS, make_base
from tests.io.card import Card

FILES = ("journal.db*", "residents.db*", "keys.db*", "consents.db*", "credentials.db*")
SMALL = ("pin.key", "residents.key", "mode.json", "clock-floor", "service.lock", "*.salvag*", "ballast")
FAULTS = (
    "all {glob} EIO",
    "all {glob} EIO p=0.3",
    "reads {glob} EIO",
    "open {glob} EIO",
    "open {glob} EMFILE",
    "changes {glob} EROFS",
    "writes {glob} ENOSPC",
    "fsync {glob} EIO count=1",
    "fsync {glob} EIO",
    "pwrite {glob} EIO count=1",
    "fsync {glob} HANG=2.5",
    "writes,fsync {glob} HANG=1.5",
    "fsync {glob} HANG=0.1",
    "reads {glob} HANG=1.5 count=3",
    "reads {glob} FLIP p=0.02",
)
CARD_WAY = frozenset({"residents.db*", "credentials.db*", "pin.key", "keys.db*", "residents.key"})
"""What has to be read before a card opens a door that has just started: names are sealed with the key."""
FACE_WAY = frozenset({"residents.db*", "keys.db*", "consents.db*", "residents.key"})
LATE_SECONDS, WELL_SECONDS = 3.0, 25.0


def schedule(rng: random.Random) -> dict[str, Any]:
    """Return a random schedule: rules, the files whose reading they spoil, and whether to start anew."""
    rules, spoilt = [], set()
    for _ in range(rng.randint(1, 3)):
        glob = rng.choice((*FILES, *FILES, *SMALL, "*"))
        fault = rng.choice(FAULTS)
        rules.append(fault.format(glob=glob))
        if fault.split()[0] in ("all", "reads", "open"):
            spoilt |= {*FILES, *SMALL} if glob == "*" else {glob}
    return {
        "rules": rules,
        "spoilt": sorted(spoilt),
        "anew": rng.random() < 0.4,
        "seed": rng.randrange(10**6),
    }


def play(card: Card, plan: dict[str, Any]) -> dict[str, Any]:
    """Play one schedule in this process, which sees the faults; return what happened to each visitor."""
    from tests.io.small_door import SmallDoor, waiting  # noqa: PLC0415 - only where the faults are seen

    taps: list[dict[str, Any]] = []

    def visit(door: SmallDoor, phase: str, times: int) -> None:
        for _ in range(times):
            taps.append({"phase": phase, "number": len(taps), **door.tap(len(taps))})
            door.tick()
            taps[-1]["face"] = taps[-1]["opened"] or door.shows_face(taps[-1]["number"], LATE_SECONDS)

    with ExitStack() as stack:
        door = SmallDoor(card.folder, stack, "before")
        visit(door, "before", 3)
        if plan["anew"]:
            stack.close()
            card.play(*plan["rules"])
            door = SmallDoor(card.folder, stack, "during")
        else:
            card.play(*plan["rules"])
        visit(door, "during", 6)
        card.play()
        ticks = sum(1 for _ in waiting(door, WELL_SECONDS))
        is_well = door.is_well
        visit(door, "after", len(CARDS))
        faces = door.matched()
        failing, unsaved = list(door.watch.failing), door.events.unsaved
    found = {"taps": taps, "well": is_well, "ticks": ticks, "faces": faces}
    return {**found, "failing": failing, "unsaved": unsaved, **journal_of(card.folder)}


def journal_of(data: Path) -> dict[str, Any]:
    """Return what the journal, and one that was set aside, hold in the end."""
    from edge.errors import JournalTampered  # noqa: PLC0415
    from edge.store.reader import JournalReader  # noqa: PLC0415

    with closing(JournalReader(data / "journal.db")) as reader:
        events = reader.read(0, 100_000)
        try:
            verified: object = reader.verify()
        except JournalTampered as error:
            verified = str(error)
    return {
        "ids": [event.id for event in events],
        "grants": sum(event.kind == "access.granted" for event in events),
        "verified": verified,
        "aside": [path.name for path in data.glob("journal.db.damaged-*")],
    }


def broken(plan: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the promises that were broken, none for none."""
    return [*_kept_out(plan, found["taps"]), *_lost(found), *_ill(found)]


def _kept_out(plan: dict[str, Any], taps: list[dict[str, Any]]) -> list[str]:
    spoilt = set(plan["spoilt"]) if plan["anew"] else set()
    may_card, may_face = not spoilt & CARD_WAY, not spoilt & FACE_WAY
    said = []
    for tap in taps:
        if tap["phase"] == "during" and not may_card and not may_face:
            continue  # nothing could be read at this start
        who = f"{tap['phase']}: visitor {tap['number']}"
        if not tap["opened"] and not (tap["face"] and may_face):
            said.append(f"{who} stayed outside: {tap['reason']}")
        if tap["opened"] and tap["seconds"] > LATE_SECONDS:
            said.append(f"{who} waited {tap['seconds']} s")
    return said


def _lost(found: dict[str, Any]) -> list[str]:
    said = []
    told = {tap["event"] for tap in found["taps"] if tap["event"]}
    if lost := told - set(found["ids"]):
        said.append(f"{len(lost)} acknowledged events are lost")
    if len(found["ids"]) != len(set(found["ids"])):
        said.append("an event is there twice")
    openings, stored = sum(tap["opened"] for tap in found["taps"]), found["grants"] - 20
    if stored < openings:
        said.append(f"{openings} openings, {stored} in the journal")
    return said


def _ill(found: dict[str, Any]) -> list[str]:
    said = []
    if isinstance(found["verified"], str):
        said.append(f"the journal does not verify: {found['verified']}")
    if found["aside"]:
        said.append("a healthy journal was set aside")
    if not found["well"]:
        said.append(f"not well again: {found['failing']}, {found['unsaved']} events wait")
    if found["faces"] < len(CARDS):
        said.append(f"{found['faces']} of {len(CARDS)} faces in the end")
    return said


def one(base: Path, plan: dict[str, Any], place: Path) -> list[str]:
    """Run one schedule on a copy of `base` below `place`; return the promises that were broken."""
    data = place / "data"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(base, data)
    card = Card(data, place / "control")
    card.play()
    try:
        found = card.run("tests.io.schedules", json.dumps(plan), FAULTY_SEED=str(plan["seed"]))
    except AssertionError as error:
        return [f"the door fell: {str(error)[-600:]}"]
    return broken(plan, found)


def run(schedules: int, seed: int, place: Path) -> list[tuple[dict[str, Any], list[str]]]:
    """Run so many schedules; return those that broke a promise, and which."""
    tally: Counter[str]
    rng, failed, tally = random.Random(seed), [], Counter()
    base = place / "base"
    make_base(base)
    for number in range(schedules):
        plan = schedule(rng)
        if said := one(base, plan, place):
            failed.append((plan, said))
            sys.stdout.write(f"{number}: {json.dumps(plan)}\n    {said}\n")
        tally["broken" if said else "kept"] += 1
        if number % 10 == 9:
            sys.stdout.write(f"{number + 1} schedules: {dict(tally)}\n")
        sys.stdout.flush()
    sys.stdout.write(f"seed {seed}: {dict(tally)} of {schedules} schedules\n")
    return failed


def main() -> None:
    """Play one schedule (folder, control, plan), or run many."""
    if len(sys.argv) == 4 and not sys.argv[1].startswith("-"):
        folder, control, plan = sys.argv[1:]
        sys.stdout.write(json.dumps(play(Card(Path(folder), Path(control)), json.loads(plan))) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facegate-schedules-") as place:
        sys.exit(bool(run(arguments.schedules, arguments.seed, Path(place))))


if __name__ == "__main__":
    main()
