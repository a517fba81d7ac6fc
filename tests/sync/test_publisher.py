"""Events reach the property through a real broker, whatever is missing meanwhile."""

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.broker.settings import Ack
from edge.errors import SyncError
from tests.loopback import free_port
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door, MemoryHub
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.broker


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


def connected(door):
    wait_until(lambda: door.publisher.status().link.connected, door.publisher.status)


def delivered(door, count):
    wait_until(lambda: door.outbox.done_upto() == count, f"{count} events done")


def test_a_plain_subscriber_gets_each_event_as_one_object(tmp_path, broker):
    """In order, exactly as the journal shows it; done at PUBACK when the broker is trusted."""
    with Door(tmp_path, broker.port, Ack.BROKER) as door, Listener(broker.port, door.topic) as listener:
        door.happen(50)
        wait_until(lambda: len(listener.payloads(door.topic)) == 50)
        delivered(door, 50)
        events = [json.loads(payload) for payload in listener.payloads(door.topic)]
        assert [event["hash"] for event in events] == [event.hash for event in door.journal.read()]
        assert not any(message.retain for message in listener.messages)


def test_without_the_hub_an_event_is_never_done(tmp_path, broker):
    """PUBACK proves nothing; the hub's word does, and until then the event is sent again."""
    with Door(tmp_path, broker.port) as door, Listener(broker.port, door.topic) as listener:
        connected(door)
        door.happen(3)
        wait_until(lambda: len(listener.payloads(door.topic)) >= 2, "sent again after a silence")
        assert door.outbox.done_upto() == 0
        wait_until(lambda: "is the hub running?" in (door.publisher.status().problem or ""))
        with MemoryHub(broker.port) as hub:
            delivered(door, 3)
            wait_until(lambda: door.publisher.status().problem is None)
            assert len(hub.events) == 3


def test_a_pile_of_events_drains_in_batches(tmp_path, broker):
    """What gathered while the broker was away arrives completely and in few messages."""
    door = Door(tmp_path, broker.port)
    door.happen(700)
    with MemoryHub(broker.port) as hub, door:
        delivered(door, 700)
        assert len(hub.events) == 700
        wait_until(lambda: door.publisher.status().waiting == 0, door.publisher.status)


@pytest.mark.parametrize("limit", ["max_packet_size 16000", "message_size_limit 16000"])
def test_a_broker_that_takes_short_messages_only_gets_short_batches(tmp_path, limit):
    """A longer one would end the connection, again and again, and no event would ever arrive.

    The second limit is not told at the connection: it shows when a message is refused.
    """
    with (
        Broker(tmp_path / "broker", limit) as broker,
        MemoryHub(broker.port) as hub,
        Door(tmp_path, broker.port) as door,
    ):
        door.happen(200)
        delivered(door, 200)
        assert len(hub.events) == 200


def test_the_door_does_not_need_the_broker(tmp_path):
    """No broker: events are stored, the reason is said, and they leave when it appears."""
    broker = Broker(tmp_path / "broker")
    with Door(tmp_path, broker.port) as door:
        door.happen(20)
        wait_until(
            lambda: "connection refused; is the broker running" in (door.publisher.status().problem or "")
        )
        wait_until(lambda: door.publisher.status().waiting == 20, door.publisher.status)
        assert door.publisher.is_alive()
        with broker, MemoryHub(broker.port) as hub:
            delivered(door, 20)
            assert len(hub.events) == 20
            wait_until(lambda: door.publisher.status().problem is None, door.publisher.status)


def test_nothing_is_lost_when_the_broker_is_killed_again_and_again(tmp_path):
    """Default persistence, SIGKILL in the middle of traffic: all events arrive."""
    with (
        Broker(tmp_path / "broker") as broker,
        Door(tmp_path, broker.port) as door,
        MemoryHub(broker.port) as hub,
    ):
        for _kill in range(4):
            connected(door)
            door.happen(60)
            broker.kill(signal.SIGKILL)
            door.happen(20)
            broker.start()
        delivered(door, 320)
        assert sorted(seq for _stream, seq in hub.events) == list(range(1, 321))


def test_a_second_run_sends_what_the_first_could_not(tmp_path, broker):
    """Progress is remembered across restarts; nothing already confirmed is sent again."""
    with Door(tmp_path, broker.port) as door, MemoryHub(broker.port):
        door.happen(5)
        delivered(door, 5)
    with Door(tmp_path, free_port()) as door:
        door.happen(5)
    with Listener(broker.port, "facegate/v1/door-1/evt") as listener, Door(tmp_path, broker.port) as door:
        wait_until(lambda: listener.messages)
        assert [event["seq"] for event in json.loads(listener.messages[0].payload)] == [6, 7, 8, 9, 10]


def avail(listener):
    return [json.loads(payload)["state"] for payload in listener.payloads("facegate/v1/door-1/avail")]


def test_availability_is_retained_and_a_clean_stop_says_offline(tmp_path, broker):
    """Whoever subscribes later still learns how it is."""
    with Door(tmp_path, broker.port) as door:
        connected(door)
        with Listener(broker.port, "facegate/v1/+/avail") as listener:
            wait_until(lambda: avail(listener) == ["online"])
            assert listener.messages[0].retain
    with Listener(broker.port, "facegate/v1/+/avail", client_id="later") as listener:
        wait_until(lambda: avail(listener) == ["offline"])


def test_the_last_will_speaks_for_a_killed_door(tmp_path, broker):
    """SIGKILL leaves no time for goodbyes; the broker says it."""
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from tests.sync.doors import Door\nwith Door(Path(sys.argv[1]), int(sys.argv[2])): time.sleep(60)"
    )
    words = [sys.executable, "-c", script, str(tmp_path), str(broker.port)]
    with Listener(broker.port, "facegate/v1/+/avail") as listener:
        door = subprocess.Popen(words, cwd=Path(__file__).parents[2])
        wait_until(lambda: avail(listener) == ["online"])
        door.kill()
        door.wait(PATIENCE)
        wait_until(lambda: avail(listener) == ["online", "offline"])


class Clumsy:
    """A part that fails in every way a part can, once each."""

    def __init__(self):
        self.subscriptions = ("facegate/v1/door-1/cmd",)
        self.failures = {"opened", "received", "taken", "step"}

    def _fail(self, name):
        if name in self.failures:
            self.failures.remove(name)
            raise ZeroDivisionError(name)

    def opened(self, session, now):
        self._fail("opened")

    def received(self, message, now):
        self._fail("received")
        raise SyncError("not for me")

    def taken(self, mid, problem, now):
        self._fail("taken")

    def step(self, session, now):
        self._fail("step")


@pytest.mark.nonsense
def test_an_error_in_a_part_never_ends_the_thread(tmp_path, broker):
    """It is logged, the connection is made anew, and events still arrive."""
    clumsy = Clumsy()
    with MemoryHub(broker.port) as hub, Door(tmp_path, broker.port, others=[clumsy]) as door:
        door.happen(5)
        wait_until(lambda: clumsy.failures == {"received"})
        connected(door)
        hub.listener.publish("facegate/v1/door-1/cmd", b"x")
        wait_until(lambda: not clumsy.failures)
        connected(door)
        hub.listener.publish("facegate/v1/door-1/cmd", b"y")
        wait_until(lambda: door.publisher.status().link.rejected == 1)
        delivered(door, 5)
        assert door.publisher.is_alive()


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[]", b'{"stream": "STREAM"}', b'{"stream": "STREAM", "upto": 3.5}', b'{"upto": 3}'],
)
@pytest.mark.nonsense
def test_a_senseless_acknowledgement_changes_nothing(tmp_path, broker, payload):
    """It is counted and dropped; the true one still works."""
    with Door(tmp_path, broker.port) as door, Listener(broker.port, door.topic) as listener:
        door.happen(5)
        wait_until(lambda: listener.messages)
        listener.publish(f"{door.topic}/ack", payload.replace(b"STREAM", door.journal.stream.encode()))
        wait_until(lambda: door.publisher.status().link.rejected == 1)
        assert door.outbox.done_upto() == 0
        listener.publish(f"{door.topic}/ack", json.dumps({"stream": door.journal.stream, "upto": 5}))
        delivered(door, 5)


def test_an_acknowledgement_of_another_stream_or_of_the_future_is_not_believed(tmp_path, broker):
    """A replaced journal starts from its own first event; a journal that lost its end says so."""
    with Door(tmp_path, broker.port) as door, Listener(broker.port, door.topic) as listener:
        door.happen(5)
        wait_until(lambda: listener.messages)
        listener.publish(f"{door.topic}/ack", json.dumps({"stream": "old", "upto": 5}))
        listener.publish(f"{door.topic}/ack", json.dumps({"stream": door.journal.stream, "upto": 6}))
        wait_until(lambda: "it lost its end" in (door.publisher.status().problem or ""))
        assert door.outbox.done_upto() == 0


def test_a_retained_acknowledgement_is_refused(tmp_path, broker):
    """Left at the broker by somebody, it would come back at each connection."""
    door = Door(tmp_path, broker.port)
    door.happen(5)
    with Listener(broker.port, "x") as listener:
        listener.publish(
            f"{door.topic}/ack", json.dumps({"stream": door.journal.stream, "upto": 5}), retain=True
        )
    with door:
        wait_until(lambda: door.publisher.status().link.rejected >= 1)
        assert door.outbox.done_upto() == 0


def test_a_frozen_broker_delays_nobody(tmp_path, broker):
    """Stopped in the middle: events are stored, the thread lives, stopping works."""
    with Door(tmp_path, broker.port) as door:
        connected(door)
        broker.send(signal.SIGSTOP)
        door.happen(100)
        assert door.journal.last().seq == 100
        assert door.publisher.is_alive()
        door.publisher.stop()
        assert not door.publisher.is_alive()
        assert not [thread for thread in threading.enumerate() if thread.name == "sync"]
        broker.send(signal.SIGCONT)


def password_file(folder, user, password):
    path = folder / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(path), user, password], check=True, capture_output=True
    )
    path.chmod(0o644)
    return path


def test_a_wrong_password_is_named_and_a_right_one_works(tmp_path):
    """The broker's own reason reaches the installer."""
    folder = tmp_path / "broker"
    folder.mkdir()
    passwords = password_file(folder, "door-1", "right")
    with Broker(folder, f"password_file {passwords}", anonymous=False) as broker:
        with Door(tmp_path, broker.port, username="door-1", password="wrong") as door:
            wait_until(
                lambda: "the broker refused us: Not authorized" in (door.publisher.status().problem or "")
            )
        with Door(tmp_path, broker.port, username="door-1", password="right") as door:
            connected(door)


def test_events_that_the_access_list_forbids_stay_with_us(tmp_path):
    """PUBACK 'not authorized' is not delivery, whichever policy."""
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "acl").write_text("topic readwrite facegate/v1/door-1/avail\n")
    with (
        Broker(folder, f"acl_file {folder / 'acl'}") as broker,
        Door(tmp_path, broker.port, Ack.BROKER) as door,
    ):
        door.happen(3)
        wait_until(lambda: "refused our events: Not authorized" in (door.publisher.status().problem or ""))
        assert door.outbox.done_upto() == 0
        assert door.publisher.is_alive()


def test_a_port_that_never_answers_is_named(tmp_path):
    """Something listens, but it is not a broker."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with Door(tmp_path, silent.getsockname()[1]) as door:
            wait_until(lambda: "is this an MQTT broker" in (door.publisher.status().problem or ""))


@pytest.mark.nonsense
def test_reports_are_queued_without_a_connection_and_bounded(tmp_path, broker):
    """Other threads hand over messages at any time; a full queue says no instead of growing."""
    with Door(tmp_path, broker.port) as door, Listener(broker.port, "facegate/v1/door-1/state") as listener:
        assert door.publisher.client.publish("facegate/v1/door-1/state", b"{}", retain=True)
        wait_until(lambda: listener.payloads("facegate/v1/door-1/state") == [b"{}"])
    idle = Door(tmp_path, broker.port)
    accepted = [idle.publisher.client.publish("t", b"x") for _ in range(1100)]
    assert accepted.count(True) == 1000
    assert accepted[-1] is False
    idle.outbox.close()
    idle.journal.close()


def test_two_doors_with_one_id_are_told_what_it_is(tmp_path, broker):
    """The broker gives the id to the latest; each then ends the other's connection."""
    with Door(tmp_path / "a", broker.port) as one, Door(tmp_path / "b", broker.port) as other:
        wait_until(
            lambda: any(
                "as if two doors had one id" in (door.publisher.status().link.problem or "")
                for door in (one, other)
            ),
            seconds=90,
        )
