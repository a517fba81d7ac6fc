"""Many doors, one hub: bursts of events until everything is acknowledged.

As a command: python -m tests.hub.load --doors 300 --events 20 [--database URL]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from edge.domain import EventDraft
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from edge.sync.session import Session
from edge.sync.settings import BrokerSettings
from tests.sync.broker import Broker, Listener, wait_until

ROOT = Path(__file__).parents[2]


class SimulatedDoor:
    """A connection and a chain of events, without a disk."""

    def __init__(self, number, port, count):
        self.device = f"door-{number:04}"
        settings = BrokerSettings("127.0.0.1", self.device, port)
        self.topic = settings.topic("evt")
        self.session = Session(settings, (settings.topic("avail"), b"{}"))
        self.session.subscribe([settings.topic("evt", "ack")])
        self.count = count
        self.acked = 0
        stamp, link = Stamp(uuid7(datetime.now(UTC)), "boot", "synced", self.device), Link()
        self.entries = []
        for n in range(count):
            at = datetime.now(UTC)
            draft = EventDraft(
                "access.granted", at, float(n), "anna", "granted", {"similarity": 0.71, "n": n}
            )
            row = forge(draft, uuid7(at), stamp, link)
            link = Link(row.seq, row.hash)
            self.entries.append(row.envelope)

    def burst(self):
        for entry in self.entries[self.acked :]:
            self.session.publish(self.topic, entry.encode())

    def turn(self):
        self.session.turn(0.0)
        self.session.taken.clear()
        while self.session.messages:
            self.acked = max(self.acked, json.loads(self.session.messages.popleft().payload)["upto"])


def run(doors, events, url):
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder)) as broker:
        target = url or f"sqlite:///{folder}/hub.db"
        words = [sys.executable, "-m", "tests.sync.chaos_sink", target, str(broker.port)]
        hub = subprocess.Popen(words, cwd=ROOT)
        try:
            with Listener(broker.port, "facegate/v1/hub/avail") as listener:
                wait_until(lambda: listener.messages, 30, "the hub is there")
            crowd = [SimulatedDoor(number, broker.port, events) for number in range(doors)]
            began = time.monotonic()
            again = began
            while any(door.acked < door.count for door in crowd):
                if time.monotonic() >= again:
                    again += 10.0  # doors send again what was not confirmed
                    for door in crowd:
                        door.burst()
                for door in crowd:
                    door.turn()
            seconds = time.monotonic() - began
            memory = {"hub_mb": resident_mb(hub.pid), "broker_mb": resident_mb(broker.process.pid)}
        finally:
            hub.kill()
            hub.wait(10)
    return {
        "doors": doors,
        "events": doors * events,
        "seconds": round(seconds, 2),
        "per_second": round(doors * events / seconds),
        **memory,
    }


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doors", type=int, default=300)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--database")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    sys.stdout.write(json.dumps(run(options.doors, options.events, options.database)) + "\n")


if __name__ == "__main__":
    main()
