"""People and staff of a test's compound, and the way to let one of them take a step."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from facegate_hub.community.book import SYSTEM, Book, Change, Doer
from facegate_hub.community.duties import OF_SIDE, Duty, Side
from facegate_hub.community.parts import Asker
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.schema import ACCOUNTS
from facegate_hub.community.staff_store import COMMITTEE_BEGAN, StaffStore, mark, open_staff
from facegate_hub.community.terms import read_terms
from facegate_hub.community.tickets import Tickets, TicketWish
from facegate_hub.community.timekeeper import pass_time
from tests.community.world import new_book

if TYPE_CHECKING:
    from edge.runtime.clock import ManualClock
    from facegate_hub.community.machine import TicketAct
    from facegate_hub.community.terms import Terms

STAFF = {
    "mona": Duty.MANAGER,
    "mike": Duty.MANAGER,
    "dora": Duty.DESK,
    "technician-1": Duty.TECHNICIAN,
    "technician-2": Duty.TECHNICIAN,
    "guard-1": Duty.GUARD,
    "chair": Duty.COMMITTEE,
    "audit": Duty.AUDITOR,
    "root": Duty.ADMIN,
}
FLATS = (("3-1203", "3", "1203"), ("3-1204", "3", "1204"), ("5-101", "5", "101"))
RESIDENTS = {"wang": "3-1203", "wang-wife": "3-1203", "li": "3-1204", "zhao": "5-101"}


@dataclass
class Compound:
    book: Book
    clock: ManualClock
    terms: Terms
    tickets: Tickets
    register: PeopleRegister
    staff: StaffStore
    people: dict[str, str] = field(default_factory=dict)

    def asker(self, name: str) -> Asker:
        if name in STAFF:
            return Asker(Doer("account", name), STAFF[name])
        if name == "time":
            return Asker(SYSTEM)
        return Asker(Doer("person", self.people[name]), flats=frozenset({RESIDENTS[name]}))

    def act(self, name: str, number: int, act: TicketAct, **fields: str) -> None:
        self.tickets.take(self.asker(name), number, TicketWish(act, fields))

    def wait(self, **time: float) -> None:
        self.clock.advance(timedelta(**time).total_seconds())
        pass_time(self.book, self.terms)


def add_account(store: StaffStore, name: str, duty: Duty) -> None:
    side = Side.COMMITTEE if duty in OF_SIDE[Side.COMMITTEE] - {Duty.AUDITOR} else Side.PROPERTY
    values: dict[str, str | int | None] = {"duty": duty.value, "side": side.value, "state": "active"}
    with store.writing() as writing:
        writing.enter(SYSTEM, "account.made", f"account:{name}", Change(ACCOUNTS, name, values))
        if side is Side.COMMITTEE:
            mark(writing.connection, COMMITTEE_BEGAN, writing.at)


@cache
def _first() -> tuple[Path, dict[str, str]]:
    """Return a folder with a compound's book and the ids of its people: made once, copied for each test."""
    folder = Path(tempfile.mkdtemp(prefix="facegate-compound-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    book, _ = new_book(folder)
    register = PeopleRegister(book)
    register.put_flats(SYSTEM, FLATS)
    people = {
        name: register.add(SYSTEM, NewPerson(name, flat, TieKind.OWNER)) for name, flat in RESIDENTS.items()
    }
    staff = open_staff(folder, book)
    for name, duty in STAFF.items():
        add_account(staff, name, duty)
    staff.engine.dispose()
    book.engine.dispose()
    return folder, people


def new_compound(folder: Path) -> Compound:
    first, people = _first()
    for part in ("community", "staff"):
        shutil.copytree(first / part, folder / part)
    book, clock = new_book(folder)
    terms = read_terms(folder)
    staff = open_staff(folder, book)
    return Compound(book, clock, terms, Tickets(book, terms), PeopleRegister(book), staff, dict(people))
