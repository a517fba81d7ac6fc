"""A hub's numbers: with a real broker, two doors, and a real scrape."""

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from edge.broker.client import LinkStatus
from edge.cli import app
from edge.domain import RosterState
from edge.errors import ConfigError
from edge.runtime.metrics_page import MetricsPage
from edge.site.provision import Site
from facegate_hub.database import put
from facegate_hub.events import EventSink
from facegate_hub.inbox import Inbox, InboxKind, InboxState
from facegate_hub.metrics import HubCollector
from facegate_hub.retention import HubRetention
from facegate_hub.tables import DEVICES, DOUBTS, open_tables
from tests.hub.entries import chain, pack
from tests.hub.test_hub import WholeDoor
from tests.loopback import free_port
from tests.places import REPOSITORY
from tests.sync.broker import Broker
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path):
    port = free_port()
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", port)
    for door in ("front", "back"):
        site.add_door(door)
    with Broker.of_site(tmp_path / "site", port):
        yield tmp_path / "site", port


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    families = text_string_to_metric_families(text)
    found = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    return text, found


@pytest.mark.broker
def test_a_running_hub_tells_its_doors_and_its_work(tmp_path, place):
    """`facegate hub run --metrics`, as a process: events, doors, revisions, rubbish; no names."""
    port = free_port()
    words = ["hub", "--site", str(place[0]), "run", "--metrics", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *words], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    with ExitStack() as stack:
        stack.callback(process.wait, PATIENCE)
        stack.callback(process.send_signal, signal.SIGTERM)
        assert process.stdout is not None
        stack.enter_context(closing(process.stdout))
        assert process.stdout.readline() == "hub running\n"
        people = tmp_path / "people.csv"
        people.write_text("id,name\nanna-1,Anna Kowalska\nbob-2,Bob\n")
        staff = ["hub", "--site", str(place[0]), "roster", "import", str(people)]
        assert CliRunner().invoke(app, staff).exit_code == 0
        with WholeDoor(tmp_path / "front", place[0], "front", place[1]) as front:
            with WholeDoor(tmp_path / "back", place[0], "back", place[1]) as back:
                front.door.happen(30)
                wait_until(lambda: front.door.outbox.done_upto() >= 30 and len(front.ids()) == 2)
                wait_until(lambda: len(back.ids()) == 2)
            text, found = wait_until(lambda: _settled(port), "the hub has noted what its doors said")
    assert found["facegate_hub_door_events_total", "front"] >= 30
    assert found["facegate_hub_door_revisions_behind", "front"] == 0
    assert found["facegate_hub_door_online", "back"] == 0
    assert found["facegate_hub_door_seen_age_seconds", "front"] < 60
    assert found["facegate_hub_broker_connected",] == 1
    assert found["facegate_hub_messages_total",] >= found["facegate_hub_commits_total",] > 0
    assert found["process_resident_memory_bytes",] > 1e6
    assert not re.search("anna|kowalska|bob", text, re.IGNORECASE)
    assert process.returncode == 0


def _settled(port):
    text, found = scrape(port)
    done = found.get(("facegate_hub_door_online", "back")) == 0
    told = found.get(("facegate_hub_door_revisions_behind", "front")) == 0
    return (text, found) if done and told and found.get(("facegate_hub_roster_revision",)) == 2 else None


def collector(engine):
    roster = RosterState(4, 7, "", 0)
    link = LinkStatus(rejected=3)
    return HubCollector(engine, lambda: roster, lambda: link, None, lambda: {"hub-roster": 2.0})


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    is_file = request.param == "sqlite"
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db" if is_file else request.getfixturevalue("postgresql"))
    yield engine
    engine.dispose()


def told(engine, name):
    families = [one for one in collector(engine).collect() if one.name == name]
    return {"".join(one.labels.values()): one.value for family in families for one in family.samples}


def test_each_figure_of_a_door_is_what_the_list_of_doors_says(engine):
    """A problem of last week stayed 1 for ever; of a door in an older epoch nothing was behind."""
    now = time.time()
    doors: dict[str, dict[str, Any]] = {
        "well": {"epoch": 4, "rev": 7, "avail": "online"},
        "behind": {"epoch": 4, "rev": 5},
        "older": {"epoch": 3, "rev": 7},
        "later": {"epoch": 4, "rev": 9},
        "last-week": {"epoch": 4, "rev": 7, "problem": "evt: x", "problem_at": now - 7 * 86_400},
        "just-now": {"epoch": 4, "rev": 7, "problem": "evt: x", "problem_at": now - 60},
        "shut-out": {"epoch": 4, "rev": 7, "shut_out": "stolen"},
    }
    with engine.begin() as connection:
        for door, row in doors.items():
            put(connection, DEVICES, {"id": door, **row})
    behind = told(engine, "facegate_hub_door_revisions_behind")
    assert {door: count for door, count in behind.items() if count} == {"behind": 2, "older": 7, "later": 7}
    problems = told(engine, "facegate_hub_door_problem")
    assert {door for door, is_one in problems.items() if is_one} == {"later", "just-now", "shut-out"}
    assert told(engine, "facegate_hub_door_online") == {door: door == "well" for door in doors}


def test_what_is_stored_is_counted_once_however_many_journals_a_door_has(engine):
    sink = EventSink(engine)
    for stream, count in (("a", 30), ("b", 12)):
        sink.store("front", pack(chain("front", count, stream=stream)))
    late = chain("back", 9)
    sink.store("back", pack([*late[:4], *late[6:]]))
    assert told(engine, "facegate_hub_door_events") == {"front": 42, "back": 4}
    HubRetention(engine, 1.0, now=lambda: time.time() + 30 * 86_400, trusts_clock=True).prune()
    assert told(engine, "facegate_hub_door_events") == {"front": 42, "back": 4}, "a counter never falls"


def test_doubts_that_somebody_has_looked_at_alarm_nobody_any_more(engine):
    with engine.begin() as connection:
        for number in range(3):
            row = {"device": "front", "stream": "s", "seq": number, "kind": "gap", "what": "x"}
            connection.execute(sa.insert(DOUBTS).values(**row))
    inbox = Inbox(engine)
    first, second, _ = inbox.items(InboxKind.DOUBTS, [InboxState.OPEN])
    inbox.acknowledge(InboxKind.DOUBTS, first.id, "mei")
    inbox.close(InboxKind.DOUBTS, second.id, "mei")
    assert told(engine, "facegate_hub_doubts") == {"": 1}


def test_doubts_and_what_waits_are_told(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/other.db")
    with engine.begin() as connection:
        connection.execute(sa.insert(DOUBTS).values(device="front", stream="s", seq=1, what="x"))
    page = MetricsPage("127.0.0.1:0", collector(engine))
    _, found = scrape(page.port)
    page.close()
    engine.dispose()
    assert found["facegate_hub_doubts",] == 1
    assert found["facegate_hub_waiting", "hub-roster"] == 2
    assert (found["facegate_hub_rejected_total",], found["facegate_hub_broker_connected",]) == (3, 0)
    assert ("facegate_hub_messages_total",) not in found


def test_a_database_that_fails_leaves_the_rest(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder/hub.db")
    names = [family.name for family in collector(engine).collect()]
    assert "facegate_hub_rejected" in names
    assert not any("door" in name for name in names)


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "taken"])
def test_an_address_that_cannot_be_served_is_said_before_the_hub_starts(place, listen):
    """A hub is started by people at a prompt: they are told, not left without numbers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}" if listen == "taken" else listen
        result = CliRunner().invoke(app, ["hub", "--site", str(place[0]), "run", "--metrics", address])
    assert isinstance(result.exception, ConfigError)
    assert "--metrics" in str(result.exception)


def test_the_document_names_exactly_what_the_hub_tells():
    document = (REPOSITORY / "docs" / "metrics.md").read_text()
    named = set(re.findall(r"\bfacegate_hub_\w+", document))
    source = (REPOSITORY / "facegate_hub" / "metrics.py").read_text()
    counted = {f"{name}_total" for name in re.findall(r'(?:_count|CounterMetricFamily)\("(\w+)"', source)}
    told = {name for name in re.findall(r'"(facegate_hub_\w+)"', source) if f"{name}_total" not in counted}
    assert named == told | counted
