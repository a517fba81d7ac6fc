"""A bad day in minutes: a real door, its page, guard and broker, and faults drawn one after another.

    python -m tests.soak --faults 300 [--seed S]

Promised: no stranger's card or PIN ever opens; every resident is let in within three seconds of a fault's
end, and by card or PIN during it unless door or guard are dead; every opening is in the journal, the journal
verifies, and the broker gets all of it.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.io.base import PEOPLE
from tests.io.card import library
from tests.soak.faults import FAULTS, SHUTS
from tests.soak.site import Site

LATE_SECONDS = 3.0
STRANGER_SECONDS = 0.8
DRAIN_SECONDS = 60.0
LOADED_SECONDS = 12.0
"""With this much the run goes on and says how long it took: other work on the machine is no fault of ours."""


class Day:
    """One run: what was asked, what opened, what was broken."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.rng = site, random.Random(seed)
        self.broken: list[str] = []
        self.waits: list[float] = []
        self.openings = self.during = self.asked_during = 0

    def fault(self, number: int) -> None:
        """Play one fault, with a resident during and after it, and a stranger."""
        (kind,) = self.rng.choices(list(FAULTS), list(FAULTS.values()))
        with kind(self.site, self.rng) as told:
            time.sleep(self.rng.uniform(0.1, 0.6))
            self.asked_during += 1
            is_in = self._comes_in(LATE_SECONDS) or (kind not in SHUTS and self._comes_in(LOADED_SECONDS))
            self.during += is_in
            if not is_in and kind not in SHUTS:
                self.broken.append(f"{number}: {told}: a resident stays outside during it")
        self.site.door.wait_ready()
        self._after(f"{number}: {told}")
        self._stranger(f"{number}: {told}")
        sys.stdout.write(f"{number:4d} {told}: in {self.waits[-1] if self.waits else 0:.1f} s after it\n")
        sys.stdout.flush()

    def end(self) -> None:
        """Look at what the day has left: every opening, a whole chain, nothing undelivered."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and (self.site.waiting_for_broker() or not self.site.page_answers()):
            time.sleep(0.5)
        if left := self.site.waiting_for_broker():
            self.broken.append(f"the broker has not got {left} events")
        if not self.site.page_answers():
            self.broken.append("the page does not answer")
        events = self.site.events()
        granted = sum(event["type"] == "access.granted" for event in events) - 20
        if granted < self.openings:
            self.broken.append(f"{self.openings} openings, {granted} in the journal")
        if len({event["id"] for event in events}) != len(events):
            self.broken.append("an event is there twice")

    def _comes_in(self, seconds: float) -> bool:
        """Have a resident try card and PIN; return whether the relay was energised."""
        number = self.rng.randrange(len(PEOPLE))
        for ask in (self.site.tap, self.site.type_pin):
            began = time.monotonic()
            ask(number)
            if self.site.opened_since(began, seconds):
                self.openings += 1
                self._wait_for_rest()
                return True
        return False

    def _after(self, told: str) -> None:
        began = time.monotonic()
        while not self._comes_in(LATE_SECONDS):
            if time.monotonic() - began > LOADED_SECONDS:
                self.broken.append(f"{told}: a resident stays outside after it")
                return
        self.waits.append(time.monotonic() - began)

    def _stranger(self, told: str) -> None:
        self._wait_for_rest()
        began = time.monotonic()
        if self.rng.random() < 0.7:
            self.site.tap(self.rng.randrange(100, 10_000))
        else:
            self.site.type_pin(self.rng.randrange(len(PEOPLE)), "180204")
        if self.site.opened_since(began, STRANGER_SECONDS):
            self.broken.append(f"{told}: opened for a stranger")

    def _wait_for_rest(self) -> None:
        until = time.monotonic() + 5.0
        while not self.site.is_at_rest() and time.monotonic() < until:
            time.sleep(0.05)


def run(faults: int, seed: int, home: Path) -> list[str]:
    """Play so many faults; return what was broken."""
    with ExitStack() as stack:
        site = Site(home, stack)
        day = Day(site, seed)
        site.door.wait_ready()
        began = time.monotonic()
        for number in range(1, faults + 1):
            day.fault(number)
        day.end()
        minutes = (time.monotonic() - began) / 60
    waits = sorted(day.waits) or [0.0]
    sys.stdout.write(
        f"seed {seed}: {faults} faults in {minutes:.1f} min, {site.door.starts} starts of the door, "
        f"{site.guard.starts} of the guard; {day.during} of {day.asked_during} let in while a fault lasted; "
        f"after it within {waits[len(waits) // 2]:.1f} s (median), {waits[-1]:.1f} s (slowest)\n"
    )
    sys.stdout.write("".join(f"BROKEN {what}\n" for what in day.broken) or "every promise was kept\n")
    return day.broken


def main() -> None:
    """Run the day."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    library()
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # its broker needs no recorder
    with tempfile.TemporaryDirectory(prefix="facegate-soak-") as place:
        sys.exit(bool(run(arguments.faults, arguments.seed, Path(place))))


if __name__ == "__main__":
    main()
