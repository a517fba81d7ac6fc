"""The console as one ASGI application: every page, and which duty may see it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facegate_hub.community.devices import Devices
from facegate_hub.community.duties import Right
from facegate_hub.console import (
    views_accounts,
    views_book,
    views_flats,
    views_login,
    views_notices,
    views_people,
    views_tickets,
)
from facegate_hub.console.views_alarms import AlarmPages
from facegate_hub.console.views_audit import AuditPages
from facegate_hub.console.views_buildings import BuildingPages
from facegate_hub.console.views_doors import DoorPages
from facegate_hub.console.views_entries import EntryPages
from facegate_hub.console.views_moving import MovingPages
from facegate_hub.console.views_roster import RosterPages
from facegate_hub.console.views_roster_move import RosterMovePages
from facegate_hub.console.views_rule_forms import RuleFormPages
from facegate_hub.console.views_rules import RulesPages
from facegate_hub.console.views_settings import SettingPages
from facegate_hub.console.views_visitors import VisitorPages
from facegate_hub.console.views_ways import WayPages
from facegate_hub.web import passkey_pages
from facegate_hub.web.application import PageRow, make_application
from facegate_hub.web.asking import ANYBODY, Who
from facegate_hub.web.office import WebOffice

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.console.doors_desk import DoorsDesk

COOKIE = "__Host-facegate-staff"
STAFF = Who("/login")
GET, POST, BOTH = ("GET",), ("POST",), ("GET", "POST")


def _with(right: Right, *, stays_on: bool = False) -> Who:
    return Who("/login", lambda ask: ask.may(right), stays_on)


PAGES: tuple[PageRow, ...] = (
    ("/", GET, STAFF, views_tickets.home),
    ("/login", BOTH, ANYBODY, views_login.login),
    ("/first", BOTH, ANYBODY, views_login.first),
    ("/first/app", POST, ANYBODY, views_login.app),
    ("/logout", POST, STAFF, views_login.logout),
    ("/passkey", BOTH, ANYBODY, passkey_pages.login),
    ("/passkeys", BOTH, STAFF, passkey_pages.passkeys),
    ("/passkeys/remove", POST, STAFF, passkey_pages.remove),
    ("/tickets", GET, _with(Right.TICKETS), views_tickets.tickets),
    ("/tickets/{number}", GET, _with(Right.TICKETS), views_tickets.ticket),
    ("/tickets/{number}/step", POST, _with(Right.TICKETS), views_tickets.step),
    ("/tickets/{number}/photo/{mark}", GET, _with(Right.TICKETS), views_tickets.photo),
    ("/new", BOTH, _with(Right.REPORT), views_tickets.new),
    ("/flats", BOTH, _with(Right.PEOPLE), views_flats.flats),
    ("/flats/remove", POST, _with(Right.PEOPLE), views_flats.remove),
    ("/people", GET, _with(Right.PEOPLE), views_people.people),
    ("/people/{person}/change", POST, _with(Right.PEOPLE), views_people.change),
    ("/people/{person}/phones", POST, _with(Right.PEOPLE), views_people.end_phones),
    ("/people/{person}/tie", POST, _with(Right.PEOPLE), views_people.tie),
    ("/notices", BOTH, _with(Right.WRITE_NOTICES), views_notices.notices),
    ("/notices/{number}", POST, _with(Right.WRITE_NOTICES), views_notices.decide),
    ("/invite", POST, _with(Right.PEOPLE), views_people.invite),
    ("/invite/withdraw", POST, _with(Right.PEOPLE), views_people.withdraw),
    ("/accounts", BOTH, _with(Right.ACCOUNTS), views_accounts.accounts),
    ("/counts", GET, _with(Right.COUNTS), views_book.counts),
    ("/book", GET, _with(Right.LEDGER), views_book.book),
)

MENU: tuple[tuple[str, str, Right], ...] = (
    ("/tickets", "menu.tickets", Right.TICKETS),
    ("/new", "menu.new", Right.REPORT),
    ("/people", "menu.people", Right.PEOPLE),
    ("/visitors", "menu.visitors", Right.VISITORS),
    ("/notices", "menu.notices", Right.WRITE_NOTICES),
    ("/counts", "menu.counts", Right.COUNTS),
    ("/accounts", "menu.accounts", Right.ACCOUNTS),
    ("/book", "menu.book", Right.LEDGER),
)
"""Path, words, and the right that shows it."""


DOOR_MENU: tuple[tuple[str, str, Right], ...] = (
    ("/doors", "menu.doors", Right.DOORS),
    ("/alarms", "menu.alarms", Right.DOORS),
    ("/entries", "menu.entries", Right.DOORS),
    ("/access", "menu.access", Right.PEOPLE),
    ("/rules", "menu.rules", Right.PEOPLE),
    ("/audit", "menu.audit", Right.DOORS),
)


def make_console(store: StaffStore, terms: Terms, url: str, doors: DoorsDesk | None = None) -> Starlette:
    """Return the console. `url` is where residents reach their page, for invitations.

    `doors` reaches the site's doors; without it the console has no pages of theirs.
    """
    residents = WebOffice.of(store.book, terms, Path(__file__).parent / "templates", COOKIE, url)
    office = residents.for_staff(store, MENU if doors is None else (*DOOR_MENU, *MENU))
    if doors is not None:
        # Doors are called as the hub calls them: the book's copy can be written by the residents' page.
        ended = partial(doors.leave_logged_out, Devices(store))
        office = replace(office, door_names=doors.looking.door_names, sessions_ended=ended)
    visitors, guards = VisitorPages(doors), _with(Right.VISITORS)
    gatehouse = _with(Right.VISITORS, stays_on=True)  # who rings is seen there all through a shift
    moving, desk = MovingPages(doors), _with(Right.PEOPLE)
    listed = () if doors is None else (("/people/roster", BOTH, desk, RosterMovePages(doors).move),)
    # Fixed paths before those with a variable: `/people/{person}` would match `/people/new` as well.
    pages = (
        *listed,
        ("/people/new", BOTH, desk, moving.new),
        ("/people/slips", BOTH, desk, views_people.slips),
        ("/people/{person}", GET, desk, moving.person),
        ("/people/{person}/end", POST, desk, moving.end_tie),
        *PAGES,
        ("/visitors", GET, gatehouse, visitors.visitors),
        ("/visitors/{pass_id}/end", POST, guards, visitors.end),
    )
    return make_application(office, pages if doors is None else (*pages, *door_pages(doors)))


def door_pages(desk: DoorsDesk) -> tuple[PageRow, ...]:
    """Return the pages of doors, alarms, entries and who may enter."""
    doors, alarms, entries = DoorPages(desk), AlarmPages(desk), EntryPages(desk)
    roster, rules, buildings = RosterPages(desk), RulesPages(desk), BuildingPages(desk)
    forms, settings = RuleFormPages(desk), SettingPages(desk)
    seen, people, ways = _with(Right.DOORS), _with(Right.PEOPLE), WayPages(desk)
    return (
        ("/doors", GET, seen, doors.doors),
        ("/doors/enter", POST, seen, doors.enter),
        ("/doors/act", POST, seen, doors.act),
        ("/doors/told/{answer}", GET, seen, doors.told),
        ("/doors/building", POST, seen, buildings.act),
        ("/doors/{door}/settings", GET, seen, settings.settings),
        ("/doors/{door}/settings", POST, seen, settings.change),
        ("/doors/{door}/checkup", POST, seen, settings.act),
        ("/audit", GET, seen, AuditPages(desk).audit),
        ("/alarms", GET, seen, alarms.alarms),
        ("/alarms", POST, seen, alarms.see_to),
        ("/entries", GET, seen, entries.entries),
        ("/entries.csv", GET, seen, entries.table),
        ("/access", GET, people, roster.people),
        ("/access", POST, people, roster.save),
        ("/access/load", POST, people, roster.load),
        ("/access/faces", POST, people, roster.faces),
        ("/rules", GET, people, rules.form),
        ("/rules", POST, people, rules.attempt),
        ("/rules/send", POST, people, rules.send),
        ("/rules/agree", POST, people, rules.agree),
        ("/rules/schedule", BOTH, people, forms.schedule),
        ("/rules/level", BOTH, people, forms.level),
        ("/rules/days", BOTH, people, forms.days),
        ("/access/{person:path}/remove", POST, people, roster.remove),
        ("/access/{person:path}/ways", POST, people, roster.end_ways),
        ("/access/{person:path}/pin", POST, people, ways.pin),
        ("/access/{person:path}/card", POST, people, ways.card),
        ("/access/{person:path}/agree", POST, people, ways.agree),
        ("/access/{person:path}", GET, people, roster.person),
    )
