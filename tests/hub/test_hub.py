"""A provisioned site with a real broker, a hub and two doors: what staff do, and what doors get."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.broker.settings import BrokerSettings, Tls
from edge.cli import app
from edge.runtime.clock import SystemClock
from edge.site.provision import Site, load_trusted_keys
from edge.store.ledger import SqliteLedger
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from edge.sync.desk import CommandDesk
from edge.sync.follower import RosterFollower
from edge.sync.gate import CommandGate
from edge.wire.commands import CommandOutcome, CommandType
from facegate_hub.database_urls import database_url
from facegate_hub.requests import outcome
from facegate_hub.service import Hub
from tests.hub.signing import approving, ask
from tests.loopback import free_port
from tests.sync.broker import Broker
from tests.sync.doors import Door, Eager
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()


class WholeDoor:
    """A door as provisioned: events, roster and commands over one connection; a lock that only notes."""

    def __init__(self, folder, site, name, port, opens=True):
        folder.mkdir(exist_ok=True)
        bundle = site / "doors" / name
        tls = Tls(bundle / "ca.crt", bundle / "door.crt", bundle / "door.key")
        settings = BrokerSettings("127.0.0.1", name, port, tls=tls)
        keys = load_trusted_keys(bundle / "trusted-keys.json")
        self.opens = opens
        self.executed = []
        self.store = ResidentStore(folder / "residents.db")
        self.ledger = SqliteLedger(folder / "commands.db")
        gate = CommandGate(name, keys, self.ledger, CLOCK, lambda: "synced")
        self.desk = CommandDesk(settings, gate, self.execute, self.append, CLOCK)
        self.follower = RosterFollower(settings, keys, SqliteRoster(self.store), self.append, CLOCK)
        self.door = Door(folder, port, device=name, others=[self.desk, self.follower], tls=tls)

    def append(self, draft):
        return self.door.journal.append(draft)

    def execute(self, command, reply):
        self.executed.append((command.type, command.by, command.args))
        reply(
            CommandOutcome("done", "unlocked, opened after 2.1 s" if self.opens else "unlocked, never opened")
        )

    def ids(self):
        return [resident.id for resident in self.store.list()]

    def __enter__(self):
        self.desk.start()
        self.follower.start()
        self.door.__enter__()
        wait_until(lambda: self.door.publisher.status().link.connected)
        return self

    def __exit__(self, *exception):
        self.desk.stop()
        self.follower.stop()
        self.door.__exit__(*exception)
        self.ledger.close()
        self.store.close()


@pytest.fixture
def place(tmp_path):
    port = free_port()
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", port)
    site.add_door("front")
    site.add_door("back")
    with Broker.of_site(tmp_path / "site", port):
        yield tmp_path / "site", port


@pytest.fixture
def hub(place):
    hub = Hub(place[0], database_url(place[0]), rng=Eager())
    hub.start()
    wait_until(lambda: hub.client.status().connected)
    yield hub
    hub.stop()


@pytest.fixture
def front(tmp_path, place, hub):
    with WholeDoor(tmp_path / "front", place[0], "front", place[1]) as door:
        yield door


def staff(place, *words):
    result = CliRunner().invoke(app, ["hub", "--site", str(place[0]), *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        return 1, str(result.exception)
    return result.exit_code, result.output


def test_events_of_every_door_arrive_and_can_be_exported(tmp_path, place, hub, front):
    """Stored once each; CSV for the people with spreadsheets."""
    with WholeDoor(tmp_path / "back", place[0], "back", place[1]) as back:
        front.door.happen(30)
        back.door.happen(20)
        wait_until(lambda: front.door.outbox.done_upto() >= 30 and back.door.outbox.done_upto() >= 20)
    rows = list(csv.DictReader(io.StringIO(staff(place, "events", "export")[1])))
    granted = [row["device"] for row in rows if row["kind"] == "access.granted"]
    assert (granted.count("front"), granted.count("back")) == (30, 20)
    lines = staff(place, "staff", "watch", "--json", "--last", "1000")[1].splitlines()
    # A door may have told something else meanwhile; what is stored stays.
    later = list(csv.DictReader(io.StringIO(staff(place, "events", "export")[1])))
    assert len(rows) <= len(lines) <= len(later)
    assert staff(place, "events", "doubts") == (0, "")


def test_staff_open_a_door_and_learn_what_happened(place, hub, front):
    """Two signed steps, one line for people, an event at the door that names who asked."""
    code, text = staff(place, "staff", "open", "front", "--seconds", "7", "--by", "Night desk")
    assert (code, text.strip()) == (0, "front: unlocked, opened after 2.1 s")
    assert front.executed == [("unlock", "Night desk", {"seconds": 7.0})]
    kinds = [event.kind for event in front.door.journal.read()]
    assert [kind for kind in kinds if kind.startswith("command.")] == ["command.taken", "command.done"]
    assert staff(place, "command", "lockdown", "front")[0] == 0
    assert front.executed[-1][0] == "lockdown"


def test_a_door_that_is_away_is_said_to_be(place, hub):
    """No silent success."""
    hub._parts[2]._now = lambda: 1e12  # the commander's clock: its patience is over at once
    code, text = staff(place, "staff", "open", "back")
    assert code == 1
    assert "may be offline" in text


def test_the_roster_reaches_the_doors_and_a_removal_too(tmp_path, place, hub, front):
    """Import, change, remove; every door follows and the overview shows it."""
    people = tmp_path / "residents.csv"
    people.write_text("id,name,access_levels\nanna,Anna,resident\nbob,Bob,resident gym\n")
    assert "revision 2" in staff(place, "roster", "import", str(people))[1]
    wait_until(lambda: front.ids() == ["anna", "bob"])
    people.write_text("id,name\nbob,Bobby\n")
    staff(place, "roster", "import", str(people))
    wait_until(lambda: front.store.get("bob").name == "Bobby")
    assert front.store.get("bob").access_levels == ("resident", "gym"), "the list says nothing of levels"
    people.write_text("id,name\nanna,Anna\ncarol,Carol\n")
    staff(place, "roster", "import", str(people), "--replace")
    wait_until(lambda: front.ids() == ["anna", "carol"])
    staff(place, "roster", "remove", "anna")
    wait_until(lambda: front.ids() == ["carol"])
    assert "1 people" in staff(place, "roster", "status")[1]
    wait_until(lambda: "front" in staff(place, "doors")[1] and "up to date" in staff(place, "doors")[1])


def test_a_door_that_was_away_catches_up_from_the_retained_head(tmp_path, place, hub):
    """Offline while people came and went."""
    with WholeDoor(tmp_path / "back", place[0], "back", place[1]) as back:
        approve = approving(hub.signer)
        hub.roster.change([{"id": f"p{n}", "name": "P"} for n in range(20)], approve=approve)
        wait_until(lambda: len(back.ids()) == 20)
    hub.roster.change([{"id": "new", "name": "New"}], [f"p{n}" for n in range(10)], approve)
    with WholeDoor(tmp_path / "back", place[0], "back", place[1]) as back:
        wait_until(lambda: len(back.ids()) == 11 and "new" in back.ids())


def test_a_bad_file_changes_nothing(tmp_path, place):
    """The line is named."""
    people = tmp_path / "residents.csv"
    people.write_text("id,name,valid_until\nanna,Anna,\nbob,Bob,soon\n")
    code, text = staff(place, "roster", "import", str(people))
    assert code == 1
    assert "line 3" in text
    assert "0 people" in staff(place, "roster", "status")[1]


def test_nobody_is_renamed_or_removed_while_the_encoding_of_a_list_is_a_guess(tmp_path, place):
    people = tmp_path / "residents.csv"
    people.write_bytes("id,name\na-1,李伟\n".encode("gb18030"))
    code, text = staff(place, "roster", "import", str(people))
    assert code == 0
    assert "read as GB18030: 李伟" in text
    for name, words in (("王芳", ()), ("李伟", ("--replace",))):
        people.write_bytes(f"id,name\na-1,{name}\nb-2,张娜\n".encode("gb18030"))
        code, text = staff(place, "roster", "import", str(people), *words)
        assert code == 1
        assert f"as GB18030 it says {name}, 张娜" in text
        assert "1 people" in staff(place, "roster", "status")[1]
    assert staff(place, "roster", "import", str(people), "--replace", "--encoding", "gb18030")[0] == 0
    assert "2 people" in staff(place, "roster", "status")[1]


def test_a_list_in_another_spelling_takes_nobody_s_place(tmp_path, place):
    """With --replace a list of 3栋1203 removed 3-1203 with face, PIN and cards, and began somebody new."""
    people = tmp_path / "residents.csv"
    people.write_text("id,name\n3-1203,李伟\n3-1204,王芳\n", encoding="utf-8")
    staff(place, "roster", "import", str(people))
    people.write_text("id,name\n3栋1203,李伟\n3栋1204,赵敏\n", encoding="utf-8")
    code, text = staff(place, "roster", "import", str(people), "--replace")
    assert code == 0
    assert "3栋1203 is 3-1203" in text
    assert "3栋1204 reads like 3-1204" in text
    assert "1 removed" in text, "another name is another person"
    assert "2 people" in staff(place, "roster", "status")[1]


def test_two_people_ask_at_once_and_each_gets_an_answer(place, hub, front):
    """Requests go through the database, so several desks can work."""
    asked = [ask(hub.engine, hub.signer, "front", CommandType.UNLOCK, f"desk {n}") for n in range(3)]
    wait_until(lambda: {outcome(hub.engine, request)[0] for request in asked} == {"done"})
    assert sorted(by for _, by, _ in front.executed) == ["desk 0", "desk 1", "desk 2"]


def test_the_service_starts_serves_and_stops_on_sigterm(tmp_path, place):
    """`facegate hub run` as systemd runs it."""
    words = ["hub", "--site", str(place[0]), "run"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from edge.cli import main; main()", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with ExitStack() as stack:
        stack.callback(process.wait, PATIENCE)
        stack.callback(process.send_signal, signal.SIGTERM)
        assert process.stdout is not None
        stack.enter_context(closing(process.stdout))
        assert process.stdout.readline() == "hub running\n"
        with WholeDoor(tmp_path / "front", place[0], "front", place[1]) as door:
            door.door.happen(3)
            wait_until(lambda: door.door.outbox.done_upto() == 3)
    assert process.returncode == 0


@pytest.mark.nonsense
def test_rubbish_from_a_door_is_noted_and_ends_nothing(place, hub, front):
    """A mad door is shown in the overview; the others are served."""
    client = front.door.publisher.client
    for topic in ("evt", "sync/req", "cmd/ack", "avail"):
        for payload in (b"\xff", b"[]", b'{"have": "x"}', json.dumps({"epoch": 1, "have": -5}).encode()):
            client.publish(f"facegate/v1/front/{topic}", payload)
    # What is said last depends on which of two threads noted its message later.
    wait_until(lambda: re.search(r"avail: needs state|evt: ", staff(place, "doors")[1]))
    front.door.happen(2)
    wait_until(lambda: front.door.outbox.done_upto() >= 2)
    assert staff(place, "staff", "open", "front")[0] == 0
