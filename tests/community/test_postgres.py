"""The same book on PostgreSQL: kept from changes, verified, with every step of a ticket."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from facegate_hub.community.book import SYSTEM
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.person import erase_person
from facegate_hub.community.schema import LEDGER, METADATA
from facegate_hub.community.staff_store import open_staff
from facegate_hub.community.terms import read_terms
from facegate_hub.community.tickets import Report, Tickets, TicketWish
from facegate_hub.community.timekeeper import pass_time
from facegate_hub.community.verify import verify
from tests.community.compound import STAFF, Compound, add_account
from tests.community.world import new_book


def test_a_ticket_its_way_and_a_book_that_is_kept(tmp_path, postgresql):
    book, clock = new_book(tmp_path, postgresql)
    again, _ = new_book(tmp_path, postgresql)
    terms, register = read_terms(tmp_path), PeopleRegister(book)
    register.put_flats(SYSTEM, [("3-1203", "3", "1203")])
    wang = register.add(SYSTEM, NewPerson("王秀兰", "3-1203", TieKind.OWNER))
    staff = open_staff(tmp_path, book)
    for name, duty in STAFF.items():
        add_account(staff, name, duty)
    compound = Compound(book, clock, terms, Tickets(book, terms), register, staff, {"wang": wang})
    report = Report(TicketKind.REPAIR, "water", "漏水", flat="3-1203", requester=wang)
    number, _ = compound.tickets.report(compound.asker("wang"), report)
    clock.advance(3600)
    assert pass_time(book, terms) == 1
    compound.act("dora", number, TicketAct.ASSIGN, assignee="technician-1")
    compound.act("technician-1", number, TicketAct.START)
    compound.act("technician-1", number, TicketAct.RESOLVE, text="好了", cause="wear")
    Tickets(again, terms).take(compound.asker("wang"), number, TicketWish(TicketAct.CONFIRM))
    erase_person(book, SYSTEM, wang)
    with book.looking() as connection:
        assert verify(connection, book.sealer).problems == []
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
        assert [change for change in found if "community_version" not in str(change)] == []
    for statement in (sa.update(LEDGER).values(kind="x"), sa.delete(LEDGER)):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), book.engine.begin() as connection:
            connection.execute(statement)
    book.engine.dispose()
    again.engine.dispose()
