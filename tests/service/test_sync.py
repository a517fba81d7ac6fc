"""`facegate run` as a process with a real broker: events out, state, roster and commands in."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import timedelta

import pytest

from edge.domain import Resident
from edge.enrol.ways_in import WaysIn
from edge.runtime.clock import SystemClock
from edge.store.ledger import LEDGER_FILE, SqliteLedger
from edge.store.residents import ResidentStore
from edge.wire.commands import Command, CommandType, kept_command
from edge.wire.configuration import PURPOSE, Desired, Reported
from edge.wire.discovery import Announced, discovery
from tests.loopback import free_port
from tests.store.test_residents import template
from tests.sync.broker import Broker, Listener
from tests.sync.hubside import SIGNER, STRANGER, signed, wish
from tests.sync.property import Property
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.broker
TOPIC = "facegate/v1/door-1"
CONFIG = """
[door]
id = "door-1"
[camera]
source = "{home}/no-such-clip.mp4"
[lock]
driver = "dry-run"
[storage]
directory = "{home}/data"
[mqtt]
host = "127.0.0.1"
port = {port}
tls = false
trusted_keys = "{home}/keys.json"
home_assistant = true
"""
GOOD_KEYS = json.dumps({"site-1": base64.b64encode(SIGNER.public).decode()})


class Hub:
    """A running door and the property's side of its topics, answered by hand."""

    def __init__(self, home, port, keys=GOOD_KEYS, more=""):
        self.site, self.home = Property(), home
        text = CONFIG.format(home=home, port=port) + more
        (home / "keys.json").write_text(keys)
        (home / "config.toml").write_text(text)
        self.listener = Listener(port, f"{TOPIC}/#", client_id="hub")
        self.listener.client.on_message = self._hear
        self.events, self.answers, self.states, self.reports = [], [], [], []
        self.begin()

    def begin(self):
        """Start the door; systemd is a socket that nobody reads."""
        self.supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.bind(f"\0{self.home}")
        command = [sys.executable, "-m", "edge.cli", "run", "--config", str(self.home / "config.toml")]
        environ = os.environ | {"FACEGATE_MODELS": str(self.home / "none"), "NOTIFY_SOCKET": f"@{self.home}"}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environ, stderr=log)

    def _hear(self, client, _userdata, message):
        kind = message.topic.removeprefix(f"{TOPIC}/")
        if kind == "evt":
            found = json.loads(message.payload)
            self.events += found if isinstance(found, list) else [found]
            ack = {"stream": self.events[-1]["stream"], "upto": self.events[-1]["seq"]}
            client.publish(f"{TOPIC}/evt/ack", json.dumps(ack), qos=1)
        elif kind == "state":
            self.states.append(json.loads(message.payload))
        elif kind == "cmd/ack":
            self.answers.append(json.loads(message.payload))
        elif kind == "cfg/reported":
            self.reports.append(Reported.parse(message.payload))
        elif kind == "sync/req":
            self.tell(*self.site.answer(message.payload))

    def tell(self, *messages):
        for message in messages:
            self.listener.client.publish(message.topic, message.payload, qos=1, retain=message.retained)

    def command(self, kind, signer=SIGNER, **more):
        fields = wish(SystemClock(), kind, id=str(uuid.uuid4()), **more)
        self.listener.publish(f"{TOPIC}/cmd", signed(fields, signer))
        return fields["id"]

    def wish(self, rev, **values):
        named = {key.replace("__", "."): value for key, value in values.items()}
        payload = SIGNER.sign(Desired("door-1", rev, named).encode(), PURPOSE)
        self.listener.publish(f"{TOPIC}/cfg/desired", payload, retain=True)
        return self.until(lambda: self.reports and self.reports[-1].rev == rev and self.reports[-1])

    def confirmed(self, kind, **more):
        """Give a command in its two steps and return the answer."""
        nonce = self.answer(self.command("challenge"))["data"]["nonce"]
        return self.answer(self.command(kind, nonce=nonce, **more))

    def answer(self, command_id):
        return self.until(lambda: next((a for a in self.answers if a["id"] == command_id), None))

    def event(self, kind):
        return self.until(lambda: next((e for e in self.events if e["type"] == kind), None))

    def until(self, condition):
        return wait_until(condition, (self.home / "log").read_text)

    def ids(self):
        if not (self.home / "data" / "residents.db").exists():
            return set()
        with closing(ResidentStore(self.home / "data" / "residents.db")) as store:
            return {row[0] for row in store.query("SELECT id FROM residents")}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.supervisor.close()
        self.listener.__exit__()


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as running:
        yield running


def test_the_roster_commands_and_state_of_a_running_door(tmp_path, broker):
    with Hub(tmp_path, broker.port) as hub:
        started = hub.event("service.started")
        first = hub.until(lambda: hub.states and hub.states[-1])
        assert first["software"] == started["data"]["version"]
        assert {"camera", "clock", "mode", "model", "gallery", "door", "outbox"} <= set(first)

        for name in ("anna", "bert"):
            hub.site.put(name, name.title(), access_levels=["resident"])
        hub.tell(hub.site.head())
        hub.until(lambda: hub.ids() == {"anna", "bert"})
        hub.until(lambda: hub.states[-1]["roster"]["digest"] == hub.site.state().digest)
        hub.site.remove("bert")
        hub.tell(hub.site.delta(2))
        hub.until(lambda: hub.ids() == {"anna"})

        nonce = hub.answer(hub.command("challenge"))["data"]["nonce"]
        done = hub.answer(hub.command("unlock", nonce=nonce, args={"seconds": 2}))
        assert (done["status"], done["data"]) == ("done", {"opened": None})
        assert hub.event("access.granted")["data"]["method"] == "remote"

        nonce = hub.answer(hub.command("challenge"))["data"]["nonce"]
        assert hub.answer(hub.command("lockdown", nonce=nonce))["status"] == "done"
        hub.until(lambda: hub.states[-1]["mode"] == "locked_down")
        nonce = hub.answer(hub.command("challenge"))["data"]["nonce"]
        assert hub.answer(hub.command("unlock", nonce=nonce))["status"] == "failed"
        assert hub.event("access.denied")["reason"] == "threat_level"
        used, nonce = nonce, hub.answer(hub.command("challenge"))["data"]["nonce"]
        assert hub.answer(hub.command("diagnostics", nonce=nonce))["data"]["roster"]["count"] == 1

        assert hub.answer(hub.command("unlock", nonce=used))["status"] == "rejected"
        hub.command("evacuation", STRANGER)
        hub.until(
            lambda: (
                {"nonce", "signature"}
                <= {event["reason"] for event in hub.events if event["type"] == "command.refused"}
            )
        )
        assert hub.stop() == 0


def test_a_lock_down_that_the_power_cut_came_in_between_of_is_done_at_the_next_start(tmp_path, broker):
    """It was taken; neither the mode nor the journal had it yet."""
    with Hub(tmp_path, broker.port) as hub:
        hub.event("service.started")
        assert hub.confirmed("diagnostics")["status"] == "done"
        assert hub.stop() == 0
        taken, now = str(uuid.uuid4()), SystemClock().now()
        command = Command(taken, CommandType.LOCKDOWN, "door-1", now, timedelta(0), "Front desk")
        with closing(SqliteLedger(tmp_path / "data" / LEDGER_FILE)) as ledger:
            assert ledger.claim(taken, now, kept_command(command))
        hub.events.clear()
        hub.supervisor.close()
        hub.begin()
        done = hub.event("command.done")
        assert (done["data"]["command"], done["data"]["type"]) == (taken, "lockdown")
        assert hub.event("door.mode")["data"] == {"mode": "locked_down", "by": "Front desk", "until": None}
        hub.until(lambda: hub.states[-1]["mode"] == "locked_down")
        assert hub.stop() == 0
        with closing(SqliteLedger(tmp_path / "data" / LEDGER_FILE)) as ledger:
            assert ledger.unfinished() == []


def test_a_lost_card_is_taken_back_at_a_running_door_and_the_new_one_stays(tmp_path, broker):
    """By the roster that the property signs; the journal says so."""
    with Hub(tmp_path, broker.port) as hub, WaysIn.of(tmp_path / "data") as ways:
        hub.event("service.started")
        hub.site.put("anna", "Anna")
        hub.tell(hub.site.head())
        hub.until(lambda: hub.ids() == {"anna"})
        ways.give_card("w26:17:1", "anna")
        hub.site.put("anna", "Anna", ways_ended=1_800_000_000)
        hub.tell(hub.site.delta(1))
        removed = hub.event("credential.removed")
        assert (removed["resident"], removed["data"]) == ("anna", {"state": "property", "count": 1})
        assert ways.cards() == {}
        ways.give_card("w26:17:2", "anna")
        hub.site.put("anna", "Anne", ways_ended=1_800_000_000)
        hub.tell(hub.site.delta(2))
        hub.until(lambda: hub.states[-1]["roster"]["rev"] == 3)
        assert ways.cards() == {"w26:17:2": "anna"}
        assert hub.stop() == 0


def test_bad_keys_cost_the_commands_not_the_events_and_the_state_stays_at_the_broker(tmp_path, broker):
    with Hub(tmp_path, broker.port, keys="{}") as hub:
        assert "0 trusted keys" in hub.event("health.sync")["data"]["error"]
        hub.until(lambda: hub.states)
        assert not (tmp_path / "data" / LEDGER_FILE).exists()
        with Listener(broker.port, f"{TOPIC}/state", "homeassistant/#", client_id="late") as late:
            announced = {topic for topic, _ in discovery(Announced("door-1", ""))}
            wait_until(lambda: {message.topic for message in late.messages} == {f"{TOPIC}/state", *announced})
            assert all(message.retain for message in late.messages)
        assert hub.stop() == 0


def test_wished_settings_count_at_once_or_after_a_reload_and_survive_it(tmp_path, broker):
    with Hub(tmp_path, broker.port) as hub:
        told = hub.wish(1, lock__unlock_seconds=9, recognition__fpir=1e-4)
        assert (told.values["lock.unlock_seconds"], told.pending) == (9, ("recognition.fpir",))
        refused = hub.wish(2, recognition__fpir=0.05, lock__unlock_seconds=4)
        assert (refused.values["lock.unlock_seconds"], len(refused.refused)) == (9, 1)
        assert "at most the installer's" in hub.event("config.refused")["data"]["detail"]
        hub.confirmed("unlock")
        assert hub.event("access.granted")["data"]["unlock_seconds"] == 9

        opened = hub.confirmed("enrol_window", args={"minutes": 5})
        assert (opened["status"], "serves no panel" in opened["reason"]) == ("failed", True)

        done = hub.confirmed("reload")
        assert (done["status"], done["data"]) == ("done", {"restart": True})
        assert hub.process.wait(PATIENCE) == 75
        hub.supervisor.close()
        hub.reports.clear()
        hub.begin()
        again = hub.until(lambda: hub.reports and hub.reports[-1])
        assert (again.rev, again.values["recognition.fpir"], again.pending) == (2, 1e-4, ())
        assert hub.confirmed("reload")["data"] == {}
        assert hub.stop() == 0


def test_a_door_with_a_worn_card_tells_late_and_gets_its_people_back(tmp_path, broker):
    """The journal cannot be opened at first, and the residents are damaged: the door runs all the same."""
    data = tmp_path / "data"
    (data / "journal.db").mkdir(parents=True)  # in the way, as a file system that is read-only
    with closing(ResidentStore(data / "residents.db")) as store:
        store.put(Resident("anna", "Anna"), [template("anna")])
    (data / "residents.db").write_bytes(b"worn out" * 1000)
    with Hub(tmp_path, broker.port) as hub:
        hub.site.put("anna", "Anna")
        hub.until(lambda: "events wait" in (tmp_path / "log").read_text())
        assert hub.process.poll() is None
        (data / "journal.db").rmdir()
        damage = hub.event("health.residents")["data"]
        assert (damage["enrol_again"], damage["count"]) == (["anna"], 1)
        assert (data / damage["kept"]).read_bytes().startswith(b"worn out")
        hub.tell(hub.site.head())
        hub.until(lambda: hub.ids() == {"anna"})
        assert hub.stop() == 0


def test_the_property_opens_the_enrolment_window_of_a_door_with_a_panel(tmp_path, broker):
    panel = f"[panel]\nenabled = true\nport = {free_port()}\n"
    with Hub(tmp_path, broker.port, more=panel) as hub:
        hub.event("service.started")
        opened = hub.confirmed("enrol_window", args={"minutes": 5})
        assert (opened["status"], opened["data"]) == ("done", {"seconds": 300})
        assert hub.event("enrol.window_opened")["data"] == {"by": "Front desk", "seconds": 300}
        assert hub.stop() == 0
