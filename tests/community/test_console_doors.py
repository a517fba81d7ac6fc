"""The console's doors: anybody at the desk looks, only who said who they are acts, and the signer decides."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from edge.domain import EventDraft
from edge.events import Kind
from edge.site.provision import Site
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.console.app import COOKIE, make_console
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.database import put
from facegate_hub.events import EventSink
from facegate_hub.tables import ALARMS, DEVICES, DOORS, REQUESTS, open_tables
from tests.community.compound import new_compound
from tests.community.web import browser
from tests.hub.entries import chain, pack
from tests.workbook.books import book_of

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery 9"
DOOR_STATE: dict[str, object] = {
    "contact": "closed",
    "lock": "locked",
    "secured": "secured",
    "alarms": [],
}
STATE: dict[str, Any] = {
    "mode": "normal",
    "camera": "lost",
    "liveness": "full",
    "door": DOOR_STATE,
    "outbox": {"waiting": 7, "oldest_seconds": 1, "problem": None},
}


class Gate:
    """A site with two doors, a hub's database, and a desk that guards them."""

    def __init__(self, folder):
        self.folder, self.url = folder / "site", f"sqlite:///{folder}/hub.db"
        Site.create(self.folder, "Hill House", "127.0.0.1", 8883)
        self.engine = open_tables(self.url)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self.engine.begin() as connection:
            row = {"avail": "online", "seen_at": now, "state": json.dumps(STATE)}
            put(connection, DEVICES, {"id": "front", **row})
            put(connection, DEVICES, {"id": "back", "avail": "offline", "seen_at": now})
            put(connection, DOORS, {"id": "front", "name": "南门", "place": "1栋"})
        self.compound = new_compound(folder / "compound")
        self.desk = DoorsDesk(self.folder, self.url)
        self.app = make_console(self.compound.staff, self.compound.terms, "https://home.example", self.desk)

    def close(self):
        self.desk.close()
        self.engine.dispose()

    def principal(self, name, role="desk", doors="*"):
        signer = self.desk.looking.signer
        signer.change("add", name=name, kind="person", account=None)
        signer.change("grant", name=name, role=role, doors=doors, wanted={})
        signer.change("password", name=name, password=PASSWORD)

    def name_buildings(self, **doors):
        self.compound.terms = replace(self.compound.terms, doors=doors)
        self.app = make_console(self.compound.staff, self.compound.terms, "https://home.example", self.desk)

    def logged_in(self, name, language="en"):
        found = browser(self.app, language)
        token = Devices(self.compound.staff).begin(Doer("account", name), "test")
        found.client.cookies.set(COOKIE, token, domain="testserver.local")
        return found

    @contextmanager
    def answering(self, status, text):
        """A hub that takes every request up, as if its door had said this."""
        ended = threading.Event()

        def answer():
            while not ended.wait(0.02):
                with self.engine.begin() as connection:
                    open_ones = REQUESTS.c.status == "asked"
                    connection.execute(
                        sa.update(REQUESTS).where(open_ones).values(status=status, answer=text)
                    )

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def asked(self):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.select(REQUESTS.c.device, REQUESTS.c.type))]


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        yield gate


def entered(gate, account="guard-1", name="gao"):
    desk = gate.logged_in(account)
    desk.get("/doors")
    desk.send("/doors/enter", name=name, password=PASSWORD)
    assert f"You are giving commands as {name}." in gate_page(desk)
    return desk


def press(desk, door, act):
    """Press a button of a door as the page has it; also one that it does not show."""
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    answer = desk.client.post("/doors/act", data={"csrf": csrf, "door": door, "act": act})
    desk.page, desk.status = answer.text, answer.status_code
    return answer


def gate_page(desk):
    desk.get("/doors")
    return desk.page


def test_the_desk_sees_what_is_down_first_and_how_each_door_is(gate):
    """In the reader's language; a door under the name that people know."""
    page = gate_page(gate.logged_in("dora"))
    assert page.index("back") < page.index("南门")
    assert "offline" in page
    assert "closed · locked" in page
    assert "7 events waiting" in page
    chinese = gate.logged_in("dora", "zh")
    assert "已关" in gate_page(chinese)
    assert "7 条待上传" in chinese.page


def test_who_is_led_to_the_doors_to_say_who_they_are_finds_the_form_open(gate):
    """From the alarms: the form was folded away under another word."""
    desk = gate.logged_in("dora")
    desk.get("/alarms")
    link = desk.page.split("first say who you are", 1)[-1].split('href="')[1].split('"')[0]
    assert "<details open><summary>Give commands" in desk.get(link).text
    assert "<details open>" not in gate_page(desk)


def test_accounts_without_the_duty_see_no_doors(gate):
    """A technician mends what a ticket says; the committee reads counts."""
    for name in ("technician-1", "chair", "audit"):
        desk = gate.logged_in(name)
        assert desk.get("/doors").status_code == 403
        assert desk.get("/entries.csv").status_code == 403
        assert 'href="/doors"' not in desk.get("/").text


def test_a_door_is_opened_by_who_said_who_they_are_and_the_outcome_is_told(gate):
    """With what physically happened, as the door tells it."""
    gate.principal("gao")
    desk = entered(gate)
    with gate.answering("done", "unlocked, opened after 2.1 s"):
        press(desk, "front", "unlock")
    assert "unlocked, opened after 2.1 s" in desk.page
    assert gate.asked() == [("front", "unlock")]
    told, broken = gate.desk.looking.signer.audit(50)
    assert broken is None
    assert any("gao" in str(record) and "unlock" in str(record) for record in told)


def test_an_account_of_the_console_alone_opens_nothing(gate):
    """Not with a form of its own making either; and nothing is asked of a door."""
    desk = gate.logged_in("mona")
    desk.get("/doors")
    assert "Open once" not in desk.page
    answer = press(desk, "front", "unlock")
    assert answer.status_code == 422
    assert gate.asked() == []


def test_a_wrong_password_and_a_right_that_is_missing_are_refused_in_words(gate):
    """The signer's word, not the console's."""
    gate.principal("gao", doors="back")
    desk = gate.logged_in("guard-1")
    desk.get("/doors")
    desk.send("/doors/enter", name="gao", password="wrong")
    assert desk.status == 403
    desk = entered(gate)
    assert desk.page.count("Open once") == 1  # the one door that was granted
    answer = press(desk, "front", "unlock")
    assert answer.status_code == 409
    assert gate.asked() == []


def test_who_says_that_they_stop_acts_no_more(gate):
    """Nor does another browser of the same account."""
    gate.principal("gao")
    desk = entered(gate)
    assert "Open once" not in gate_page(gate.logged_in("guard-1"))
    desk.get("/doors")
    desk.send("/doors/enter", leave="1")
    assert "Open once" not in desk.page


def test_what_came_of_a_command_loaded_anew_commands_nothing(gate):
    """The page was the form's own answer: whoever loaded it anew opened the door once more."""
    gate.principal("gao")
    desk = entered(gate)
    with gate.answering("done", "unlocked, opened after 2.1 s"):
        told = press(desk, "front", "unlock")
    assert len(gate.asked()) == 1
    assert told.request.method == "GET"
    again = desk.client.get(told.url.path)
    assert "opened after 2.1 s" in again.text
    assert re.search(r"hint.>\d\d-\d\d \d\d:\d\d:\d\d<", again.text), "what is loaded anew says when it was"
    assert len(gate.asked()) == 1
    other = gate.logged_in("dora")
    assert "opened after 2.1 s" not in other.get(told.url.path).text
    assert desk.client.get("/doors/told/forgotten").url.path == "/doors"


def test_a_lockdown_asks_first(gate):
    """One click shuts nobody out."""
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    press(desk, "front", "lockdown")
    assert "Nobody can get in" in desk.page
    assert gate.asked() == []
    with gate.answering("done", "locked_down; the door is locked within a second"):
        form = {"csrf": desk.page.split('name="csrf" value="')[1].split('"')[0], "sure": "1"}
        desk.page = desk.client.post("/doors/act", data={**form, "door": "front", "act": "lockdown"}).text
    assert "locked within a second" in desk.page


def test_a_door_that_did_not_answer_is_told_as_it_is(gate):
    """Never as success."""
    gate.principal("gao")
    desk = entered(gate)
    with gate.answering("failed", "the door did not answer"):
        press(desk, "front", "unlock")
    assert desk.status == 409
    assert "the door did not answer" in desk.page


def test_alarms_are_taken_handed_over_and_closed_by_name(gate):
    """Each step is somebody's; the second to take one is told who has it."""
    with gate.engine.begin() as connection:
        first = {"device": "front", "stream": "s", "seq": 4, "kind": "door.forced", "state": "open"}
        connection.execute(
            sa.insert(ALARMS), {**first, "count": 2, "at": time.time(), "last_at": time.time()}
        )
    gate.principal("gao")
    desk = entered(gate)
    assert "1 open alarm<" in gate_page(desk)
    desk.get("/alarms")
    assert "2 times" in desk.page
    desk.send("/alarms", step="see_to")
    assert "gao is handling it" in desk.page
    desk.send("/alarms", step="hand_over", to=" ", note="lock is loose")
    assert desk.status == 409
    assert "handed over to nobody" in desk.page
    desk.get("/alarms")
    desk.send("/alarms", step="hand_over", to="night shift", note="lock is loose")
    assert "night shift is handling it" in desk.page
    desk.send("/alarms", step="take_over")  # the night shift is ill
    assert "gao is handling it" in desk.page
    assert "lock is loose" in desk.page
    assert "take_over" not in desk.page
    desk.send("/alarms", step="close", note="mended")
    assert "Nothing here" in desk.page
    desk.get("/alarms?show=closed")
    assert "closed by gao" in desk.page


def test_an_alarm_behind_fifty_others_is_found(gate):
    """The page ended with the fifty newest, and said nothing of those before."""
    at = time.time()
    rows = [
        {
            "device": f"door-{n}",
            "stream": "s",
            "seq": 4,
            "kind": "door.forced",
            "state": "open",
            "count": 1,
            "at": at,
            "last_at": at,
        }
        for n in range(60)
    ]
    with gate.engine.begin() as connection:
        connection.execute(sa.insert(ALARMS), rows)
    desk = gate.logged_in("mona")
    page = desk.get("/alarms").text
    assert "door-0<" not in page.replace(" ", "")
    link = re.search(r'href="(/alarms[?][^"]*before=[0-9]+)"', page)
    assert link is not None
    page += desk.get(unescape(link[1])).text
    assert set(re.findall(r"door-[0-9]+", page)) == {f"door-{n}" for n in range(60)}
    assert "before=" not in desk.page


def test_the_history_is_searched_by_door_person_and_day_and_taken_along(gate):
    """On pages of fifty; the table is in the compound's time and the signer keeps who took it."""
    sink = EventSink(gate.engine)
    sink.store("front", pack(chain("front", 120, day=1)))
    sink.store("back", pack(chain("back", 2, day=2)))
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    seen, address = 0, "/entries?door=front"
    for _ in range(4):
        page = desk.get(address).text
        seen += page.count("<tr class=")
        if 'href="/entries?door' not in page:
            break
        address = page.split('href="')[-1].split('"')[0].replace("&amp;", "&")
    assert seen == 120
    assert desk.get("/entries?since=2026-03-02").text.count("<tr class=") == 2
    for none in ("since=never", "until=9999-12-31", "since=0001-01-01"):
        assert desk.get(f"/entries?{none}").status_code == 422
    taken = desk.get("/entries.csv?door=back")
    rows = list(csv.reader(io.StringIO(taken.content.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert {row[1] for row in rows[1:]} == {"back"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[0]) for row in rows[1:])
    gate.desk.looking.import_people([{"id": "anna", "name": "安娜"}])
    assert "南门 · 安娜" in desk.get("/entries?door=front").text
    taken = desk.get("/entries.csv?door=front")
    (last,) = list(csv.reader(io.StringIO(taken.content.decode("utf-8-sig"))))[-1:]
    assert last[-2:] == ["南门", "安娜"]
    assert any("mei" in str(one) and "export" in str(one) for one in gate.desk.looking.signer.audit(50)[0])


def as_sent(desk, path, app, after=lambda _count: None):
    """Return the pieces of an answer as they leave; `after` hears how many there were with each."""
    cookies = "; ".join(f"{one.name}={one.value}" for one in desk.client.cookies.jar)
    place, _, query = path.partition("?")
    headers = [(b"host", b"testserver"), (b"cookie", cookies.encode()), (b"x-forwarded-proto", b"https")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": place,
        "raw_path": place.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("10.0.0.1", 1),
        "server": ("testserver", 443),
    }
    pieces = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.body":
            pieces.append((message.get("body", b""), message.get("more_body", False)))
            after(len(pieces))

    asyncio.run(app(scope, receive, send))
    return pieces


def test_the_table_leaves_as_it_is_read_and_one_that_breaks_off_does_not_pass_for_whole(gate):
    """A year of a large site was put together in memory, and the page's minute was over before."""
    sink, events = EventSink(gate.engine), chain("front", 1300)
    for start in range(0, len(events), 500):
        sink.store("front", pack(events[start : start + 500]))
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    pieces = as_sent(desk, "/entries.csv?door=front", gate.app)
    text = b"".join(piece for piece, _ in pieces).decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(text)))) == 1301
    assert max(len(piece) for piece, _ in pieces) < len(text) / 2
    assert not pieces[-1][1]

    def broken(count):
        if count == 2:
            with gate.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")

    sent = []
    with pytest.raises(sa.exc.OperationalError):
        sent = as_sent(desk, "/entries.csv?door=front", gate.app, broken)
    assert sent == []


def test_a_doubt_is_told_in_its_readers_language(gate):
    """The text of the hub's log stood there, in English: "ends at 2 without a word of it"."""
    sink = EventSink(gate.engine)
    sink.store("front", pack(chain("front", 2)))
    sink.store("front", pack(chain("front", 3)))
    page = gate.logged_in("mona", "zh").get("/alarms?inbox=doubts").text
    assert "<b>日志从头开始。" in page
    assert "ends at 2 without a word of it" in page, "for whoever looks into it"
    assert "<b>A new journal begins." in gate.logged_in("mona").get("/alarms?inbox=doubts").text


def test_who_may_not_take_the_history_along_gets_none(gate):
    """A guard looks at entries and takes no table of who goes where."""
    gate.principal("gao", role="desk")
    gate.principal("mei", role="manager")
    assert "say first who you are" in gate.logged_in("mona").get("/entries").text
    desk = entered(gate)
    page = desk.get("/entries")
    assert page.status_code == 200
    assert "/entries.csv" not in page.text
    assert "/entries.csv" in entered(gate, "mona", "mei").get("/entries").text
    assert desk.get("/entries.csv").status_code in (403, 409, 422)


def test_somebody_moves_in_is_extended_and_moves_out(gate):
    """Each in the actor's name; the roster that doors follow is what changes."""
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access")
    new = {"id": "3栋1203", "name": "王安娜", "levels": "resident,pool", "valid_until": "2027-03-31"}
    desk.send("/access", **new)
    assert "王安娜" in desk.page
    record = gate.desk.looking.people.one("3栋1203").record
    assert record["access_levels"] == ["resident", "pool"]
    assert record["valid_until"] == "2027-03-31T16:00:00+00:00"  # the day's end in Shanghai
    desk.send("/access", valid_until="2027-04-30")
    assert gate.desk.looking.people.one("3栋1203").record["valid_until"].startswith("2027-04-30")
    assert 'value="2027-04-30"' in desk.page
    remove = f"/access/{quote('3栋1203')}/remove"
    desk.send(remove, again="3栋1204")
    assert desk.status == 422
    assert gate.desk.looking.people.one("3栋1203") is not None
    desk.get(f"/access/{quote('3栋1203')}")
    desk.send(remove, again="3栋1203")
    assert gate.desk.looking.people.one("3栋1203") is None
    assert any("mei" in str(one) for one in gate.desk.looking.signer.audit(50)[0])


def test_a_page_that_was_left_open_gives_no_right_back(gate):
    """Its form holds all of somebody's rights: whoever saved a name would give a level back with it."""
    gate.principal("mei", role="manager")
    desk, other = entered(gate, "mona", "mei"), entered(gate, "mona", "mei")
    desk.get("/access")
    desk.send("/access", id="p-1", name="Anna", levels="resident,pool", new_level="1")
    other.get("/access/p-1")
    other.send("/access", levels="resident")
    desk.send("/access", name="Anna Li")
    assert desk.status == 422
    assert "Somebody else has changed this person" in desk.page
    assert gate.desk.looking.people.one("p-1").record["access_levels"] == ["resident"]
    desk.get("/access/p-1")
    desk.send("/access", name="Anna Li")
    assert gate.desk.looking.people.one("p-1").record["name"] == "Anna Li"


def test_a_number_that_is_taken_is_not_overwritten(gate):
    """Whoever moves in gets a number of their own."""
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    for name in ("Anna", "Otto"):
        desk.get("/access")
        desk.send("/access", id="p-1", name=name)
    assert desk.status == 422
    assert gate.desk.looking.people.one("p-1").record["name"] == "Anna"


def test_people_are_found_by_a_part_of_number_or_name_and_paged(gate):
    """Not by what else their record holds, and not by what a database takes for a pattern."""
    people = [{"id": f"p{n:03}", "name": "王安娜" if n == 77 else f"P {n}"} for n in range(120)]
    gate.desk.looking.import_people([*people, {"id": "50%", "name": "Half"}])
    desk = gate.logged_in("dora")
    assert desk.get("/access").text.count("<li><span>") == 50
    assert desk.page.count("after=") == 1
    for wanted, found in (
        ("安娜", 1),
        ("p07", 10),
        ("P%", 0),
        ("resident", 0),
        ("50%", 1),
        ("HALF", 1),
        ("Ｐ０７", 10),
    ):
        assert desk.get(f"/access?q={quote(wanted)}").text.count("<li><span>") == found, wanted


def test_a_list_is_looked_at_before_it_changes_anything(gate):
    """Bad lines are named, and then nothing is changed; Chinese headings are understood."""
    gate.desk.looking.import_people([{"id": "p-1", "name": "Anna"}])
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access")
    bad = "编号,姓名,失效日期\np-1,Anna,2027-01-01\n,Otto,\np-3,,\np-4,D,soon\n"
    desk.send("/access/load", _files={"file": ("a.csv", bad.encode())})
    assert desk.status == 422
    assert all(f"line {n}" in desk.page for n in (3, 4, 5))
    desk.get("/access")
    good = "编号,姓名\n" + "p-1,Anne\n" + "".join(f"q{n},Q {n}\n" for n in range(5_000))
    desk.send("/access/load", _files={"file": ("a.csv", good.encode("utf-8-sig"))})
    assert "5001 people read: 5000 new, 1 changed" in desk.page
    assert "p-1: Anna → Anne" in desk.page
    assert "face, PIN and cards stay" in desk.page
    assert gate.desk.looking.roster().count == 1
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    text = unescape(desk.page.split("hidden>")[1].split("</textarea>")[0])
    desk.client.post("/access/load", data={"csrf": csrf, "sure": "1", "text": text})
    assert gate.desk.looking.roster().count == 5_001
    assert gate.desk.looking.people.one("p-1").record["name"] == "Anne"


def test_a_number_that_is_written_otherwise_is_who_is_there(gate):
    """A list of 3栋1203 made a second 3-1203, and with --replace took everybody's face."""
    gate.desk.looking.import_people(
        [{"id": "3-1203", "name": "李伟", "access_levels": ["gym"]}, {"id": "3-1204", "name": "王芳"}]
    )
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.csv", "编号,姓名\n3栋1203,李伟\n3栋1204,赵敏\n".encode())})
    assert "2 people read: 1 new, 0 changed" in desk.page
    assert "3栋1203 → 3-1203" in desk.page
    assert desk.page.count("data-alike") == 1
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    again = unescape(desk.page.split("hidden>")[1].split("</textarea>")[0])
    desk.client.post("/access/load", data={"csrf": csrf, "sure": "1", "text": again})
    people = gate.desk.looking.people
    assert [one.id for one in people.page()] == ["3-1203", "3-1204", "3栋1204"]
    assert people.one("3-1203").record["access_levels"] == ["gym"]
    assert "3-1203" in desk.get(f"/access?q={quote('三栋1203室')}").text
    new = {"csrf": csrf, "is_new": "1", "id": "3幢1203", "name": "李强", "levels": "resident"}
    assert "reads like 3-1203" in desk.client.post("/access", data=new).text
    assert people.one("3幢1203") is None
    desk.client.post("/access", data={**new, "apart": "1"})
    assert people.one("3幢1203") is not None


def test_a_list_leaves_what_it_has_no_column_for(gate):
    """A list of numbers and names took everybody's end and levels, and was said to change nobody."""
    has = {"id": "p-1", "name": "Anna", "access_levels": ["gym"], "valid_until": "2026-12-31T16:00:00+00:00"}
    gate.desk.looking.import_people([has])
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    kept = {name: value for name, value in has.items() if name != "valid_until"}
    for text, changed, left in (
        ("编号,姓名\np-1,Anna\n", 0, has),
        ("编号,姓名,失效日期\np-1,Anna,\n", 1, kept),
    ):
        desk.get("/access")
        desk.send("/access/load", _files={"file": ("a.csv", text.encode())})
        assert f"1 people read: 0 new, {changed} changed" in desk.page
        csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
        again = unescape(desk.page.split("hidden>")[1].split("</textarea>")[0])
        desk.client.post("/access/load", data={"csrf": csrf, "sure": "1", "text": again})
        record = gate.desk.looking.people.one("p-1").record
        assert {name: record[name] for name in record if name != "begun"} == left


def test_a_list_of_excel_in_china_is_read_and_its_mistakes_told_in_the_reader_s_words(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.client.get("/language/zh", params={"back": "/access"})
    desk.get("/access")
    bad = "编号,姓名,失效日期\n#N/A,王芳,\np-4,赵敏,明天\np-4,赵,\n"
    desk.send("/access/load", _files={"file": ("a.csv", bad.encode("gb18030"))})
    assert "第 2 行：单元格显示的是错误而不是内容：#N/A" in desk.page
    assert "第 3 行：" in desk.page
    assert "不是时间" in desk.page
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.csv", "编号,姓名\np-1,李伟\n".encode("gb18030"))})
    assert "李伟" in desk.page
    assert desk.status == 200


def test_a_list_whose_encoding_was_guessed_shows_its_names_before_anything_is_done(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    people = [{"id": f"a-{n}", "name": f"A {n}"} for n in range(30)]
    gate.desk.looking.import_people([*people, {"id": "z-1", "name": "张伟"}])
    before = gate.desk.looking.roster()
    rows = "".join(f"a-{n},B {n}\n" for n in range(30))
    for encoding, shown in (("gb18030", "张玮"), ("euc-kr", "辫枚荐")):
        name = "张玮" if encoding == "gb18030" else "김철수"
        desk.get("/access")
        desk.send("/access/load", _files={"file": ("a.csv", f"id,name\n{rows}z-1,{name}\n".encode(encoding))})
        assert "it was read as GB18030" in desk.page
        assert f"<li>{shown}</li>" in desk.page
        assert gate.desk.looking.roster() == before
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.csv", "id,name\nz-1,张玮\n".encode())})
    assert "Read as UTF-8." in desk.page
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.csv", "id,name\nz-1,Müller\n".encode("latin-1"))})
    assert "not utf-8" in desk.page
    assert gate.desk.looking.roster() == before


def test_a_workbook_is_looked_at_as_a_list_in_csv_is(gate):
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.xlsx", b"PK\x03\x04 torn")})
    assert "This workbook cannot be read" in desk.page
    desk.get("/access")
    book = book_of(["住户名单"], ["编号", "姓名", "失效日期"], ["p-1", "李伟", date(2027, 3, 31)])
    desk.send("/access/load", _files={"file": ("a.xlsx", book)})
    assert "1 people read: 1 new, 0 changed" in desk.page
    assert gate.desk.looking.roster().count == 0
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    text = unescape(desk.page.split("hidden>")[1].split("</textarea>")[0])
    desk.client.post("/access/load", data={"csrf": csrf, "sure": "1", "text": text})
    assert gate.desk.looking.people.one("p-1").record["valid_until"].startswith("2027-04-01T00:00")


def test_the_desk_without_a_name_at_the_signer_changes_nobody(gate):
    """It looks people up; the roster decides who gets in."""
    gate.desk.looking.import_people([{"id": "p-1", "name": "Anna"}])
    desk = gate.logged_in("dora")
    desk.get("/access/p-1")
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    for path, fields in (
        ("/access", {"id": "p-1", "name": "Otto"}),
        ("/access/p-1/remove", {"again": "p-1"}),
    ):
        assert desk.client.post(path, data={"csrf": csrf, **fields}).status_code == 422
    assert gate.desk.looking.people.one("p-1").record["name"] == "Anna"


def test_a_lost_card_is_taken_back_and_who_has_not_heard_is_named(gate):
    """By the roster that doors follow, in the actor's name; a list read later brings nothing back."""
    gate.desk.looking.import_people([{"id": "p-1", "name": "Anna"}])
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/access/p-1")
    desk.send("/access/p-1/ways")
    assert "These doors have not received" in desk.page
    assert "follows when it is back" in desk.page
    first = gate.desk.looking.people.one("p-1").record["ways_ended"]
    gate.desk.looking.import_people([{"id": "p-1", "name": "Anne"}])
    assert gate.desk.looking.people.one("p-1").record["ways_ended"] == first
    desk.get("/access/p-1")
    desk.send("/access/p-1/ways")
    assert gate.desk.looking.people.one("p-1").record["ways_ended"] > first
    told = gate.desk.looking.signer.audit(50)[0]
    assert sum("mei" in str(one) and "ways-ended" in str(one) for one in told) == 2
    state = gate.desk.looking.roster()
    with gate.engine.begin() as connection:
        for door in ("front", "back"):
            put(connection, DEVICES, {"id": door, "epoch": state.epoch, "rev": state.rev})
    desk.get("/access/p-1")
    assert "All doors have received" in desk.page


def test_a_guard_s_session_takes_no_card_back(gate):
    """Nor does somebody who has not said who they are."""
    gate.desk.looking.import_people([{"id": "p-1", "name": "Anna"}])
    gate.principal("gao")
    desk = entered(gate, "dora", "gao")
    desk.get("/access/p-1")
    desk.send("/access/p-1/ways")
    assert desk.status == 409
    assert "ways_ended" not in gate.desk.looking.people.one("p-1").record


HOLIDAY = """
[schedules.day]
daily = ["00:00-24:00"]
holiday = []
[special_days]
{day} = "holiday"
[levels.resident]
schedule = "day"
[levels.pool]
schedule = "always"
"""


def passed(gate, days_ago):
    """Let Anna have come in at noon, some days ago; return the day."""
    noon = datetime.now(ZoneInfo("Asia/Shanghai")).replace(hour=12, minute=0) - timedelta(days=days_ago)
    at = noon.astimezone(UTC)
    draft = EventDraft(Kind.ACCESS_GRANTED, at, 1.0, "anna", "granted", {"method": "card"})
    row = forge(draft, uuid7(at), Stamp(uuid7(at), "boot", "synced", "front"), Link())
    EventSink(gate.engine).store("front", pack([row.envelope]))
    return noon.date()


def test_rules_are_tried_on_past_entries_before_they_act(gate):
    """A holiday that is forgotten leaves people outside; here it is seen first, and nothing is changed."""
    passed(gate, 5)
    day = passed(gate, 3)
    gate.desk.looking.import_people([{"id": "anna", "name": "Anna"}])
    before = gate.desk.looking.roster()
    desk = gate.logged_in("dora")
    desk.get("/rules?person=anna")
    assert 'value="resident"' in desk.page
    desk.send("/rules", rules="[levels.resident]\ndoors = 3")
    assert desk.status == 422
    assert "mistakes" in desk.page
    desk.send("/rules", rules=" ")
    assert "Nothing to try" in desk.page
    desk.send("/rules", rules=HOLIDAY.format(day=day))
    assert "<b>1</b>of 2 openings would have been refused" in desk.page
    assert f"{day} 12:00" in desk.page
    desk.send("/rules", rules=HOLIDAY.format(day=day), levels="pool")
    assert "Nothing would have been different in 7 days" in desk.page
    assert gate.desk.looking.roster() == before


def test_a_copy_of_the_doors_rules_begins_the_form(gate):
    """Where whoever looks after the doors put one; nobody types rules by heart."""
    (gate.folder / "hub").mkdir(exist_ok=True)
    (gate.folder / "hub" / "rules.toml").write_text('[levels.resident]\nschedule = "always"\n')
    assert "[levels.resident]" in gate.logged_in("dora").get("/rules").text


def test_rules_that_are_a_bomb_are_an_answer_not_a_fault(gate):
    """Nested beyond reason, of bytes that are no text, with days that are none."""
    desk = gate.logged_in("dora")
    for text in ("a=" + "[" * 20_000, "x" * 60_000, "\x00", 'time_zone = "../../etc/passwd"'):
        desk.get("/rules")
        desk.send("/rules", rules=text, days="9" * 30)
        assert desk.status == 422, text[:10]
    assert gate.logged_in("technician-1").get("/rules").status_code == 403


def together(desk, **fields):
    """Send the form of whole buildings as a page has it."""
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    answer = desk.client.post("/doors/building", data={"csrf": csrf, **fields})
    desk.page, desk.status = answer.text, answer.status_code


def test_a_building_is_locked_down_at_once_and_each_door_is_told_of(gate):
    """Asked first, with the doors that are meant; a door of another building does nothing."""
    gate.name_buildings(**{"3": ("front", "gone"), "5": ("back",)})
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/doors")
    together(desk, place="3", act="lockdown")
    assert "Nobody can get in" in desk.page
    assert "南门" in desk.page
    assert gate.asked() == []
    with gate.answering("done", "locked"):
        together(desk, place="3", act="lockdown", sure="1")
    assert "1 of 1 doors have done it" in desk.page
    assert gate.asked() == [("front", "lockdown")]
    desk.get("/doors")
    together(desk, place="*", act="normal")
    with gate.answering("failed", "offline"):
        together(desk, place="*", act="normal", sure="1")
    assert desk.status == 409
    assert "0 of 2 doors have done it" in desk.page
    desk.get("/doors")
    together(desk, place="9", act="normal")
    assert desk.status == 422


def test_who_may_not_locks_no_building_down(gate):
    """One who may open doors only; and unlocking a whole building is nobody's."""
    gate.principal("gao")
    desk = entered(gate)
    desk.get("/doors")
    assert "/doors/building" not in desk.page
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "place": "*", "sure": "1"}
    refused = desk.client.post("/doors/building", data={**form, "act": "lockdown"})
    assert "0 of 2 doors" in refused.text
    assert desk.client.post("/doors/building", data={**form, "act": "unlock"}).status_code == 422
    assert gate.asked() == []


def test_the_audit_is_shown_to_who_may_look_and_says_whether_it_holds(gate):
    """An account of the console alone sees none of it."""
    gate.principal("gao")
    gate.principal("mei", role="manager")
    desk = entered(gate, "mona", "mei")
    desk.get("/audit")
    assert "The chain is intact" in desk.page
    assert "rights changed" in desk.page
    assert entered(gate).get("/audit").status_code == 403
    assert "say who you are" in gate.logged_in("dora").get("/audit").text


def test_the_audit_is_told_in_its_readers_language(gate):
    """What a record says stood there as the signer keeps it: "did: grant, name: wang, why: ... not have"."""
    gate.principal("gao", role="desk")
    gate.principal("mei", role="manager")
    refused = entered(gate)
    assert refused.get("/entries.csv?since=2026-03-01").status_code in (403, 409, 422)
    desk = entered(gate, "mona", "mei")
    desk.get("/language/zh")
    page = unescape(desk.get("/audit").text)
    assert "操作：授权，" in page
    assert "名称：mei" in page
    assert "请求：导出通行记录" in page
    assert "起：2026-03-01 00:00" in page
    assert "原因：gao 没有这项权限：导出" in page
    assert not re.search(r"\b(did|why|principal|since|name): ", page)


SILENT = "the door did not answer; it is offline, last heard 2026-11-30; nothing was done"


def test_on_a_chinese_page_the_signer_and_the_door_speak_chinese(gate):
    """What was refused, what no hub took up, what a door answered: by every page that tells it."""
    gate.principal("gao", "reader")
    gate.principal("mei", "manager")
    reader = gate.logged_in("guard-1", "zh")
    reader.get("/doors")
    reader.send("/doors/enter", name="gao", password="wrong horse battery 9")
    assert "姓名与登录密码不符" in reader.page
    reader.get("/doors")
    reader.send("/doors/enter", name="gao", password=PASSWORD)
    reader.get("/doors")
    press(reader, "front", "unlock")
    assert "gao 没有这项权限：开门（门 front）" in unescape(reader.page)
    manager = gate.logged_in("mona", "zh")
    manager.get("/doors")
    manager.send("/doors/enter", name="mei", password=PASSWORD)
    manager.get("/doors")
    with gate.answering("failed", SILENT):
        press(manager, "back", "unlock")
    assert "门 back：没有成功：门没有应答；它已离线，最后一次消息在 2026-11-30；没有执行" in unescape(
        manager.page
    )
    manager.get("/doors")
    with gate.answering("failed", SILENT):
        together(manager, act="normal", place="*", sure="1")
    assert "门没有应答；它已离线" in manager.page
    manager.get("/doors")
    with gate.answering("done", "unlocked, opened after 2.1 s"):
        press(manager, "front", "unlock")
    assert "已开锁，2.1 秒后门被打开" in manager.page
