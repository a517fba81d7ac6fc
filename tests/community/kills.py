"""Writers, page and console are killed at random while people write; afterwards the book must hold.

python -m tests.community.kills --kills 60            # processes that write to the book
python -m tests.community.kills --kills 60 --served   # page and console, with forms being sent to both

Ends with an error code unless every step that somebody was told of is there once, and the book verifies. A
form that got no answer may be there or not, but never twice.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import sqlalchemy as sa

from edge.runtime.clock import SystemClock
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.database import open_book
from facegate_hub.community.devices import Devices
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.parts import Asker
from facegate_hub.community.schema import CONTENTS
from facegate_hub.community.staff_store import FOLDER, TERMS_FILE
from facegate_hub.community.terms import read_terms
from facegate_hub.community.tickets import Report, Tickets, TicketWish
from facegate_hub.community.verify import verify
from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from tests.community.compound import new_compound
from tests.community.served import client, csrf, side
from tests.present import present

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.community.compound import Compound
    from tests.community.served import ServedSide

FEW = "[limits]\ntickets_a_day = 1000000\nalike_a_day = 1000000\n"
"""No limits of a day in a trial that lasts minutes."""


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
    told = [int(present(writer.stdout).readline()) for writer in writers]  # both are at it
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


@dataclass
class Sender:
    """Somebody who sends forms until told to stop; `told` were answered, `sent` are all."""

    served: ServedSide
    cookie: str
    token: str
    forms: Callable[[str], tuple[str, str, dict[str, str]]]
    sent: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def run(self, ended: threading.Event) -> None:
        browser = client(self.served.url, self.cookie, self.token)
        while not ended.is_set():
            text = f"{self.served.name}-{len(self.sent)}-"
            page, place, fields = self.forms(text)
            try:
                shown = browser.get(page)
                if shown.status_code != 200:
                    raise httpx.HTTPError(f"answered {shown.status_code}")
                token = csrf(shown.text)
                self.sent.append(text)
                answer = browser.post(place, data={**fields, "csrf": token})
            except httpx.HTTPError:
                ended.wait(0.05)  # away, and on its way back
                continue
            if answer.status_code == 303:
                self.told.append(text)


def served_trial(folder: Path, kills: int, rng: random.Random) -> list[str]:
    """Kill page and console in turns while forms are sent to both; return what is wrong."""
    compound = new_compound(folder)
    (folder / FOLDER / TERMS_FILE).write_text(FEW)
    compound.book.clock = SystemClock()
    door = Asker(SYSTEM)
    number, _ = compound.tickets.report(door, Report(TicketKind.FAULT, "door", "camera"))

    def reports(text: str) -> tuple[str, str, dict[str, str]]:
        return "/new", "/new", {"kind": "opinion", "category": "noise", "text": text, "flat": "3-1203"}

    def comments(text: str) -> tuple[str, str, dict[str, str]]:
        return f"/tickets/{number}", f"/tickets/{number}/step", {"act": "comment", "text": text}

    sides = [side("page", folder), side("console", folder)]
    wang, dora = Doer("person", compound.people["wang"]), Doer("account", "dora")
    senders = [
        Sender(sides[0], PAGE_COOKIE, Devices(compound.book).begin(wang, "test"), reports),
        Sender(sides[1], CONSOLE_COOKIE, Devices(compound.staff).begin(dora, "test"), comments),
    ]
    ended = threading.Event()
    threads = [threading.Thread(target=one.run, args=(ended,)) for one in senders]
    for one in sides:
        one.start()
    for thread in threads:
        thread.start()
    for kill in range(kills):
        victim, sender = sides[kill % 2], senders[kill % 2]
        before, patience = len(sender.sent), 6000
        while len(sender.sent) < before + 2 and (patience := patience - 1):
            time.sleep(0.02)  # it serves again
        time.sleep(rng.random() * 0.2)
        victim.kill()
        victim.start()
    ended.set()
    for thread in threads:
        thread.join()
    for one in sides:
        one.stop()
    return _wrong(compound, senders)


def _wrong(compound: Compound, senders: list[Sender]) -> list[str]:
    with compound.book.looking() as connection:
        problems = list(verify(connection, compound.book.sealer).problems)
        marks = set(connection.execute(sa.select(CONTENTS.c.mark)).scalars())
        kept: Counter[str] = Counter()
        for mark in marks:
            kept[present(compound.book.text(connection, mark))] += 1
    for sender in senders:
        problems += [f"{text}: lost" for text in sender.told if kept[text] < 1]
        problems += [f"{text}: {kept[text]} times" for text in sender.sent if kept[text] > 1]
        sys.stdout.write(f"{sender.served.name}: {len(sender.told)} told of {len(sender.sent)} sent\n")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--served", action="store_true")
    wish = parser.parse_args()
    if wish.write is not None:
        write(wish.write)
    wrong, rng = [], random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        if wish.served:
            wrong = served_trial(Path(folder), wish.kills, rng)
        for number in range(0 if wish.served else (wish.kills + 1) // 2):
            wrong += trial(Path(folder) / str(number), rng)
    sys.stdout.write("".join(f"{one}\n" for one in wrong[:20]) + f"{wish.kills} kills, {len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
