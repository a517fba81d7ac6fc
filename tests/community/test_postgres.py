"""The same book on PostgreSQL: kept from changes, verified, with every step of a ticket."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.duties import Duty
from facegate_hub.community.faults import Faults
from facegate_hub.community.machine import OPEN, TicketAct, TicketKind
from facegate_hub.community.notice_desk import MOST_BUILDINGS, NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.person import erase_person
from facegate_hub.community.schema import LEDGER, METADATA, PEOPLE
from facegate_hub.community.staff_store import UNTOLD, open_staff
from facegate_hub.community.terms import read_terms
from facegate_hub.community.tickets import Report, Tickets, TicketWish
from facegate_hub.community.timekeeper import pass_time
from facegate_hub.community.verify import verify
from tests.community.compound import STAFF, Compound, add_account
from tests.community.world import new_book
from tests.present import present


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
    assert [one.ticket.number for one in compound.tickets.urgent(compound.asker("dora"), OPEN)] == [number]
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


def test_what_is_as_long_or_as_many_as_it_may_be_fits(tmp_path, postgresql):
    """PostgreSQL refuses what SQLite takes: more than a column holds, more values than a statement has."""
    book, _ = new_book(tmp_path, postgresql)
    terms, register, staff = read_terms(tmp_path), PeopleRegister(book), open_staff(tmp_path, book)
    add_account(staff, "dora", Duty.DESK)
    buildings = (*(f"{number:02}{'b' * 16}" for number in range(10)), "x" * 10)
    register.put_flats(SYSTEM, [(f"{one}-1", one, "1") for one in buildings])
    assert len(",".join(buildings)) == MOST_BUILDINGS
    now = book.now()
    dora = present(StaffAccounts(staff).one("dora"))
    NoticeDesk(staff).draft(dora, NoticeDraft(NoticeLevel.INFO, "停水", "", "", now, now + 3600, buildings))
    Faults(book, terms).update({("d" * 64, "health.credentials"): True})
    wang = register.add(SYSTEM, NewPerson("王", f"{buildings[0]}-1", TieKind.OWNER, resident="1-1"))
    rows = [{"id": f"p{number}", "state": "active", "language": "zh"} for number in range(66_000)]
    with book.engine.begin() as connection:
        connection.execute(sa.insert(PEOPLE), rows)
    assert register.by_resident() == {"1-1": wang}
    assert [one.id for one in register.search("王")] == [wang]
    with book.engine.begin() as connection:
        connection.execute(sa.delete(PEOPLE).where(PEOPLE.c.id.startswith("p")))
    register.remove_flat(SYSTEM, f"{buildings[-1]}-1")
    with book.looking() as connection:
        assert verify(connection, book.sealer).problems == []
    with staff.looking() as connection:
        assert connection.execute(sa.select(UNTOLD)).all() == []
    staff.engine.dispose()
    book.engine.dispose()
