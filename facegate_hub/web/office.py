"""What a page of the property works with: the book and what stands on it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edge.web.logins import LoginGuard
from edge.web.refusals import RefusalLog
from facegate_hub.community.accounts import StaffAccounts, StaffList
from facegate_hub.community.devices import Devices
from facegate_hub.community.doors import called_doors
from facegate_hub.community.entry import Invitations
from facegate_hub.community.kept_reading import KeptReading
from facegate_hub.community.notices import Notices
from facegate_hub.community.passkeys import Passkeys
from facegate_hub.community.people import PeopleRegister
from facegate_hub.community.rings import Rings
from facegate_hub.community.scores import read_scores
from facegate_hub.community.surveys import Surveys
from facegate_hub.community.tickets import Tickets
from facegate_hub.community.uptime import read_doors
from facegate_hub.community.visits import VisitorPasses
from facegate_hub.community.wall import read_wall
from facegate_hub.web.once import SentOnce
from facegate_hub.web.ticket_pages import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.web.refusals import RefusalKind
    from facegate_hub.community.book import Book, Doer
    from facegate_hub.community.scores import MonthScore
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.community.uptime import DoorRecord
    from facegate_hub.community.wall import Wall

LOG = logging.getLogger(__name__)
SHARED = Path(__file__).parent / "templates"
WALL_SECONDS, DOORS_SECONDS, SCORES_SECONDS = 10, 60, 300
"""How old what anybody may ask for may be."""


@dataclass(frozen=True, slots=True)
class WebOffice:
    """One application. `cookie` is its session's name, `url` where residents reach their page."""

    book: Book
    terms: Terms
    pages: Environment
    cookie: str
    url: str
    tickets: Tickets
    register: PeopleRegister
    invitations: Invitations
    accounts: StaffList
    devices: Devices
    passkeys: Passkeys
    surveys: Surveys
    notices: Notices
    visits: VisitorPasses
    rings: Rings
    wall: KeptReading[Wall]
    scores: KeptReading[list[MonthScore]]
    doors: KeptReading[list[DoorRecord]]
    door_names: Callable[[], Mapping[str, str]]
    """What people call the doors that have a name, by id."""
    logins: LoginGuard
    refusals: RefusalLog
    once: SentOnce
    secret: bytes
    """What forms' tokens are made with; the same after a restart, so that a form that is open stays good."""
    kind: str = "person"
    """Who logs in here: `person` or `account`."""
    menu: tuple[tuple[str, str, str], ...] = ()
    """Path, words, and the right that shows it."""
    store: StaffStore | None = None
    sessions_ended: Callable[[], object] = lambda: None
    """Called when sessions were ended here: whatever else they were let do ends as well."""

    @property
    def staff(self) -> StaffStore:
        """What only the property's own processes write. Raises `LookupError` on the residents' page."""
        if self.store is None:
            raise LookupError("this application has no store of staff's")
        return self.store

    def lets_in(self, holder: Doer) -> bool:
        """Return whether somebody may log in at this application now."""
        if holder.kind != self.kind:
            return False
        if holder.kind == "person":
            return self.register.one(holder.id).state == "active"
        account = self.accounts.one(holder.id)
        return account is not None and account.state == "active"

    @classmethod
    def of(cls, book: Book, terms: Terms, templates: Path, cookie: str, url: str) -> WebOffice:
        """Return the office of an application for residents, whose own templates are in a folder."""
        return cls(
            book=book,
            terms=terms,
            pages=environment(templates),
            cookie=cookie,
            url=url.rstrip("/"),
            tickets=Tickets(book, terms),
            register=PeopleRegister(book),
            invitations=Invitations(book),
            accounts=StaffList(book),
            devices=Devices(book),
            passkeys=Passkeys(book),
            surveys=Surveys(book),
            notices=Notices(book),
            visits=VisitorPasses(book, terms),
            rings=Rings(book),
            wall=KeptReading(book, partial(read_wall, book), WALL_SECONDS),
            scores=KeptReading(book, partial(read_scores, book, terms), SCORES_SECONDS),
            doors=KeptReading(book, partial(read_doors, book), DOORS_SECONDS),
            door_names=partial(called_doors, book),
            logins=LoginGuard(book.clock),
            refusals=RefusalLog(book.clock, _log_refusal),
            once=SentOnce(book.clock),
            # With the cookie's name: page and console share the book's secret, and a form's token of one must
            # not be valid at the other.
            secret=hashlib.sha256(cookie.encode() + book.secret).digest(),
        )

    def for_staff(self, store: StaffStore, menu: tuple[tuple[str, str, str], ...]) -> WebOffice:
        """Return this office for staff, whose logins are read where only the property writes."""
        return replace(
            self,
            kind="account",
            menu=menu,
            store=store,
            accounts=StaffAccounts(store),
            devices=Devices(store),
            passkeys=Passkeys(store),
            secret=hashlib.sha256(self.cookie.encode() + store.secret).digest(),
        )


@cache
def environment(templates: Path) -> Environment:
    """Return the templates of a folder and those that both applications share, compiled once a process."""
    loader = FileSystemLoader([templates, SHARED])
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    pages.globals.update(CHOICES)
    return pages


def _log_refusal(why: RefusalKind, address: str, path: str, untold: int) -> None:
    LOG.warning("refused (%s): %s from %s; %d more before", why.value, path, address, untold)
