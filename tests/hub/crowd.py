"""Many doors in one process: real connections and the doors' own sending, journals in memory."""

import select
import socket
import time

from edge.broker.session import BrokerSession
from edge.broker.settings import BrokerSettings
from edge.errors import SyncError
from edge.sync.publisher import EventPump
from edge.wire.messages import Message
from tests.fakes.proofs import notary
from tests.hub.entries import chain


class MemoryOutbox:
    """A journal seen by a sender; `at_once` limits how many events travel in one message."""

    def __init__(self, door, count, at_once=1):
        self.stream = f"stream-of-{door}"
        self.entries = list(enumerate(chain(door, count, stream=self.stream), 1))
        self.at_once = at_once
        self.happened = 0
        self.done = 0
        self.latencies = []
        self._since = {}

    def happen(self, count):
        """Let the next events happen now."""
        now = time.monotonic()
        for seq in range(self.happened + 1, min(self.happened + count, len(self.entries)) + 1):
            self._since[seq] = now
            self.happened = seq

    def newest(self):
        return self.happened

    def done_upto(self):
        return self.done

    def pending(self, after, limit):
        return self.entries[after : min(after + min(limit, self.at_once), self.happened)]

    def mark_done(self, upto):
        now = time.monotonic()
        self.latencies += [now - self._since.pop(seq) for seq in range(self.done + 1, upto + 1)]
        self.done = upto


class CrowdDoor:
    """One door of the crowd."""

    def __init__(self, number, port, count, at_once):
        self._settings = BrokerSettings("127.0.0.1", f"door-{number:05}", port)
        self.outbox = MemoryOutbox(self._settings.device_id, count, at_once)
        self.pump = EventPump(self.outbox, self._settings, notary(self._settings.device_id))
        self._connect()

    def _connect(self):
        last_will = (self._settings.topic("avail"), b'{"v":1,"state":"offline","boot":""}')
        self.session = BrokerSession(self._settings, last_will)
        self.session.subscribe(self.pump.subscriptions)
        self.pump.opened(self.session, time.monotonic())

    @property
    def finished(self):
        return self.outbox.done == len(self.outbox.entries)

    def turn(self):
        """Move what there is to move, without waiting; connect anew when the connection has ended."""
        try:
            self._turn()
        except SyncError:
            self.session.close()
            self._connect()

    def _turn(self):
        now = time.monotonic()
        self.session.turn(0.0)
        while self.session.taken:
            self.pump.taken(*self.session.taken.popleft(), now)
        while self.session.messages:
            message = self.session.messages.popleft()
            self.pump.received(Message(message.topic, message.payload, message.retained), now)
        self.pump.step(self.session, now)


class Crowd:
    """Doors that are turned when their sockets have something, and ten times a second anyway."""

    def __init__(self, doors, port, events, at_once=1):
        self.doors = [CrowdDoor(number, port, events, at_once) for number in range(doors)]
        self._poll = select.epoll()
        self._by_socket = {}
        for door in self.doors:
            self._listen(door)

    @property
    def finished(self):
        return all(door.finished for door in self.doors)

    def happen(self, count):
        """Let `count` more events happen at each door."""
        for door in self.doors:
            door.outbox.happen(count)
            self._turn(door)

    def serve(self, seconds, until=lambda: False):
        """Turn the doors until a condition or the end of the time."""
        end, again = time.monotonic() + seconds, 0.0
        while not until() and (now := time.monotonic()) < end:
            for descriptor, _ in self._poll.poll(0.02):
                self._turn(self._by_socket[descriptor])
            if now >= again:
                again = now + 0.1
                for door in self.doors:
                    if not door.finished:
                        self._turn(door)

    def _turn(self, door):
        session = door.session
        door.turn()
        if door.session is not session:
            self._listen(door)

    def _listen(self, door):
        descriptor = door.session._client.socket().fileno()
        self._by_socket[descriptor] = door
        self._poll.register(descriptor, select.EPOLLIN)

    def latencies(self):
        """Return each event's seconds from happening to acknowledged, sorted."""
        return sorted(seconds for door in self.doors for seconds in door.outbox.latencies)

    def close(self):
        self._poll.close()
        for door in self.doors:
            door.session.close()


DOWN = (b"evt/ack", b"cmd", b"sync/#", b"cfg/desired")
"""What a door asks for."""


def idle_connections(port, count):
    """Return sockets of doors that connected (MQTT 5), asked for four topics, and say nothing more."""
    sockets = []
    for number in range(count):
        name = f"idle-{number:05}".encode()
        body = b"\x00\x04MQTT\x05\x02\x00\x00\x00" + len(name).to_bytes(2) + name
        topics = [
            b"facegate/v1/%s/%s" % (name, rest) for rest in (b"evt/ack", b"cmd", b"sync/#", b"cfg/desired")
        ]
        filters = b"".join(len(topic).to_bytes(2) + topic + b"\x01" for topic in topics)
        sockets.append(socket.create_connection(("127.0.0.1", port), 10))
        sockets[-1].sendall(b"\x10" + length(body) + body)
        asked = b"\x00\x01\x00" + filters
        sockets[-1].sendall(b"\x82" + length(asked) + asked)
        assert sockets[-1].recv(2)[:1] == b"\x20", "CONNACK"
    return sockets


def length(body):
    """Return a length as MQTT writes it: seven bits a byte, the lowest first."""
    low, high = len(body) % 128, len(body) // 128
    return bytes([low | 128, high]) if high else bytes([low])
