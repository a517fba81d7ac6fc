"""A compound that does not exist, with three weeks of history: to look around in, and for screenshots."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import SYSTEM, Book, Doer
from facegate_hub.community.duties import Duty
from facegate_hub.community.machine import Audience, TicketAct, TicketKind, Urgency
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.community.parts import Asker
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.tickets import Report, Tickets, TicketWish
from facegate_hub.community.timekeeper import pass_time
from facegate_hub.community.totp import code_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.runtime.clock import ManualClock
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms

DAYS = 21
BUILDINGS, FLOORS = ("1", "2", "3", "5"), (1, 2, 3, 6, 12)
STAFF = {
    "admin": Duty.ADMIN,
    "manager-lin": Duty.MANAGER,
    "desk-1": Duty.DESK,
    "technician-1": Duty.TECHNICIAN,
    "technician-2": Duty.TECHNICIAN,
    "guard-1": Duty.GUARD,
    "committee-1": Duty.COMMITTEE,
}
RESIDENTS = (
    ("王秀兰", "3-1203", TieKind.OWNER, "zh", "3-1203-1"),
    ("王建国", "3-1203", TieKind.FAMILY, "zh", "3-1203-2"),
    ("李明", "3-302", TieKind.OWNER, "zh", "3-302-1"),
    ("Anna Schmidt", "3-601", TieKind.TENANT, "en", "3-601-1"),
    ("赵敏", "5-101", TieKind.OWNER, "zh", "5-101-1"),
    ("陈晓东", "1-202", TieKind.TENANT, "zh", "1-202-1"),
    ("刘芳", "2-1201", TieKind.OWNER, "zh", ""),
    ("周大爷", "1-101", TieKind.OWNER, "zh", ""),
)
"""Name, flat, tie, language and number in the doors' roster; two go in with a key."""
A = TicketAct


@dataclass
class _Story:
    """Three weeks, told day by day with a clock of its own."""

    staff: StaffStore
    clock: ManualClock
    terms: Terms
    tickets: Tickets
    people: dict[str, str] = field(default_factory=dict)
    flats: dict[str, str] = field(default_factory=dict)

    @property
    def book(self) -> Book:
        """The book that stands beside what staff keep."""
        return self.staff.book

    def who(self, name: str) -> Asker:
        if name in STAFF:
            return Asker(Doer("account", name), STAFF[name])
        return Asker(Doer("person", self.people[name]), flats=frozenset({self.flats[name]}))

    def later(self, **time: float) -> None:
        """Let time pass, hour by hour as the timekeeper does."""
        left = timedelta(**time).total_seconds()
        while left > 0:
            self.clock.advance(min(left, 3600.0))
            left -= 3600.0
            pass_time(self.book, self.terms)

    def report(self, name: str, category: str, text: str, **more: object) -> int:
        values = {"kind": TicketKind.REPAIR, "flat": self.flats[name], "requester": self.people[name], **more}
        report = Report(category=category, text=text, **values)  # type: ignore[arg-type]
        return self.tickets.report(self.who(name), report)[0]

    def act(self, name: str, number: int, act: TicketAct, **fields: str) -> None:
        self.tickets.take(self.who(name), number, TicketWish(act, fields))

    def work(self, number: int, name: str, text: str, cause: str = "wear") -> None:
        self.act("desk-1", number, A.ASSIGN, assignee=name)
        self.later(hours=2)
        self.act(name, number, A.START)
        self.later(hours=3)
        self.act(name, number, A.RESOLVE, text=text, cause=cause)


@dataclass(frozen=True, slots=True)
class DemoCompound:
    """Who can be looked over the shoulder of: a resident's id, and staff by duty."""

    resident: str
    staff: tuple[str, ...]


def fill_demo(
    open_with: Callable[[ManualClock], StaffStore], terms: Terms, clock: ManualClock
) -> DemoCompound:
    """Fill an empty book with three weeks that end now; `clock` stands three weeks ago."""
    staff = open_with(clock)
    story = _Story(staff, clock, terms, Tickets(staff.book, terms))
    _settle(story)
    _first_week(story)
    _second_week(story)
    _this_week(story)
    return DemoCompound(story.people["王秀兰"], tuple(STAFF))


def _settle(story: _Story) -> None:
    register, accounts = PeopleRegister(story.book), StaffAccounts(story.staff)
    floors = [
        (building, f"{floor}{door:02}") for building in BUILDINGS for floor in FLOORS for door in (1, 2, 3)
    ]
    register.put_flats(SYSTEM, [(f"{building}-{unit}", building, unit) for building, unit in floors])
    for name, flat, kind, language, number in RESIDENTS:
        somebody = NewPerson(name, flat, kind, language, resident=number)
        story.people[name] = register.add(SYSTEM, somebody)
        story.flats[name] = flat
    code = accounts.first_code()
    for name, duty in STAFF.items():
        admin = accounts.one("admin")
        assert admin is not None  # noqa: S101 - `first_code` made it
        if name != "admin":
            code = accounts.make(admin, name, duty)
        secret = accounts.claim(name, code or "", f"only for this demo {len(name)}")
        accounts.activate(name, code or "", code_at(secret or b"", story.book.now()))


def _first_week(story: _Story) -> None:
    leak = story.report("王秀兰", "water", "厨房水龙头一直滴水", place="厨房")
    story.later(minutes=20)
    story.work(leak, "technician-1", "更换了阀芯")
    story.later(hours=5)
    story.act("王秀兰", leak, A.REOPEN, text="晚上又开始滴水了")
    story.later(hours=14)
    story.act("technician-1", leak, A.START)
    story.act("technician-1", leak, A.RESOLVE, text="更换了整只水龙头", cause="wear")
    story.later(hours=3)
    story.act("王秀兰", leak, A.CONFIRM)
    dark = story.report(
        "李明", "common", "三号楼六层楼道灯不亮", place="3 号楼 6 层", audience=Audience.BUILDING
    )
    story.act("Anna Schmidt", dark, A.ME_TOO)
    story.later(days=2, hours=1)
    story.work(dark, "technician-2", "更换声控开关")
    story.later(days=1)


def _second_week(story: _Story) -> None:
    noise = story.report(
        "赵敏", "noise", "凌晨垃圾清运太吵", kind=TicketKind.COMPLAINT, audience=Audience.ALL
    )
    inside = story.report("陈晓东", "power", "卧室插座没电")
    story.later(minutes=25)
    story.act("manager-lin", inside, A.DECLINE, reason="private", text="户内线路由业主自行维修，可代请电工")
    story.act("陈晓东", inside, A.APPEAL, text="是楼道总线问题，邻居家也没电")
    story.later(days=1)
    story.act("committee-1", inside, A.GRANT, text="电工确认是公共线路")
    story.work(noise, "manager-lin", "与清运公司约定早上六点半以后进场", "contractor")
    story.later(days=1)
    story.act("赵敏", noise, A.CONFIRM)
    story.work(inside, "technician-1", "修复楼道线路")
    story.act("陈晓东", inside, A.CONFIRM)
    praise = story.report(
        "刘芳", "service", "保安小张帮忙搬东西，谢谢", kind=TicketKind.PRAISE, audience=Audience.ALL
    )
    story.act("desk-1", praise, A.COMMENT, text="谢谢，我们会转告")
    story.later(days=3)


def _this_week(story: _Story) -> None:
    left = DAYS * 86_400 - (story.book.now() - _begin(story))
    story.later(seconds=max(0, left - 2 * 86_400))
    gate = story.report("王秀兰", "door", "北门下雨天关不严", place="北门", audience=Audience.ALL)
    story.act("desk-1", gate, A.ASSIGN, assignee="technician-2")
    story.act("technician-2", gate, A.START)
    until = (story.clock.now() + timedelta(days=5)).isoformat(timespec="minutes")
    story.act("technician-2", gate, A.WAIT, why="part", until=until)
    lift = story.report("王秀兰", "lift", "2 号电梯到 12 层时有异响", place="3 号楼 2 号梯")
    story.work(lift, "technician-1", "已润滑导轨并检查门机")
    _announce(story)
    story.later(hours=12)
    story.report("Anna Schmidt", "water", "No hot water since this morning", urgency=Urgency.URGENT)
    story.later(hours=20)
    story.report(
        "周大爷", "parking", "消防通道被占，希望划线", kind=TicketKind.OPINION, audience=Audience.ALL
    )
    story.report("李明", "fees", "公共收益多久公布一次？", kind=TicketKind.QUESTION)


def _announce(story: _Story) -> None:
    desk, manager = (StaffAccounts(story.staff).one(name) for name in ("desk-1", "manager-lin"))
    assert desk is not None  # noqa: S101 - made in `_settle`, as the other
    assert manager is not None  # noqa: S101
    notices, now = NoticeDesk(story.staff), story.book.now()
    for level, zh, en, days in (
        (
            NoticeLevel.INFO,
            "周三 9:00-11:00 三号楼水箱清洗，期间停水",
            "No water in building 3, Wednesday 9-11: tank cleaning",
            6,
        ),
        (NoticeLevel.URGENT, "北门施工，请绕行东门", "North gate under repair: please use the east gate", 4),
    ):
        draft = NoticeDraft(level, zh, en, "", now, now + days * 86_400, ("3",) if days == 6 else ())
        notices.approve(manager, notices.draft(desk, draft))


def _begin(story: _Story) -> int:
    with story.book.looking() as connection:
        return story.book.newest(connection, 10_000)[-1].at
