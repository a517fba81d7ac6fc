"""Tickets: the whole way of one, promised times, who sees what, and slips."""

from __future__ import annotations

from datetime import timedelta

import cv2
import numpy as np
import pytest

from edge.errors import CommunityRefused
from facegate_hub.community.machine import OPEN, Audience, TicketAct, TicketKind, TicketState, Urgency
from facegate_hub.community.tickets import Report, TicketWish
from facegate_hub.community.verify import verify
from tests.community.compound import new_compound
from tests.present import present

A, S = TicketAct, TicketState


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def report(compound, name="wang", **more):
    values = {
        "kind": TicketKind.REPAIR,
        "category": "water",
        "text": "The tap drips",
        "flat": "3-1203",
        **more,
    }
    return compound.tickets.report(compound.asker(name), Report(requester=compound.people[name], **values))[0]


def state(compound, number):
    return compound.tickets.sheet(compound.asker("mona"), number).ticket.state


def resolve(compound, number):
    compound.act("dora", number, A.ASSIGN, assignee="technician-1")
    compound.act("technician-1", number, A.START)
    compound.act("technician-1", number, A.RESOLVE, text="New washer", cause="wear")


def test_a_repair_goes_its_whole_way_and_its_requester_sees_every_step(compound):
    number = report(compound)
    resolve(compound, number)
    compound.act("wang", number, A.REOPEN, text="Still drips")
    compound.act("technician-1", number, A.START)
    compound.act("technician-1", number, A.WAIT, why="part", until="2026-03-04T12:00")
    compound.act("technician-1", number, A.RESOLVE, text="New tap", cause="wear")
    compound.act("wang", number, A.CONFIRM)
    sheet = compound.tickets.sheet(compound.asker("wang"), number)
    assert sheet.ticket.state is S.CONFIRMED
    acts = ["new", "assign", "start", "resolve", "reopen", "start", "wait", "resolve", "confirm"]
    assert [step.act for step in sheet.steps] == acts
    assert sheet.steps[3].text == "New washer"
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_nobody_but_the_requester_confirms(compound):
    number = report(compound)
    resolve(compound, number)
    for name in ("wang-wife", "li", "mona", "dora", "technician-1", "chair", "root", "time"):
        with pytest.raises(CommunityRefused):
            compound.act(name, number, A.CONFIRM)
    assert state(compound, number) is S.RESOLVED


def test_silence_ends_a_ticket_under_a_name_of_its_own_and_can_be_broken(compound):
    number = report(compound)
    resolve(compound, number)
    compound.wait(days=6.9)
    assert state(compound, number) is S.RESOLVED
    compound.wait(days=0.2)
    assert state(compound, number) is S.SILENT
    compound.act("wang", number, A.REOPEN, text="I was away. It drips")
    assert state(compound, number) is S.REOPENED


def test_after_thirty_days_a_new_ticket_is_asked_for(compound):
    number = report(compound)
    resolve(compound, number)
    compound.act("wang", number, A.CONFIRM)
    compound.clock.advance(timedelta(days=31).total_seconds())
    with pytest.raises(CommunityRefused, match="30 days"):
        compound.act("wang", number, A.REOPEN, text="Again")


def test_a_broken_promise_stays_whatever_comes_after_and_climbs_by_itself(compound):
    number = report(compound, urgency=Urgency.URGENT)
    compound.wait(hours=2.1)
    sheet = compound.tickets.sheet(compound.asker("wang"), number)
    assert (sheet.ticket.level, sheet.steps[-1].act) == (1, "breached")
    with pytest.raises(CommunityRefused):
        compound.tickets.sheet(compound.asker("chair"), number)
    compound.wait(hours=2)
    assert compound.tickets.sheet(compound.asker("chair"), number).ticket.level == 2
    resolve(compound, number)
    compound.act("wang", number, A.CONFIRM)
    clocks = {clock.kind: clock for clock in compound.tickets.sheet(compound.asker("wang"), number).clocks}
    assert clocks["answer"].breached_at is not None
    assert clocks["done"].breached_at is None
    assert clocks["done"].met_at is not None


def test_office_hours_alone_count_and_only_the_requester_can_stop_them(compound):
    number = report(compound)  # Monday 10:00; two office days are 18 hours: Wednesday 10:00
    sheet = compound.tickets.sheet(compound.asker("wang"), number)
    done = next(clock for clock in sheet.clocks if clock.kind == "done")
    assert done.due_at - sheet.ticket.opened_at == 2 * 86_400
    compound.act("dora", number, A.ASSIGN, assignee="technician-1")
    compound.act("technician-1", number, A.START)
    compound.act("technician-1", number, A.WAIT, why="part", until="2026-03-20T12:00")
    assert clock_of(compound, number).due_at == done.due_at, "a missing part is the property's affair"
    compound.act("technician-1", number, A.RESUME)
    compound.act("technician-1", number, A.WAIT, why="access", until="2026-03-20T12:00")
    assert clock_of(compound, number).due_at is None
    compound.clock.advance(3600)
    compound.act("technician-1", number, A.RESUME)
    assert clock_of(compound, number).due_at == done.due_at + 3600


def clock_of(compound, number, kind="done"):
    clocks = compound.tickets.sheet(compound.asker("wang"), number).clocks
    return next(clock for clock in clocks if clock.kind == kind)


def test_a_complaint_about_somebody_is_kept_from_them_and_from_the_desk(compound):
    more = {"kind": TicketKind.COMPLAINT, "category": "service", "about": "mike"}
    number = report(compound, text="Mike was rude", **more)
    for name in ("mike", "dora", "root", "audit", "wang-wife", "technician-1", "chair"):
        with pytest.raises(CommunityRefused):
            compound.tickets.sheet(compound.asker(name), number)
    with pytest.raises(CommunityRefused, match="cannot be given"):
        compound.act("mona", number, A.ASSIGN, assignee="mike")
    compound.tickets.note_look(compound.asker("mona"), number)
    compound.tickets.note_look(compound.asker("mona"), number)
    steps = compound.tickets.sheet(compound.asker("wang"), number).steps
    assert [step.act for step in steps] == ["new", "looked"], "once a day, and its requester sees it"


@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        (Audience.PRIVATE, {"wang"}),
        (Audience.FLAT, {"wang", "wang-wife"}),
        (Audience.BUILDING, {"wang", "wang-wife", "li"}),
        (Audience.ALL, {"wang", "wang-wife", "li", "zhao"}),
    ],
)
def test_who_may_read_a_ticket(compound, audience, readers):
    number = report(compound, audience=audience)
    for name in ("wang", "wang-wife", "li", "zhao"):
        if name in readers:
            assert compound.tickets.sheet(compound.asker(name), number).text == "The tap drips"
        else:
            with pytest.raises(CommunityRefused):
                compound.tickets.sheet(compound.asker(name), number)


def test_a_declined_ticket_is_appealed_once_and_the_committee_answers(compound):
    number = report(compound)
    compound.act("mona", number, A.DECLINE, reason="private", text="Inside your flat")
    compound.act("wang", number, A.APPEAL, text="The pipe is in the wall")
    with pytest.raises(CommunityRefused):
        compound.act("mona", number, A.UPHOLD, text="No")
    compound.act("chair", number, A.UPHOLD, text="The rules say so")
    with pytest.raises(CommunityRefused, match="appealed once already"):
        compound.act("wang", number, A.APPEAL, text="Once more")


def test_whose_ticket_was_merged_can_still_say_that_theirs_is_not_fixed(compound):
    one, two = report(compound, audience=Audience.ALL), report(compound, "li", flat="3-1204")
    compound.act("dora", two, A.MERGE, into=str(one))
    with pytest.raises(CommunityRefused, match="still being worked on"):
        compound.act("li", two, A.REOPEN, text="Mine drips")
    resolve(compound, one)
    assert [line.ticket.number for line in compound.tickets.of_person(compound.people["li"])] == [two, one]
    compound.act("li", two, A.REOPEN, text="Mine drips")
    assert state(compound, two) is S.REOPENED


def test_what_is_alike_is_shown_and_joined(compound):
    number = report(compound, audience=Audience.BUILDING)
    mine = Report(TicketKind.REPAIR, "water", "Tap", flat="3-1204", requester=compound.people["li"])
    found = compound.tickets.alike(compound.asker("li"), mine)
    assert [line.ticket.number for line in found] == [number]
    compound.act("li", number, A.ME_TOO)
    assert compound.tickets.sheet(compound.asker("wang"), number).watchers == 1


def test_a_person_reports_so_many_a_day(compound):
    for _ in range(2):
        report(compound)
    with pytest.raises(CommunityRefused, match="2 of these"):
        report(compound)
    for category in ("power", "lift", "noise", "other"):
        for _ in range(2):
            report(compound, category=category)
    with pytest.raises(CommunityRefused, match="10 of these"):
        report(compound, category="fees")


def test_nobody_reports_for_another_flat_or_in_another_name(compound):
    for more in ({"flat": "5-101"}, {"flat": "9-999"}, {"category": "arrears"}, {"text": " "}):
        with pytest.raises(CommunityRefused):
            report(compound, **more)
    with pytest.raises(CommunityRefused):
        compound.tickets.report(
            compound.asker("li"), Report(TicketKind.REPAIR, "water", "x", requester=compound.people["wang"])
        )


def test_who_holds_the_slip_confirms_and_the_desk_that_wrote_it_does_not(compound):
    wish = Report(TicketKind.REPAIR, "lift", "Lift 2 stands still", place="Building 3")
    number, code = compound.tickets.report(compound.asker("dora"), wish)
    resolve(compound, number)
    with pytest.raises(CommunityRefused):
        compound.act("dora", number, A.CONFIRM)
    assert compound.tickets.by_slip(number, "AAAAA-AAAAA") is None
    assert compound.tickets.by_slip(number + 1, code) is None
    holder = compound.tickets.by_slip(number, code.lower().replace("-", " "))
    compound.tickets.take(holder, number, TicketWish(A.CONFIRM))
    assert state(compound, number) is S.CONFIRMED


def picture():
    image = np.full((1800, 2400, 3), 120, np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    return data[:2] + b"\xff\xe1\x00\x11Exif\x00\x00GPS31.2N1" + data[2:]


def test_a_photo_carries_nothing_but_what_is_seen_on_it(compound):
    assert b"GPS31" in picture()
    number = report(compound, photos=(picture(),))
    sheet = compound.tickets.sheet(compound.asker("mona"), number)
    (mark,) = sheet.steps[0].photos
    stored = compound.tickets.photo(compound.asker("mona"), number, mark)
    assert b"Exif" not in stored
    assert b"GPS31" not in stored
    assert max(present(cv2.imdecode(np.frombuffer(stored, np.uint8), 1)).shape) == 1600
    with pytest.raises(CommunityRefused):
        compound.tickets.photo(compound.asker("zhao"), number, mark)
    assert compound.tickets.photo(compound.asker("mona"), number, "0" * 64) is None


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg/>", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"\0" * 30]
)
def test_what_is_no_picture_is_refused_and_no_ticket_opened(compound, data):
    with pytest.raises(CommunityRefused):
        report(compound, photos=(data,))
    assert compound.tickets.lines(compound.asker("mona")) == []


def test_no_ticket_of_many_is_out_of_the_desks_reach_and_late_ones_stand_first(compound):
    """A list showed the hundred that changed last, and not those that nobody had touched for longest."""
    desk = compound.asker("dora")
    written = Report(TicketKind.REPAIR, "water", "The tap drips", flat="3-1203")
    first = {compound.tickets.report(desk, written)[0] for _ in range(5)}
    compound.wait(days=10)
    rest = {compound.tickets.report(desk, written)[0] for _ in range(8)}
    urgent = compound.tickets.urgent(desk, OPEN, 10)
    assert {one.ticket.number for one in urgent[:5]} == first
    assert [one.is_late for one in urgent] == [True] * 5 + [False] * 5
    then = compound.tickets.urgent(desk, OPEN, 10, 10)
    found = [one.ticket.number for one in (*urgent, *then)]
    assert len(found) == len(set(found)) == 13
    assert set(found) == first | rest
    lately = [one.ticket.number for one in compound.tickets.lines(desk, OPEN, 10, 10)]
    assert set(lately) < first
