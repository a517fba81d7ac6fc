"""Writers are killed at random while they report, step and end tickets; afterwards the book must hold.

python -m tests.community.kills --kills 60

Ends with an error code unless every entry that a writer was told of is there, and the book verifies.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge.runtime.clock import SystemClock
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.database import open_book
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.parts import Asker
from facegate_hub.community.terms import read_terms
from facegate_hub.community.tickets import Report, Tickets, TicketWish
from facegate_hub.community.verify import verify


def write(folder: Path) -> None:
    """Write until killed, and tell of each ticket once it is committed."""
    book = open_book(folder, None, SystemClock())
    tickets, door = Tickets(book, read_terms(folder)), Asker(SYSTEM)
    while True:
        number, _ = tickets.report(door, Report(TicketKind.FAULT, "door", "camera"))
        tickets.take(door, number, TicketWish(TicketAct.COMMENT, {"text": "still"}))
        tickets.take(door, number, TicketWish(TicketAct.WITHDRAW))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def trial(folder: Path, rng: random.Random) -> list[str]:
    """Kill two writers after a moment; return what is wrong."""
    words = [sys.executable, "-m", "tests.community.kills", "--write", str(folder)]
    writers = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [int(writer.stdout.readline()) for writer in writers]  # both are at it
    time.sleep(rng.random() * 0.5)
    for writer in writers:
        writer.kill()
        told += [int(line) for line in writer.communicate()[0].splitlines() if line.strip()]
    book = open_book(folder, None, SystemClock())
    tickets = Tickets(book, read_terms(folder))
    with book.looking() as connection:
        problems = list(verify(connection, book.sealer).problems)
    steps = {number: [step.act for step in tickets.sheet(Asker(SYSTEM), number).steps] for number in told}
    book.engine.dispose()
    lost = [number for number, acts in steps.items() if acts != ["new", "comment", "withdraw"]]
    doubled = [number for number in told if told.count(number) > 1]
    return [*problems, *(f"ticket {one}: lost or doubled" for one in {*lost, *doubled})]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--write", type=Path)
    wish = parser.parse_args()
    if wish.write is not None:
        write(wish.write)
    wrong, rng = [], random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range((wish.kills + 1) // 2):
            wrong += trial(Path(folder) / str(number), rng)
    sys.stdout.write("".join(f"{one}\n" for one in wrong[:20]) + f"{wish.kills} kills, {len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
