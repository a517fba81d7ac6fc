"""What everybody may check: doors over ninety days, the months' scores, a dossier that proves itself."""

from __future__ import annotations

import base64
import copy
import json

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.errors import CommunityRefused
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.doors import called_doors, meet_doors
from facegate_hub.community.dossier import check_dossier, dossier_of
from facegate_hub.community.faults import Faults
from facegate_hub.community.machine import TicketAct, TicketKind
from facegate_hub.community.person import erase_person
from facegate_hub.community.scores import read_scores
from facegate_hub.community.surveys import Surveys
from facegate_hub.community.tickets import Report, TicketWish
from facegate_hub.community.uptime import DAYS, read_doors
from facegate_hub.community.verify import verify
from tests.community.compound import RESIDENTS, new_compound
from tests.community.test_tickets import picture
from tests.community.web import resident, staff
from tests.present import present

A = TicketAct
HOUR = 3600


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def reported(compound, name="wang", text="The tap drips", photos=()):
    report = Report(
        TicketKind.REPAIR,
        "water",
        text,
        flat=RESIDENTS[name],
        requester=compound.people[name],
        photos=photos,
    )
    return compound.tickets.report(compound.asker(name), report)[0]


def done(compound, number, name="technician-1"):
    compound.act("dora", number, A.ASSIGN, assignee=name)
    compound.act(name, number, A.START)
    compound.act(name, number, A.RESOLVE, text="New washer", cause="wear")


def test_a_door_without_a_fault_is_well_since_it_is_known(compound):
    assert meet_doors(compound.book, {"gate": "", "lobby": ""}) == 2
    assert meet_doors(compound.book, {"gate": ""}) == 0
    compound.wait(days=3)
    found = read_doors(compound.book)
    assert [one.door for one in found] == ["gate", "lobby"]
    assert {one.well_percent for one in found} == {100}
    assert [seconds for seconds in found[0].days if seconds is not None] == [0, 0, 0]
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_faults_are_counted_once_where_they_overlap(compound):
    faults = Faults(compound.book, compound.terms)
    meet_doors(compound.book, {"gate": ""})
    compound.wait(days=8)
    faults.update({("gate", "health.camera"): True})
    compound.wait(hours=12)
    faults.update({("gate", "health.reader"): True})
    compound.wait(hours=12)
    faults.update({("gate", "health.camera"): False, ("gate", "health.reader"): False})
    compound.wait(days=1)
    (gate,) = read_doors(compound.book)
    assert (gate.faults, gate.open, gate.well_percent) == (2, (), 90)
    assert gate.repair_seconds == 18 * HOUR
    assert gate.days[-3:] == (0, 24 * HOUR, 0)
    compound.wait(days=DAYS + 1)
    (gate,) = read_doors(compound.book)
    assert (gate.faults, gate.well_percent, set(gate.days)) == (0, 100, {0})


def test_residents_see_what_is_broken_and_since_when(compound):
    meet_doors(compound.book, {"gate": "", "lobby": ""})
    Faults(compound.book, compound.terms).update({("lobby", "health.camera"): True})
    phone = resident(compound, "wang")
    phone.get("/doors")
    assert phone.page.index("lobby") < phone.page.index("gate")
    assert "something is broken" in phone.page
    assert 'href="/tickets/1"' in phone.page
    assert resident(compound).get("/doors", follow_redirects=False).status_code == 303


def test_residents_read_what_the_property_calls_a_door(compound):
    """On the page of doors, in the words of a fault's ticket, and of a fault that most doors share."""
    meet_doors(compound.book, {"lobby-3": "", "gate-1": "南门"})
    meet_doors(compound.book, {"lobby-3": "三号楼大堂", "gate-1": "南门"})
    faults = Faults(compound.book, compound.terms)
    faults.update({("lobby-3", "health.camera"): True, ("network", "site.network"): True})
    phone = resident(compound, "wang")
    page = phone.get("/doors").text
    assert all(f"<b>{name}</b>" in page for name in ("三号楼大堂", "南门", "Network"))
    assert "lobby-3" not in page
    ticket = phone.get("/tickets/1").text
    assert "三号楼大堂" in ticket
    assert "lobby-3" not in ticket


def test_a_door_that_loses_its_name_is_called_by_its_id(compound):
    meet_doors(compound.book, {"gate-1": "南门"})
    meet_doors(compound.book, {"gate-1": ""})
    assert called_doors(compound.book) == {}
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_a_month_counts_what_was_kept_and_what_was_not(compound):
    surveys = Surveys(compound.book)
    for number in range(1, 7):
        assert reported(compound) == number
        if number == 6:
            compound.wait(days=20)
        done(compound, number)
        if number != 5:
            compound.act("wang", number, A.CONFIRM)
            surveys.answer(compound.asker("wang"), number, 5 if number < 4 else 2)
        compound.wait(days=1)
    compound.wait(days=8)  # silence ends the fifth, in April
    april, march = read_scores(compound.book, compound.terms)
    assert (april.month, march.month) == ("2026-04", "2026-03")
    assert (march.opened, march.silent, april.silent) == (6, 1, 0)
    assert (march.answer.in_time, march.answer.all) == (5, 6)
    assert (march.done.percent, march.done.all) == (83, 6)
    assert (march.rating.asked, march.rating.answered, march.response_percent) == (6, 5, 83)
    assert march.rating.satisfied == 60
    assert present(march.rating.low) < 60 < present(march.rating.high)
    page = resident(compound, "wang").get("/wall").text
    assert "2026-03" in page
    assert "5/6" in page
    assert "5/6" in staff(compound, "audit").get("/counts").text


def test_a_month_with_few_answers_tells_none_of_them(compound):
    number = reported(compound)
    done(compound, number)
    compound.act("wang", number, A.CONFIRM)
    Surveys(compound.book).answer(compound.asker("wang"), number, 1)
    (month,) = read_scores(compound.book, compound.terms)
    assert (month.rating.answered, month.rating.satisfied) == (1, None)


@pytest.fixture
def dossier(compound):
    number = reported(compound, photos=[picture()])
    done(compound, number)
    compound.act("wang", number, A.REOPEN, text="Still drips")
    return dossier_of(compound.book, compound.tickets, compound.asker("wang"), number)


def test_a_dossier_has_every_step_and_proves_itself(compound, dossier):
    assert check_dossier(json.loads(json.dumps(dossier))) == []
    assert [entry["kind"] for entry in dossier["entries"]] == [
        f"ticket.{act}" for act in ("new", "assign", "start", "resolve", "reopen")
    ]
    plain = [base64.b64decode(one["base64"]) for one in dossier["contents"]]
    assert {b"The tap drips", b"New washer", b"Still drips"} < set(plain)
    assert any(one.startswith(b"\xff\xd8") for one in plain)


@pytest.mark.parametrize(
    "forge",
    [
        lambda d: d["entries"][3].update(at=d["entries"][3]["at"] - 86_400),
        lambda d: d["entries"][1].update(actor="account:mona"),
        lambda d: d["entries"].reverse(),
        lambda d: d["entries"].clear(),
        lambda d: d["contents"][0].update(base64=base64.b64encode(b"All is well").decode()),
        lambda d: d.update(ticket=2),
    ],
)
def test_whatever_is_changed_in_a_dossier_shows(dossier, forge):
    forged = copy.deepcopy(dossier)
    forge(forged)
    assert check_dossier(forged) != []


def test_anybody_checks_a_dossier_at_the_command_line(tmp_path, dossier):
    file = tmp_path / "ticket-1.json"
    file.write_text(json.dumps(dossier))
    said = CliRunner().invoke(app, ["hub", "community", "dossier", str(file)])
    assert (said.exit_code, "5 entries, 0 problems" in said.output) == (0, True)
    dossier["entries"][0]["actor"] = "account:mona"
    file.write_text(json.dumps(dossier))
    assert CliRunner().invoke(app, ["hub", "community", "dossier", str(file)]).exit_code == 1
    file.write_text("[]")
    assert CliRunner().invoke(app, ["hub", "community", "dossier", str(file)]).exit_code == 2


def test_a_dossier_is_for_whose_ticket_it_is(compound, dossier):
    for name in ("li", "zhao", "wang-wife", "mona", "dora"):
        with pytest.raises(CommunityRefused):
            dossier_of(compound.book, compound.tickets, compound.asker(name), 1)
    phone = resident(compound, "wang")
    phone.get("/tickets/1/dossier")
    assert "Still drips" in phone.page
    answer = phone.get("/tickets/1/dossier.json")
    assert "attachment" in answer.headers["content-disposition"]
    assert check_dossier(answer.json()) == []
    assert resident(compound, "li").get("/tickets/1/dossier").status_code == 422
    assert resident(compound, "li").get("/tickets/1/dossier.json").status_code == 422


def test_what_was_erased_is_not_in_a_dossier_and_the_rest_still_proves_itself(compound):
    number = reported(compound, "li")
    compound.tickets.take(compound.asker("dora"), number, TicketWish(A.COMMENT, {"text": "On our way"}))
    before = dossier_of(compound.book, compound.tickets, compound.asker("li"), number)
    erase_person(compound.book, SYSTEM, compound.people["li"])
    after = dossier_of(compound.book, compound.tickets, compound.asker("li"), number)
    assert len(after["contents"]) < len(before["contents"])
    assert check_dossier(after) == []
