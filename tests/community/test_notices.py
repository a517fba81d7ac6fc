"""Notices: two pairs of eyes, who sees them, corrections, counts of readers; and what nobody may publish."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from edge.errors import CommunityRefused
from facegate_hub.community.accounts import Account
from facegate_hub.community.book import SYSTEM, Book, Change
from facegate_hub.community.duties import OF_SIDE, Duty, Side
from facegate_hub.community.machine import Audience, TicketKind
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel, Notices, NoticeState
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.community.schema import METADATA, NOTICES
from facegate_hub.community.shaming import require_no_debtor
from facegate_hub.community.staff_store import StaffWriting, open_staff
from facegate_hub.community.tickets import Report
from facegate_hub.community.verify import verify
from tests.community.compound import STAFF, new_compound
from tests.community.web import resident, staff

DAY = 86_400


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def account(name):
    side = Side.COMMITTEE if STAFF[name] in OF_SIDE[Side.COMMITTEE] - {Duty.AUDITOR} else Side.PROPERTY
    return Account(name, STAFF[name], side, "active")


def draft(compound, **more):
    now = compound.book.now()
    values = {
        "level": NoticeLevel.INFO,
        "title_zh": "周三停水",
        "title_en": "No water on Wednesday",
        "text": "",
    }
    return NoticeDraft(**{**values, "begins": now, "ends": now + 3 * DAY, **more})


def shown(compound, by="dora", approved_by="mona", **more):
    notices = NoticeDesk(compound.staff)
    number = notices.draft(account(by), draft(compound, **more))
    notices.approve(account(approved_by), number)
    return number


def numbers(compound, name):
    return [one.number for one in Notices(compound.book).for_person(compound.people[name])]


def test_a_notice_needs_a_second_pair_of_eyes_and_an_emergency_none(compound):
    notices = NoticeDesk(compound.staff)
    for by, approver in (("dora", "dora"), ("mona", "mona"), ("dora", "guard-1"), ("dora", "root")):
        with pytest.raises(CommunityRefused):
            shown(compound, by, approver)
    assert notices.shown() == []
    shown(compound)
    shown(compound, "mona", "mona", level=NoticeLevel.EMERGENCY)
    assert [one.level for one in notices.shown()] == [NoticeLevel.EMERGENCY, NoticeLevel.INFO]
    for name in ("guard-1", "technician-1", "root", "audit"):
        with pytest.raises(CommunityRefused):
            notices.draft(account(name), draft(compound))


def test_who_sees_a_notice(compound):
    tenant = compound.register.add(SYSTEM, NewPerson("tenant", "3-1203", TieKind.TENANT))
    everybody, third = shown(compound), shown(compound, buildings=("3",))
    owners, later = shown(compound, tie="owner"), shown(compound, begins=compound.book.now() + DAY)
    assert set(numbers(compound, "wang")) == {everybody, third, owners}
    assert set(numbers(compound, "zhao")) == {everybody, owners}
    seen = {one.number for one in Notices(compound.book).for_person(tenant)}
    assert seen == {everybody, third}
    compound.clock.advance(DAY)
    assert later in numbers(compound, "zhao")
    compound.clock.advance(3 * DAY)
    assert numbers(compound, "wang") == []


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "3栋，5栋",
            "3 5",
            "３号楼、5幢",
            "3栋;5栋; 3",
            "3 栋 5 栋",
            "3 栋、5栋",
            "三号楼和五号楼",
            "3 号楼 及 5 号楼",
        ),
        *("building 3, building 5", "Building 3 and 5", "buildings 3 & 5"),
    ],
)
def test_buildings_are_taken_as_people_write_them(compound, typed):
    desk = staff(compound, "dora")
    desk.get("/notices")
    desk.send("/notices", title_zh="停水", text="明天", ends="2026-03-05T18:00", buildings=typed)
    assert desk.status == 200
    (notice,) = NoticeDesk(compound.staff).all()
    assert notice.buildings == ("3", "5")


def test_a_correction_is_a_new_version_and_the_old_one_stays_in_the_book(compound):
    old = shown(compound)
    new = shown(compound, title_en="No water on Thursday", replaces=str(old))
    assert numbers(compound, "wang") == [new]
    states = {one.number: one.state for one in NoticeDesk(compound.staff).all()}
    assert states == {old: NoticeState.REPLACED, new: NoticeState.SHOWN}
    with pytest.raises(CommunityRefused):
        shown(compound, replaces=str(old))
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


@pytest.mark.parametrize("ending", ["by hand", "by time", "by hand before it was drafted"])
def test_a_notice_that_ended_is_corrected_all_the_same(compound, ending):
    """Whoever had read it never heard of it, and the correction that was drafted already stayed a draft."""
    desk, mona = NoticeDesk(compound.staff), account("mona")
    old = shown(compound, text="the tap water is fit to drink")
    if ending == "by hand before it was drafted":
        desk.end(mona, old)
    ends = compound.book.now() + 9 * DAY
    new = desk.draft(account("dora"), draft(compound, text="boil it", replaces=str(old), ends=ends))
    if ending == "by hand":
        desk.end(mona, old)
    elif ending == "by time":
        compound.clock.advance(4 * DAY)
    desk.approve(mona, new)
    assert numbers(compound, "wang") == [new]
    phone = resident(compound, "wang")
    phone.get(f"/notices/{old}")
    assert "boil it" in phone.page, "a link in a mail leads to what is right now"
    assert "the tap water is fit to drink" in phone.page, "and what was wrong is told"
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_a_notice_is_corrected_once_and_a_draft_that_was_thrown_away_never(compound):
    desk, dora, mona = NoticeDesk(compound.staff), account("dora"), account("mona")
    old = shown(compound)
    late = desk.draft(dora, draft(compound, replaces=str(old)))
    new = shown(compound, replaces=str(old))
    desk.end(mona, new)
    with pytest.raises(CommunityRefused, match=f"Correct #{new}"):
        desk.approve(mona, late)
    with pytest.raises(CommunityRefused, match=f"Correct #{new}"):
        desk.draft(dora, draft(compound, replaces=str(old)))
    desk.end(mona, late)
    with pytest.raises(CommunityRefused, match="no such notice"):
        desk.draft(dora, draft(compound, replaces=str(late)))
    last = shown(compound, replaces=str(new))
    assert numbers(compound, "wang") == [last]


def test_a_correction_that_begins_later_leaves_what_it_corrects_until_then(compound):
    """Both were gone until the correction began."""
    old = shown(compound, title_en="No water on Wednesday")
    tomorrow = compound.book.now() + DAY
    new = shown(compound, title_en="No water on Thursday", replaces=str(old), begins=tomorrow)
    desk = NoticeDesk(compound.staff)
    assert numbers(compound, "wang") == [old] == [one.number for one in desk.shown()]
    assert {one.number: (one.begins, one.ends) for one in desk.for_doors()} == {
        old: (tomorrow - DAY, tomorrow),
        new: (tomorrow, tomorrow + 2 * DAY),
    }
    compound.clock.advance(DAY)
    assert numbers(compound, "wang") == [new] == [one.number for one in desk.shown()]
    with pytest.raises(CommunityRefused, match=f"Correct #{new}"):
        shown(compound, replaces=str(old))


@pytest.mark.parametrize(
    "more",
    [
        {"title_zh": "", "title_en": " "},
        {"title_zh": "字" * 121},
        {"title_en": "two\nlines"},
        {"title_en": "right to left \u202e"},
        {"ends": 0},
        {"ends": 2**40},
        {"buildings": ("9",)},
        {"buildings": ("栋",)},
        {"buildings": (" & ",)},
        {"tie": "debtor"},
        {"replaces": "77"},
        {"text": "3-1203 欠费 2300 元，请尽快缴纳"},
        {"text": "wang owes two years"},
    ],
    ids=str,
)
def test_what_cannot_be_a_notice(compound, more):
    with pytest.raises(CommunityRefused):
        NoticeDesk(compound.staff).draft(account("dora"), draft(compound, **more))


@pytest.mark.parametrize(
    "text",
    [
        "3-1203 欠费两年",
        "5栋101拖欠物业费",
        "1203室 未缴 2025 年物业费",
        "Flat 3-1203 is in arrears",
        "apartment 12 owes 500",
        "以下业主逾期缴费：3号楼1203",
    ],
)
def test_no_text_names_a_debtor(text):
    with pytest.raises(CommunityRefused, match="owes money"):
        require_no_debtor(text)


@pytest.mark.parametrize(
    "text",
    ["本季度物业费收缴率 93%，未缴部分请到前台办理", "3-1203 漏水", "No water in building 3 on Wednesday"],
)
def test_what_is_no_debtors_list_is_published(text):
    require_no_debtor(text)


def test_a_public_complaint_names_no_debtor_either(compound):
    report = Report(
        TicketKind.COMPLAINT,
        "fees",
        "5-101 拖欠物业费",
        requester=compound.people["wang"],
        audience=Audience.ALL,
    )
    with pytest.raises(CommunityRefused):
        compound.tickets.report(compound.asker("wang"), report)


def test_no_table_has_a_place_for_debts_faces_or_scores_of_people(compound):
    with compound.book.engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        columns = [c["name"] for table in names for c in sa.inspect(connection).get_columns(table)]
    words = [*names, *columns, *METADATA.tables]
    for forbidden in (
        "arrear",
        "debt",
        "balance",
        "owed",
        "face",
        "template",
        "embedding",
        "credit",
        "id_card",
    ):
        assert not [word for word in words if forbidden in word]
    scored = [
        table.name for table in METADATA.sorted_tables if "score" in table.c and "ticket" not in table.c
    ]
    assert scored == [], "work is scored, never a person"


def test_readers_are_counts_of_buildings_from_five_on_and_are_forgotten(compound):
    number = shown(compound)
    people = [compound.register.add(SYSTEM, NewPerson(f"p{n}", "3-1203", TieKind.FAMILY)) for n in range(5)]
    notices = Notices(compound.book)
    for person in people[:4]:
        notices.open(person, number)
        notices.open(person, number)
    notices.open(compound.people["zhao"], number)
    assert notices.readers(number) == {}
    notices.open(people[4], number)
    assert notices.readers(number) == {"3": 5}
    compound.clock.advance(91 * DAY)
    assert notices.forget_reads() == 6
    assert notices.readers(number) == {}


def test_from_the_desks_draft_to_the_residents_phone(compound):
    desk, manager, phone = staff(compound, "dora"), staff(compound, "mona"), resident(compound, "wang")
    desk.get("/notices")
    more = {"title_zh": "停水", "title_en": "No water <b>", "text": "From nine", "level": "urgent"}
    desk.send("/notices", ends="2026-03-05T18:00", buildings="3", **more)
    assert 'value="approve"' not in desk.page, "whoever wrote it does not approve it"
    desk.send("/notices/1", do="approve")
    assert "somebody other" in desk.page
    manager.get("/notices")
    assert all(words in manager.page for words in ("停水", "No water &lt;b&gt;", "From nine")), (
        "all of it is seen"
    )
    manager.send("/notices/1", do="approve")
    phone.get("/")
    assert "No water &lt;b&gt;" in phone.page
    phone.get("/notices/1")
    assert "From nine" in phone.page
    assert "2026-03-05 18:00" in phone.page
    assert resident(compound, "zhao").get("/notices/1").status_code == 422


class BusyBook(Book):
    """A book whose writer has to wait once, while another process goes on."""

    def __init__(self, book, meanwhile):
        super().__init__(book.engine, book.sealer, book.clock, book.secret)
        self.meanwhile = meanwhile

    def writing(self):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return super().writing()


def test_two_processes_that_tell_the_book_leave_what_staff_did_last(compound, tmp_path):
    """The one that had waited told again what was older: what had ended was shown, in the book's copy."""
    number = shown(compound)
    mona = account("mona")
    with compound.staff.engine.begin() as connection:
        values: dict[str, str | int | None] = {"state": NoticeState.SHOWN.value}
        StaffWriting(connection, compound.book.now()).tell(
            mona.doer, "notice.approved", f"notice:{number}", (Change(NOTICES, str(number), values),)
        )
    slow = open_staff(tmp_path, BusyBook(compound.book, lambda: NoticeDesk(compound.staff).end(mona, number)))
    slow.tell()
    assert slow.tell() == 0
    with compound.book.looking() as connection:
        state = connection.execute(sa.select(NOTICES.c.state).where(NOTICES.c.id == str(number))).scalar()
        assert state == NoticeState.ENDED
        assert verify(connection, compound.book.sealer).problems == []


def test_a_notice_that_is_still_shown_can_be_ended_however_many_came_after_it(compound):
    """The desk saw the last sixty: an older one stood on every display until its time was over."""
    desk = NoticeDesk(compound.staff)
    old = shown(compound)
    for _ in range(4):
        desk.end(account("mona"), shown(compound))
    assert [one.number for one in desk.all(most=3)] == [old + 4, old + 3, old + 2, old]
    desk.end(account("mona"), old)
    assert old not in [one.number for one in desk.all(most=3)]
