"""What one door's certificate can put on the desk's pages: its own line, and never the page away."""

import json
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

import pytest

from edge.errors import SyncError
from facegate_hub.batches import parse_batch
from facegate_hub.console.views_entries import _place, _row
from facegate_hub.database import put
from facegate_hub.events import EventSink
from facegate_hub.reading import history
from facegate_hub.tables import DEVICES
from tests.community.test_console_doors import DOOR_STATE, STATE, Gate, entered
from tests.hub.entries import chain

if TYPE_CHECKING:
    from facegate_hub.web.asking import PageAsk

ODD: tuple[object, ...] = (None, [], {}, 3, "x", "\x1b[31m", [[1]], {"a": {}}, True, 1e300, "<b>&", 10**40)
FIELDS = ("data", "ts", "reason", "resident", "clock", "door", "type", "mono", "boot", "id")
DATA = ("state", "method", "similarity", "runner_up", "rule_code", "rule", "alarms", "host", "mode", "why")


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        yield gate


def odd_events():
    whole = json.loads(chain("front", 1)[0])
    for value in ODD:
        yield from (whole | {name: value} for name in FIELDS)
        for kind in ("access.granted", "access.denied", "health.camera", "roster.changed"):
            yield from (whole | {"type": kind, "data": {name: value}} for name in DATA)


def batches():
    for number, event in enumerate(odd_events(), 1):
        try:
            yield parse_batch("front", json.dumps([event | {"seq": number}]).encode())
        except SyncError:
            continue


def shown(at, form):
    return datetime.fromtimestamp(at, UTC).strftime(form)


def test_no_event_of_a_door_takes_the_history_away(gate):
    EventSink(gate.engine).commit(list(batches()))
    office = SimpleNamespace(terms=gate.compound.terms)
    ask = cast("PageAsk", SimpleNamespace(language="en", office=office, local=shown))
    rows = [_row(ask, event) for event in history(gate.engine, None)]
    assert len(rows) > 100
    assert all(isinstance(cell, str) for row in rows for cell in row.values())


def odd_states():
    for value in ODD:
        yield {"door": value}
        yield STATE | {"outbox": {"waiting": value}}
        yield from (STATE | {name: value} for name in STATE)
        yield from (STATE | {"door": DOOR_STATE | {name: value}} for name in DOOR_STATE)


def test_no_state_of_a_door_takes_the_page_of_doors_away(gate):
    """An older door says less of itself, a stolen one says anything: the others are opened all the same."""
    states = {f"odd-{number}": state for number, state in enumerate(odd_states())}
    with gate.engine.begin() as connection:
        for name, state in states.items():
            put(connection, DEVICES, {"id": name, "avail": "online", "state": json.dumps(state)})
    gate.principal("gao", "manager")
    page = entered(gate).get("/doors").text
    assert all(f">{name}<" in page for name in states)
    assert "南门" in page
    assert "\x1b" not in page


NO_PLACES = ("", "[]", '["a","b","c",1e999]', f'["a","b","c",{10**40}]', "[" * 9000)


@pytest.mark.parametrize("text", NO_PLACES)
def test_a_place_that_makes_no_sense_is_the_first_page(text):
    assert _place(text) is None


@pytest.mark.parametrize("number", ["3栋#1203", "a?b", "100%25", "a/b", "load", "x/remove", "a&b=c"])
def test_a_number_as_it_is_on_the_door_leads_to_its_person(gate, number):
    gate.principal("mei", "manager")
    desk = entered(gate, "mona", "mei")
    fields = {"id": number, "name": "Mei", "levels": "resident", "is_new": "1"}
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    to = desk.client.post("/access", data=fields | {"csrf": csrf}, follow_redirects=False).headers["location"]
    assert to == f"/access/{quote(number)}"


def test_a_list_of_a_whole_compound_is_looked_at_and_loaded(gate):
    """In Chinese, where a form takes nine bytes for a letter."""
    gate.principal("mei", "manager")
    desk = entered(gate, "mona", "mei")
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    lines = "".join(f"{at // 100}栋{at},{'王小明' * 16}\n" for at in range(3000))
    fields = {"csrf": csrf, "text": f"id,name\n{lines}", "sure": "1"}
    assert desk.client.post("/access/load", data=fields).status_code == 200
    assert gate.desk.looking.roster().count == 3000


def test_a_slip_in_an_access_level_is_asked_about(gate):
    """Doors know no such level: whoever has it would be left at the gate."""
    gate.principal("mei", "manager")
    desk = entered(gate, "mona", "mei")
    csrf = {"csrf": desk.page.split('name="csrf" value="')[1].split('"')[0]}

    def save(**fields):
        return desk.client.post("/access", data=csrf | {"name": "Mei"} | fields, follow_redirects=False)

    assert save(id="a", levels="resident").status_code == 303
    assert save(id="b", levels="residnet").status_code == 422
    slip = csrf | {"text": "id,name,access_levels\nc,C,residnet\n"}
    assert "did you mean resident?" in desk.client.post("/access/load", data=slip).text
    assert desk.client.post("/access/load", data=slip | {"sure": "1"}).status_code == 422
    assert gate.desk.looking.roster().count == 1
    assert save(id="b", levels="residnet", new_level="1").status_code == 303
