"""Remote commands through a real broker."""

import json
import random

import pytest

from edge.broker.settings import BrokerSettings
from edge.runtime.clock import SystemClock
from edge.store.ledger import SqliteLedger
from edge.sync.desk import CommandDesk
from edge.sync.gate import CommandGate
from edge.wire.commands import CommandOutcome
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door
from tests.sync.hubside import KEYS, TOPIC, signed, wish
from tests.waiting import wait_until

pytestmark = pytest.mark.broker
CLOCK = SystemClock()
SETTINGS = BrokerSettings("127.0.0.1", "door-1")


class Gatehouse:
    """A door that takes commands, and staff who give them."""

    def __init__(self, folder, port):
        self.executed = []
        self.ledger = SqliteLedger(folder / "commands.db")
        gate = CommandGate("door-1", KEYS, self.ledger, CLOCK, lambda: "synced")
        self.desk = CommandDesk(SETTINGS, gate, self.execute, self.append, CLOCK)
        self.door = Door(folder, port, others=[self.desk])
        self.staff = Listener(port, SETTINGS.topic("cmd", "ack"), client_id="staff")

    def append(self, draft):
        return self.door.journal.append(draft)

    def execute(self, command, reply):
        self.executed.append(command.type)
        reply(CommandOutcome("done", "unlocked, never opened"))

    def ask(self, number, kind, **changes):
        """Send a command and return the door's answer."""
        self.staff.publish(TOPIC, signed(wish(CLOCK, kind, number, **changes)))
        return wait_until(lambda: self.answers().get(f"command-{number:06}"), kind)

    def answers(self):
        return {
            answer["id"]: answer
            for answer in map(json.loads, self.staff.payloads(SETTINGS.topic("cmd", "ack")))
        }

    def refused(self):
        return [event.reason for event in self.door.journal.read(0, 1000) if event.kind == "command.refused"]

    def __enter__(self):
        self.desk.start()
        self.door.__enter__()
        wait_until(lambda: self.door.publisher.status().link.connected)
        return self

    def __exit__(self, *exception):
        self.desk.stop()
        self.door.__exit__(*exception)
        self.ledger.close()
        self.staff.__exit__()


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


def test_staff_open_a_door_in_two_steps(tmp_path, broker):
    """Challenge, nonce, unlock, physical outcome; sent again it does nothing."""
    with Gatehouse(tmp_path, broker.port) as house:
        nonce = house.ask(1, "challenge")["data"]["nonce"]
        assert house.ask(2, "unlock", nonce=nonce)["reason"] == "unlocked, never opened"
        house.staff.publish(TOPIC, signed(wish(CLOCK, "unlock", 2, nonce=nonce)))
        wait_until(lambda: house.answers()["command-000002"]["status"] == "duplicate")
        assert house.executed == ["unlock"]
        assert house.refused() == ["duplicate"]


def test_a_command_left_at_the_broker_is_refused_at_each_connection(tmp_path, broker):
    """Retained by mistake or on purpose."""
    with Listener(broker.port, "x") as somebody:
        somebody.publish(TOPIC, signed(wish(CLOCK, "lockdown")), retain=True)
    with Gatehouse(tmp_path, broker.port) as house:
        wait_until(lambda: house.refused() == ["retained"])
        assert house.executed == []


@pytest.mark.nonsense
def test_rubbish_on_every_topic_stops_nothing(tmp_path, broker):
    """Two thousand messages of noise: the door still takes the next true command."""
    rng = random.Random(4)
    with Gatehouse(tmp_path, broker.port) as house:
        house.door.happen(3)
        for _ in range(2000):
            topic = rng.choice([TOPIC, SETTINGS.topic("evt", "ack")])
            house.staff.client.publish(topic, rng.randbytes(rng.randrange(300)), qos=1)
        wait_until(lambda: house.door.publisher.status().link.rejected > 500)
        assert house.door.outbox.done_upto() == 0
        wait_until(house.desk._waiting.empty)
        assert house.ask(1, "lockdown")["status"] == "done"
        assert house.executed == ["lockdown"]
        assert house.door.publisher.is_alive()
