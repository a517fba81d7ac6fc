"""A clock that was ahead and is set right: nothing waits until the time that it had shown before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from edge.policy.passes import Pass, PassKind
from edge.wire.commands import CommandType
from facegate_hub.alerts import Alert, AlertChannel
from facegate_hub.community.book import Change, Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.machine import TicketKind
from facegate_hub.community.schema import PASSES, TICKETS
from facegate_hub.community.tickets import Report
from facegate_hub.community.visits import VisitKind, VisitorPasses, VisitWish
from facegate_hub.events import EventSink
from facegate_hub.reading import News
from facegate_hub.requests import outcome
from facegate_hub.sending import FIRST_RETRY_SECONDS, ChannelSender
from facegate_hub.signed_passes import SignedPasses
from facegate_hub.signer.allowance import FIRST_TIDY, MOST_COMMANDS, AuditAllowance
from facegate_hub.signer.audit import read_wishes
from facegate_hub.signer.desk import MOST_REFUSALS
from facegate_hub.signer.principals import IDLE_SECONDS, MOST_FAILURES, Principal
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.signer.tables import FIRST_VOICES, PRINCIPALS
from facegate_hub.signer.wishes import MOST_WAITING
from facegate_hub.tables import REQUESTS, open_tables
from tests.community.compound import new_compound
from tests.hub.entries import chain, pack
from tests.hub.test_signer import Place, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

YEAR = 365 * 86_400
PASSWORD = "correct horse battery 9"


class Broken:
    """A channel that takes nothing until it is mended."""

    name = "mail"

    def __init__(self) -> None:
        self.is_broken = True
        self.taken: list[Alert] = []

    def send(self, items: Sequence[Alert]) -> None:
        if self.is_broken:
            raise OSError("nobody listens")
        self.taken += items


class Sender(ChannelSender[AlertChannel, Alert]):
    what = "alarms"
    look_seconds = 1.0

    def _due(self, channel: AlertChannel, now: float) -> Sequence[Alert]:
        return [Alert(1, "front", "door.forced", now, 1, None)]

    def _note(self, channel: AlertChannel, items: Sequence[Alert], now: float) -> None:
        pass


def test_an_alarm_that_failed_once_is_sent_when_the_clock_was_set_back():
    now, channel = [2.0e9], Broken()
    sender = Sender([channel], lambda: now[0])
    assert sender.step(channel) == 0
    channel.is_broken = False
    now[0] += FIRST_RETRY_SECONDS / 2
    assert sender.step(channel) == 0, "it waits a little"
    now[0] -= YEAR
    assert sender.step(channel) == 1


def test_commands_asked_for_in_the_future_use_up_no_minute_of_now(tmp_path):
    place = Place(tmp_path)
    clerk = place.person("anna", "desk", per_minute=1)
    place.seconds += YEAR
    assert clerk.ask(["front"], CommandType.UNLOCK)[0].id
    place.seconds -= YEAR
    assert clerk.ask(["front"], CommandType.UNLOCK)[0].id
    assert clerk.ask(["front"], CommandType.UNLOCK)[0].refused
    place.engine.dispose()


def test_wrong_passwords_of_the_future_shut_nobody_out(tmp_path):
    place = Place(tmp_path)
    place.person("gao")
    place.owner.change("password", name="gao", password=PASSWORD)
    with place.engine.begin() as connection:
        failed = {"failures": MOST_FAILURES, "failed_at": place.seconds + YEAR}
        connection.execute(sa.update(PRINCIPALS).where(PRINCIPALS.c.name == "gao").values(**failed))
    with pytest.raises(NotPermitted):
        place.owner.log_in("gao", "a wrong password")
    assert place.desk.principals.principal("gao").name == "gao"
    place.seconds += 61.0
    assert place.owner.log_in("gao", PASSWORD)
    place.engine.dispose()


def test_passes_and_tickets_of_the_future_are_not_todays(tmp_path):
    compound = new_compound(tmp_path)
    zhao, now = compound.people["zhao"], compound.book.now()
    with compound.book.writing() as writing:
        for number in range(20):
            values: dict[str, str | int | None] = {"maker": zhao, "state": "refused", "wished_at": now + YEAR}
            writing.enter(
                compound.asker("zhao").doer, "pass.wished", "pass:x", Change(PASSES, f"p{number}", values)
            )
    report = Report(TicketKind.REPAIR, "water", "drips", requester=zhao)
    for _ in range(compound.terms.alike_a_day):
        compound.tickets.report(compound.asker("zhao"), report)
    with compound.book.engine.begin() as connection:
        connection.execute(sa.update(TICKETS).values(opened_at=now + YEAR))
    wish = VisitWish("5-101", VisitKind.VISITOR, now, now + 3600)
    assert VisitorPasses(compound.book, compound.terms).wish(compound.asker("zhao"), wish)
    compound.tickets.report(compound.asker("zhao"), report)


def test_passes_signed_in_the_future_stop_no_pass_of_now(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    signed, now = SignedPasses(engine), 1.9e9
    at = datetime.fromtimestamp(now + YEAR, UTC)
    for number in range(40):
        one = Pass(number.to_bytes(8, "big"), "5-101-1", at, at + timedelta(hours=1), 1, PassKind.VISITOR, ())
        signed.note(one, ["front"], now + YEAR)
    assert signed.count_lately(now) == 0
    assert signed.count_lately(now + YEAR) == 40
    terms = new_compound(tmp_path).terms
    assert signed.breach("5-101-1", terms, now) != "today"
    engine.dispose()


def test_refusals_are_noted_although_the_last_ones_are_of_the_future(tmp_path):
    """Nobody's refusals were in the audit until the clock was there again."""
    place = Place(tmp_path)
    clerk = place.person("anna", "desk", doors="back")
    place.seconds += YEAR
    for _ in range(MOST_REFUSALS):
        assert clerk.ask(["front"], CommandType.UNLOCK)[0].refused
    place.seconds -= YEAR
    before = len(read_wishes(place.engine, 1000))
    assert clerk.ask(["front"], CommandType.UNLOCK)[0].refused
    assert len(read_wishes(place.engine, 1000)) == before + 1
    place.engine.dispose()


@pytest.mark.parametrize("back", [600, YEAR])
def test_a_first_voice_of_the_future_is_no_second_persons_partner(tmp_path, back):
    """The first one had to be followed within two minutes, and was a partner until the clock was there."""
    place = Place(tmp_path)
    place.owner.change("rule", name="persons.unlock", value="2")
    anna, bert = place.person("anna", "desk"), place.person("bert", "desk")
    place.seconds += back
    assert anna.ask(["front"], CommandType.UNLOCK)[0].id is None
    place.seconds -= back
    assert bert.ask(["front"], CommandType.UNLOCK)[0].id is None
    assert anna.ask(["front"], CommandType.UNLOCK)[0].id, "bert has asked a moment ago"
    place.engine.dispose()


def test_what_waits_for_a_second_person_in_the_future_keeps_nobody_from_asking(tmp_path):
    place = Place(tmp_path)
    place.owner.change("rule", name="persons.ways", value="2")
    anna = place.person("anna", "manager")
    waits = {"door": "front", "principal": "anna", "at": place.seconds + YEAR}
    rows = [{**waits, "kind": f"ways:{number}"} for number in range(MOST_WAITING)]
    with place.engine.begin() as connection:
        connection.execute(sa.insert(FIRST_VOICES), rows)
    assert not anna.approve_ways([("front", "d" * 64)], {})
    place.engine.dispose()


def test_a_command_granted_in_the_future_is_not_signed_now(tmp_path):
    """It has waited for nobody knows how long: whoever stood at the door then is gone."""
    place = Place(tmp_path)
    place.seconds += YEAR
    permit = place.owner.ask(["front"], CommandType.UNLOCK)[0]
    assert permit.id is not None
    place.seconds -= YEAR
    with pytest.raises(NotPermitted, match="not just now"):
        place.owner.order(permit.id, "a nonce")
    place.engine.dispose()


def test_a_command_that_waits_since_the_future_is_ended(tmp_path):
    engine, now = open_tables(f"sqlite:///{tmp_path}/hub.db"), 1.9e9
    place = Place(tmp_path)
    hub = Silent(engine, place.owner, now=lambda: now)
    row = {"id": "waits-1", "device": "front", "type": "unlock", "args": "{}", "by": "anna"}
    with engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS).values(**row, asked_at=now + YEAR, status="sent"))
    hub._is_to_begin = False
    hub.idle()
    assert outcome(engine, "waits-1")[0] == "failed"
    engine.dispose()
    place.engine.dispose()


def test_what_is_stored_after_the_clock_went_back_is_news(tmp_path):
    """It was hidden until the clock was there again: `facegate hub staff watch` stood still."""
    engine, seconds = open_tables(f"sqlite:///{tmp_path}/hub.db"), [1.9e9]
    sink, news = EventSink(engine, now=lambda: seconds[0]), News(engine)
    front, back = chain("front", 6), chain("back", 4)
    sink.store("front", pack(front[:3]))
    assert [event.seq for event in news.look()] == [1, 2, 3]
    seconds[0] -= 7200
    sink.store("front", pack(front[3:5]))
    sink.store("back", pack(back))
    assert sorted((event.device, event.seq) for event in news.look()) == [
        *(("back", seq) for seq in (1, 2, 3, 4)),
        *(("front", seq) for seq in (4, 5)),
    ]
    seconds[0] += YEAR
    sink.store("front", pack(front[5:]))
    assert [event.seq for event in news.look()] == [6]
    assert news.look() == []
    engine.dispose()


def test_a_look_of_staff_is_entered_although_the_last_one_is_of_the_future(tmp_path):
    compound = new_compound(tmp_path)
    zhao, dora, mona = compound.people["zhao"], compound.asker("dora"), compound.asker("mona")
    report = Report(TicketKind.COMPLAINT, "noise", "too loud", requester=zhao)
    number, _ = compound.tickets.report(compound.asker("zhao"), report)
    compound.clock.step_wall(YEAR)
    compound.register.note_look(dora.doer, zhao)
    compound.tickets.note_look(mona, number)
    compound.clock.step_wall(-YEAR)
    for _ in range(2):
        compound.register.note_look(dora.doer, zhao)
        compound.tickets.note_look(mona, number)
    assert len(compound.register.looks(zhao)) == 2
    steps = compound.tickets.sheet(compound.asker("zhao"), number).steps
    assert [step.act for step in steps].count("looked") == 2


@pytest.mark.parametrize("back", [3600, YEAR])
def test_a_console_of_the_future_is_logged_out_and_a_phone_is_not(tmp_path, back):
    """Whoever came to a console that nobody touched was its clerk until the clock was there again."""
    compound = new_compound(tmp_path)
    phone = Devices(compound.book).begin(Doer("person", compound.people["zhao"]), "phone")
    compound.clock.step_wall(back)
    devices = Devices(compound.staff)
    console = devices.begin(Doer("account", "dora"), "console")
    compound.clock.step_wall(-5)
    assert devices.find(console)
    compound.clock.advance(60)
    assert devices.find(console)
    compound.clock.step_wall(-5)
    assert devices.find(console), "a clock that is set by seconds ends no session"
    compound.clock.step_wall(-back)
    assert devices.find(console) is None
    assert Devices(compound.book).find(phone)


def test_a_session_at_the_doors_lasts_no_longer_for_a_clock_that_went_back(tmp_path):
    place = Place(tmp_path)
    place.person("anna", "desk")
    place.owner.change("password", name="anna", password=PASSWORD)
    session = place.owner.speaking_for(place.owner.log_in("anna", PASSWORD))
    place.seconds -= 5
    assert session.who().name == "anna", "a clock that is set by seconds ends no session"
    for _ in range(20):
        place.seconds -= IDLE_SECONDS - 1
        try:
            session.who()
        except NotPermitted:
            break
    else:
        raise AssertionError("a session outlives twelve hours by a clock that goes back")
    place.engine.dispose()


def test_the_audits_allowance_forgets_whose_hour_is_over():
    """Each resident who ever answered a ring stayed in the signer's memory."""
    seconds = [1.9e9]
    allowance = AuditAllowance(lambda: seconds[0])
    for hour in range(24):
        for number in range(500):
            allowance.take_commands(Principal(f"res.{hour}-{number}", "person", ()), 1)
        seconds[0] += 3600
    assert len(allowance) <= 2 * FIRST_TIDY
    busy = Principal("busy", "person", ())
    allowance.take_commands(busy, MOST_COMMANDS)
    for number in range(3 * FIRST_TIDY):
        allowance.take_commands(Principal(f"res.{number}", "person", ()), 1)
    with pytest.raises(NotPermitted):
        allowance.take_commands(busy, 1)
