"""Whoever leaves a flat leaves nothing behind that lets them in again, and a flat made by mistake goes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from edge.errors import CommunityRefused
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.duties import Duty
from facegate_hub.community.entry import Arrival, Invitations
from facegate_hub.community.faults import Faults
from facegate_hub.community.machine import Audience, TicketAct, TicketKind
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.community.person import erase_person
from facegate_hub.community.schema import FAULTS, PEOPLE
from facegate_hub.community.staff_store import UNTOLD
from facegate_hub.community.tickets import Report
from facegate_hub.community.verify import verify
from facegate_hub.database import AT_ONCE
from tests.community.compound import new_compound
from tests.community.web import staff
from tests.present import present

DORA = Doer("account", "dora")
SOMEBODY = Arrival("Somebody", "zh", "a phone")


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def move_out(compound, name):
    person = compound.register.one(compound.people[name])
    compound.register.end_tie(DORA, person.ties[0].id)


def problems(compound):
    with compound.book.looking() as connection:
        return verify(connection, compound.book.sealer).problems


@pytest.mark.parametrize("way", ["moved out", "erased"])
def test_a_slip_of_the_flat_lets_nobody_in_after_somebody_left_it(compound, way):
    """They kept it, came back by it as an owner, and made passes for the building."""
    invitations = Invitations(compound.book)
    slip = invitations.invite(DORA, "5-101", TieKind.OWNER)
    neighbours = invitations.invite(DORA, "3-1203", TieKind.OWNER)
    if way == "erased":
        erase_person(compound.book, DORA, compound.people["zhao"])
    else:
        move_out(compound, "zhao")
    assert invitations.look(slip) is None
    with pytest.raises(CommunityRefused):
        invitations.accept(slip, SOMEBODY)
    assert invitations.look(neighbours) is not None
    assert compound.register.of_flat("5-101") == []
    assert problems(compound) == []
    # The next family gets slips of its own.
    assert invitations.look(invitations.invite(DORA, "5-101", TieKind.TENANT)) is not None


def test_a_code_that_names_somebody_ends_when_they_leave_and_not_with_a_neighbour(compound):
    invitations = Invitations(compound.book)
    codes = {
        name: invitations.invite(DORA, "3-1203", TieKind.OWNER, compound.people[name])
        for name in ("wang", "wang-wife")
    }
    move_out(compound, "wang")
    compound.register.tie(DORA, compound.people["wang"], "3-1204", TieKind.OWNER)
    assert invitations.look(codes["wang"]) is None
    assert invitations.look(codes["wang-wife"]) is not None


def test_nobody_is_invited_who_has_left_or_never_was_there(compound):
    move_out(compound, "zhao")
    for person in (compound.people["zhao"], "nobody"):
        with pytest.raises(CommunityRefused):
            Invitations(compound.book).invite(DORA, "5-101", TieKind.OWNER, person)


def test_a_flat_made_by_mistake_is_removed_with_its_slips(compound):
    compound.register.put_flats(SYSTEM, [("33-1203", "33", "1203")])
    slip = Invitations(compound.book).invite(DORA, "33-1203", TieKind.OWNER)
    desk = staff(compound, "dora")
    desk.get("/flats")
    desk.send("/flats/remove", flat="33栋1203")
    assert "33-1203 was removed" in desk.page
    assert "33-1203" not in compound.register.flats()
    assert Invitations(compound.book).look(slip) is None
    assert problems(compound) == []
    compound.register.put_flats(SYSTEM, [("33-1203", "33", "1203")])
    assert compound.register.flats()["33-1203"] == "33"
    assert problems(compound) == []


def test_a_flat_where_somebody_lives_or_that_a_ticket_is_of_stays(compound):
    desk = staff(compound, "dora")
    desk.get("/flats")
    desk.send("/flats/remove", flat="5-101")
    assert desk.status == 422
    assert "Move them out first" in desk.page
    zhao = compound.people["zhao"]
    report = Report(TicketKind.REPAIR, "water", "drips", flat="5-101", requester=zhao)
    number, _ = compound.tickets.report(compound.asker("zhao"), report)
    move_out(compound, "zhao")
    with pytest.raises(CommunityRefused, match=str(number)):
        compound.register.remove_flat(DORA, "5-101")
    compound.act("mona", number, TicketAct.DECLINE, reason="private", text="not ours")
    assert compound.register.remove_flat(DORA, "5-101") == "5-101"
    assert staff(compound, "guard-1").get("/flats").status_code == 403


def test_a_row_put_back_behind_the_book_after_its_removal_is_seen(compound):
    compound.register.put_flats(SYSTEM, [("9-1", "9", "1")])
    compound.register.remove_flat(DORA, "9-1")
    with compound.book.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO flats (id, building, unit) VALUES ('9-1', '9', '1')")
    assert problems(compound) == ["flats 9-1: no entry made it"]


def take_few_values(engine):
    """Have SQLite take little more in one statement than we give it at once."""

    @sa.event.listens_for(engine, "connect")
    def few(connection, _record):
        connection.setlimit(9, AT_ONCE + 20)  # SQLITE_LIMIT_VARIABLE_NUMBER

    engine.dispose()


def test_more_people_than_one_statement_takes_are_found_by_their_numbers(compound):
    """Codes for the page that doors make were given to nobody any more."""
    take_few_values(compound.book.engine)
    compound.register.change(DORA, compound.people["li"], resident="3-1204-1")
    rows = [{"id": f"p{number}", "state": "active", "language": "zh"} for number in range(2 * AT_ONCE)]
    with compound.book.engine.begin() as connection:
        connection.execute(sa.insert(PEOPLE), rows)
    assert compound.register.by_resident() == {"3-1204-1": compound.people["li"]}


def test_more_names_than_one_statement_takes_are_read(compound):
    """With 32,767 of them, or on PostgreSQL 65,536, nobody was found any more."""
    take_few_values(compound.book.engine)
    with compound.book.writing() as writing:
        marks = {writing.keep(f"name {number}", "person:x") for number in range(2 * AT_ONCE)}
        writing.enter(SYSTEM, "person.changed", "person:x")
    with compound.book.looking() as connection:
        assert len(compound.book.texts(connection, marks)) == 2 * AT_ONCE


def test_the_last_account_that_keeps_accounts_of_its_side_keeps_its_duty(compound):
    """Nobody could have made the committee's next account: the property may not."""
    accounts = StaffAccounts(compound.staff)
    chair = present(accounts.one("chair"))
    with pytest.raises(CommunityRefused, match="last account"):
        accounts.make(chair, "chair", Duty.AUDITOR)
    assert present(accounts.one("chair")).duty is Duty.COMMITTEE
    assert accounts.make(chair, "chair", Duty.COMMITTEE), "a fresh start is no other duty"


def test_words_of_a_neighbour_go_with_the_neighbour_and_stay_without(compound):
    """A comment belonged to whose ticket it was: erasing its writer left it there."""
    wang = compound.people["wang"]
    report = Report(
        TicketKind.REPAIR, "water", "drips", flat="3-1203", requester=wang, audience=Audience.BUILDING
    )
    number, _ = compound.tickets.report(compound.asker("wang"), report)
    compound.act("li", number, TicketAct.ME_TOO)
    compound.act("li", number, TicketAct.COMMENT, text="at li's, too")
    erase_person(compound.book, DORA, compound.people["li"])
    assert "at li's, too" not in [
        one.text for one in compound.tickets.sheet(compound.asker("wang"), number).steps
    ]
    assert problems(compound) == []


def test_no_step_of_a_ticket_that_others_read_names_a_debtor(compound):
    wang = compound.people["wang"]
    report = Report(TicketKind.OPINION, "fees", "why?", flat="3-1203", requester=wang, audience=Audience.ALL)
    number, _ = compound.tickets.report(compound.asker("wang"), report)
    with pytest.raises(CommunityRefused):
        compound.act("dora", number, TicketAct.COMMENT, text="3栋1204 欠费")
    private, _ = compound.tickets.report(
        compound.asker("wang"), Report(TicketKind.QUESTION, "other", "and?", requester=wang)
    )
    compound.act("dora", private, TicketAct.COMMENT, text="3栋1204 欠费")


def test_nothing_is_merged_into_a_complaint_that_the_desk_may_not_read(compound):
    wang = compound.people["wang"]
    complaint = Report(TicketKind.COMPLAINT, "service", "rude", requester=wang, about="dora")
    hidden, _ = compound.tickets.report(compound.asker("wang"), complaint)
    report = Report(TicketKind.REPAIR, "water", "drips", requester=compound.people["zhao"])
    number, _ = compound.tickets.report(compound.asker("zhao"), report)
    with pytest.raises(CommunityRefused):
        compound.act("dora", number, TicketAct.MERGE, into=str(hidden))
    with pytest.raises(CommunityRefused):
        compound.tickets.sheet(compound.asker("zhao"), hidden)


def test_a_guard_who_wrote_a_ticket_down_waits_for_none(compound):
    """They could say "me too", and their account stood among the residents who follow it."""
    number, _ = compound.tickets.report(
        compound.asker("guard-1"), Report(TicketKind.REPAIR, "door", "the gate squeaks", flat="3-1203")
    )
    assert compound.tickets.sheet(compound.asker("guard-1"), number).acts == ()


def test_a_notice_for_more_buildings_than_the_book_takes_is_refused(compound):
    """PostgreSQL refused the book's copy, and with it all that staff did afterwards."""
    buildings = tuple(f"{number}-long" for number in range(40))
    compound.register.put_flats(SYSTEM, [(f"{one}-1", one, "1") for one in buildings])
    now = compound.book.now()
    draft = NoticeDraft(NoticeLevel.INFO, "停水", "", "", now, now + 3600, buildings)
    dora = present(StaffAccounts(compound.staff).one("dora"))
    with pytest.raises(CommunityRefused, match="too many buildings"):
        NoticeDesk(compound.staff).draft(dora, draft)
    with compound.staff.looking() as connection:
        assert connection.execute(sa.select(UNTOLD)).all() == []


def test_a_fault_of_a_door_with_the_longest_name_fits_its_column(compound):
    door = "d" * 64
    Faults(compound.book, compound.terms).update({(door, "health.credentials"): True})
    with compound.book.looking() as connection:
        row = connection.execute(sa.select(FAULTS)).one()
    assert (row.door, row.rule) == (door, "health.credentials")
    assert len(row.id) <= 80
    assert problems(compound) == []


@pytest.mark.parametrize("language", ["", "de", "x" * 300])
def test_nobody_has_a_language_that_is_none_of_ours(compound, language):
    with pytest.raises(CommunityRefused):
        compound.register.add(SYSTEM, NewPerson("A", "5-101", TieKind.OWNER, language))
    with pytest.raises(CommunityRefused):
        compound.register.change(SYSTEM, compound.people["zhao"], language=language)


def test_time_goes_on_for_others_when_a_clock_has_lost_its_ticket(compound):
    report = Report(TicketKind.REPAIR, "water", "drips", requester=compound.people["zhao"])
    lost, _ = compound.tickets.report(compound.asker("zhao"), report)
    other, _ = compound.tickets.report(compound.asker("zhao"), report)
    with compound.book.engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM tickets WHERE id = '{lost}'")
    compound.wait(days=30)
    assert compound.tickets.sheet(compound.asker("zhao"), other).ticket.level > 0
