"""Which doors are there: by what they say now, not by what the broker keeps in their name."""

import json
import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.broker.session import BrokerSession
from edge.errors import ConfigError
from edge.runtime.clock import ManualClock
from edge.site.provision import Site
from edge.wire.commands import CommandType
from edge.wire.messages import CommandAnswer, Message
from facegate_hub.commands import Commander
from facegate_hub.configuration import Configurations, ConfigurationServer
from facegate_hub.devices import SILENT_SECONDS, Attendance, Hearsay
from facegate_hub.requests import outcome
from facegate_hub.tables import DEVICES, HUBS, REQUESTS, open_tables
from tests.hub.signing import ask, own_signer
from tests.sync.hubside import SIGNER
from tests.waiting import PATIENCE, wait_until


@pytest.fixture
def engine(tmp_path):
    engine = open_tables(f"sqlite:///{tmp_path}/hub.db")
    yield engine
    engine.dispose()


class Nowhere(BrokerSession):
    """A connection that leads nowhere."""

    def __init__(self) -> None:
        """Connect to nothing."""


class Hall:
    """The hub's attendance, with doors that say something or do not."""

    def __init__(self, engine):
        self.engine, self.clock = engine, ManualClock()
        self.attendance = Attendance(engine, self.clock.monotonic)
        self.attendance.opened(Nowhere(), 0.0)

    def says(self, door, topic="avail", retained=False, **fields):
        payload = json.dumps({"v": 1, **fields}).encode()
        self.attendance.handle(Message(f"facegate/v1/{door}/{topic}", payload, retained))

    def silence(self, seconds):
        """Let time pass: by the clocks, and in what is stored."""
        self.clock.advance(seconds)
        with self.engine.begin() as connection:
            connection.execute(sa.update(DEVICES).values(heard_at=DEVICES.c.heard_at - seconds))
        self.attendance.idle()

    def row(self, door):
        with self.engine.connect() as connection:
            return connection.execute(sa.select(DEVICES).where(DEVICES.c.id == door)).one()

    def avail(self, door):
        return self.row(door).avail


@pytest.fixture
def hall(engine):
    return Hall(engine)


def test_a_door_that_the_broker_keeps_as_online_is_offline_after_three_missed_minutes(hall):
    """Broker and door lost their power together: nobody published its last will."""
    hall.says("dead", state="online", retained=True)
    hall.says("alive", state="online", retained=True)
    assert hall.row("dead").heard_at is None
    assert hall.row("dead").seen_at is None
    for _ in range(4):
        hall.silence(SILENT_SECONDS / 3)
        hall.says("alive", "state", mode="normal")
    assert (hall.avail("dead"), hall.avail("alive")) == ("offline", "online")


def test_a_door_that_was_heard_in_the_future_is_offline_once_it_is_silent(hall):
    """The hub's clock was ahead and was set right: a dead door was there until the clock was."""
    hall.says("dead", state="online")
    with hall.engine.begin() as connection:
        connection.execute(sa.update(DEVICES).values(heard_at=DEVICES.c.heard_at + 86_400))
    hall.attendance.idle()
    assert hall.avail("dead") == "online", "by the hub's other clock it was heard a moment ago"
    hall.silence(SILENT_SECONDS + 1)
    assert hall.avail("dead") == "offline"


def test_a_door_that_is_heard_again_is_online(hall):
    hall.says("front", state="online")
    hall.silence(SILENT_SECONDS + 1)
    assert hall.avail("front") == "offline"
    hall.says("front", "state", mode="normal")
    assert hall.avail("front") == "online"
    assert json.loads(hall.row("front").state)["mode"] == "normal"


def test_a_hub_that_was_away_itself_calls_nobody_silent(hall):
    hall.says("front", state="online")
    hall.clock.advance(3600)
    hall.attendance.opened(Nowhere(), 0.0)
    hall.silence(SILENT_SECONDS / 2)
    assert hall.avail("front") == "online"


def test_stored_events_count_as_being_heard(hall):
    """Whoever stores them: a worker writes it into the database."""
    hall.says("front", state="online")
    hall.silence(SILENT_SECONDS - 1)
    Hearsay(hall.engine).heard({"front"})
    hall.clock.advance(10)
    hall.attendance.idle()
    assert hall.avail("front") == "online"
    assert hall.row("front").heard_at > time.time() - 60


def test_the_hub_says_that_it_lives(hall):
    hall.attendance.idle()
    with hall.engine.connect() as connection:
        assert connection.execute(sa.select(HUBS.c.name, HUBS.c.problem)).all() == [("hub", None)]


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b"{" * 9999, b'{"a":"%s"}' % (b"x" * 20_000)])
def test_a_state_that_makes_no_sense_is_a_problem_of_that_door(hall, payload):
    hall.attendance.handle(Message("facegate/v1/mad/state", payload, False))
    assert hall.row("mad").problem
    assert hall.row("mad").state is None


class Locked:
    """The database, held by somebody else until `release`."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.execute("BEGIN IMMEDIATE")

    def release(self):
        self.connection.execute("ROLLBACK")
        self.connection.close()


def impatient(path):
    """Return an engine that does not wait for locks: it fails at once, as a full disk does."""
    engine = open_tables(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection, _record):
        connection.execute("PRAGMA busy_timeout = 0")

    engine.dispose()
    return engine


def failures_of(engine):
    """Return a list that grows with each failure of the database."""
    failures = []
    sa.event.listen(engine, "handle_error", lambda context: failures.append(context.original_exception))
    return failures


def answer_of(engine):
    """Return a clerk, a message a door sends once, and how to tell that it was taken."""
    signer = own_signer(Path(engine.url.database).parent)
    request = ask(engine, signer, "front", CommandType.DIAGNOSTICS)
    with engine.begin() as connection:
        connection.execute(sa.update(REQUESTS).values(status="given"))
    payload = CommandAnswer(request, "done", "as of now", {"x": 1}).encode()
    return Commander(engine, signer), "cmd/ack", payload, lambda: outcome(engine, request)[0] == "done"


def report_of(engine):
    payload = json.dumps({"v": 1, "rev": 1, "values": {}, "refused": [], "pending": []}).encode()
    clerk = ConfigurationServer(engine, SIGNER, Configurations(engine))
    return clerk, "cfg/reported", payload, lambda: Configurations(engine).view("front").reported is not None


def presence_of(engine):
    hall = Hall(engine)
    payload = b'{"v":1,"state":"online","boot":"b"}'
    return hall.attendance, "avail", payload, lambda: hall.row("front").avail == "online"


@pytest.mark.parametrize("what", [answer_of, report_of, presence_of])
def test_what_a_door_says_once_is_kept_while_the_database_fails(tmp_path, what):
    """And written when it works again; the door does not say it a second time."""
    engine = impatient(tmp_path / "hub.db")
    clerk, topic, payload, is_taken = what(engine)
    failures, lock = failures_of(engine), Locked(tmp_path / "hub.db")
    message = Message(f"facegate/v1/front/{topic}", payload, False)
    handling = threading.Thread(target=lambda: clerk.handle_all([message]))
    handling.start()
    wait_until(lambda: len(failures) >= 2, "it failed, and failed again")
    assert handling.is_alive()
    lock.release()
    handling.join(PATIENCE)
    assert is_taken()
    engine.dispose()


def test_the_workers_group_has_a_name_that_nobody_outside_knows(tmp_path):
    """A door that could guess it would join and swallow events."""
    site = Site.create(tmp_path / "site", "Hill House", "127.0.0.1", 8883)
    with pytest.raises(ConfigError, match=r"share\.key"):
        site.share()
    name = site.share(make=True)
    assert (len(name), site.share(), site.share(make=True)) == (32, name, name)
    assert (tmp_path / "site" / "hub" / "share.key").stat().st_mode & 0o077 == 0
    other = Site.create(tmp_path / "other", "Hill House", "127.0.0.1", 8883)
    assert other.share(make=True) != name
