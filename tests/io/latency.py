"""How long a visitor waits at a door whose card takes 100 ms, 1 s or 30 s for an fsync.

python -m tests.io.latency [--visitors 30]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.io.base import make_base
from tests.io.card import Card

FSYNCS = ("0", "0.1", "1", "30")
BETWEEN_SECONDS = 0.5


def visits(card: Card, fsync: str, visitors: int) -> dict[str, Any]:
    """Return how long each of so many visitors waited, and what was stored once the card was well."""
    from tests.io.small_door import SmallDoor, waiting  # noqa: PLC0415 - only where the faults are seen

    with ExitStack() as stack:
        door = SmallDoor(card.folder, stack, "latency")
        if fsync != "0":
            card.play(f"fsync * HANG={fsync}")
        taps = []
        for number in range(visitors):
            taps.append(door.tap(number))
            time.sleep(BETWEEN_SECONDS)
        unsaved = door.events.unsaved
        card.play()
        until_well = time.monotonic()
        for _ in waiting(door, 60):
            pass
        left, well_seconds = door.events.unsaved, time.monotonic() - until_well
    seconds = [tap["seconds"] for tap in taps]
    return {
        "visitors": visitors,
        "opened": sum(tap["opened"] for tap in taps),
        "median": round(statistics.median(seconds), 2),
        "slowest": max(seconds),
        "waited_in_memory": unsaved,
        "left": left,
        "well_after": round(well_seconds, 1),
    }


def main() -> None:
    """Play one card (folder, control, seconds, visitors), or print the table."""
    if len(sys.argv) == 5 and not sys.argv[1].startswith("-"):
        folder, control, fsync, visitors = sys.argv[1:]
        found = visits(Card(Path(folder), Path(control)), fsync, int(visitors))
        sys.stdout.write(json.dumps(found) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    count = str(parser.parse_args().visitors)
    for fsync in FSYNCS:
        with tempfile.TemporaryDirectory(prefix="facegate-latency-") as place:
            make_base(Path(place) / "data")
            card = Card(Path(place) / "data", Path(place) / "control")
            found = card.run("tests.io.latency", fsync, count, seconds=300)
        sys.stdout.write(f"fsync {fsync} s: {json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
