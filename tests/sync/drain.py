"""What piled up while the broker was away, and how soon a door follows the roster: figures.

As a command: python -m tests.sync.drain [--events 50000] [--residents 5000] [--changes 20]

A door with its journal and residents on disk, a mosquitto with the limits of `facegate provision`,
and the hub's own parts on SQLite. `append_*_ms` is what a decision waits for: the event's durable
commit, first with nothing to send, then while the pile drains.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from edge.runtime.clock import SystemClock
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from edge.sync.follower import RosterFollower
from facegate_hub.devices import Attendance
from facegate_hub.rollout import RosterServer
from facegate_hub.roster import RosterLog
from facegate_hub.tables import open_tables
from tests.hub.load import LIMITS, hubs
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door, Eager
from tests.sync.hubside import KEYS, SIGNER
from tests.waiting import wait_until

DEVICE = "front"
PROBE_SECONDS = 0.05


class FollowingDoor:
    """A door that keeps the property's roster, on disk."""

    def __init__(self, folder, port):
        folder.mkdir(exist_ok=True)
        self.store = ResidentStore(folder / "residents.db")
        self.roster = SqliteRoster(self.store)
        self.changed = threading.Event()
        settings = BrokerSettings("127.0.0.1", DEVICE, port)
        self.follower = RosterFollower(
            settings, KEYS, self.roster, self.append, SystemClock(), self.changed.set
        )
        self.door = Door(folder, port, device=DEVICE, others=[self.follower])

    def append(self, draft):
        return self.door.journal.append(draft)

    def __enter__(self):
        self.follower.start()
        self.door.__enter__()
        return self

    def __exit__(self, *exception):
        self.follower.stop()
        self.door.__exit__(*exception)
        self.store.close()


def appends(door, until):
    """Append an event every 50 ms until a condition; return each one's milliseconds, sorted."""
    found = []
    while not until():
        began = time.perf_counter()
        door.happen()
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(PROBE_SECONDS)
    return sorted(found)


def drained(folder, events):
    """Let events pile up, then connect; return how fast they arrive and what an append takes."""
    broker = Broker(folder / "broker", LIMITS)
    door = Door(folder, broker.port, device=DEVICE)
    # Only the making of the pile is not synced: at one commit each it would take minutes.
    door.journal._connection.execute("PRAGMA synchronous = OFF")
    door.happen(events)
    door.journal._connection.execute("PRAGMA synchronous = FULL")
    with door:
        end = time.monotonic() + 3.0
        idle = appends(door, lambda: time.monotonic() > end)
        with broker, hubs(f"sqlite:///{folder}/hub.db", broker.port, 0):
            wait_until(lambda: door.outbox.done_upto() > 0, "the draining begins")
            first, began = door.outbox.done_upto(), time.monotonic()
            busy = appends(door, lambda: door.outbox.newest() - door.outbox.done_upto() < 10)
            seconds, sent = time.monotonic() - began, door.outbox.done_upto() - first
    return {
        "events": sent,
        "seconds": round(seconds, 1),
        "per_second": round(sent / seconds),
        **{f"append_idle_{name}": value for name, value in spread(idle).items()},
        **{f"append_draining_{name}": value for name, value in spread(busy).items()},
    }


def spread(milliseconds):
    return {
        "p50_ms": round(statistics.median(milliseconds), 1),
        "p99_ms": round(milliseconds[len(milliseconds) * 99 // 100], 1),
        "max_ms": round(milliseconds[-1], 1),
        "count": len(milliseconds),
    }


@contextmanager
def property_side(folder, port):
    """Run the hub's roster part without TLS and yield its log."""
    with closing(Engine(f"sqlite:///{folder}/roster.db")) as engine:
        log = RosterLog(engine.engine, SIGNER)
        parts = [RosterServer(engine.engine, log), Attendance(engine.engine)]
        client = SyncClient(BrokerSettings("127.0.0.1", "hub", port), parts, rng=Eager())
        for part in parts:
            part.start()
        client.start()
        yield log
        client.stop()
        for part in parts:
            part.stop()


class Engine:
    """A database that closes."""

    def __init__(self, url):
        self.engine = open_tables(url)

    def close(self):
        self.engine.dispose()


def person(name):
    return {"id": name, "name": f"Resident {name} 居民", "access_levels": ["resident", "gym"]}


def followed(folder, residents, changes):
    """Return how soon a door has the roster: at first, after a month away, and change by change."""
    figures = {"residents": residents}
    with Broker(folder / "broker", LIMITS) as broker, property_side(folder, broker.port) as log:
        log.change(person(f"r{n:05}") for n in range(residents))
        figures["new_door_seconds"] = sync_seconds(folder, broker.port, log)
        log.change([person(f"n{n:05}") for n in range(400)], [f"r{n:05}" for n in range(400)])
        figures["month_away_delta_seconds"] = sync_seconds(folder, broker.port, log)
        log.change([person(f"m{n:05}") for n in range(1000)], [f"r{n:05}" for n in range(400, 1400)])
        figures["month_away_snapshot_seconds"] = sync_seconds(folder, broker.port, log)
        with FollowingDoor(folder / "door", broker.port) as door:
            wait_until(lambda: door.door.publisher.status().link.connected)
            figures |= one_by_one(door, broker.port, log, changes)
    return figures


def sync_seconds(folder, port, log):
    """Return the time from the door's start until its roster is the property's."""
    began = time.monotonic()
    with FollowingDoor(folder / "door", port) as door:
        wait_until(lambda: door.roster.state() == log.state(), "in sync", seconds=180)
        return round(time.monotonic() - began, 2)


def one_by_one(door, port, log, changes):
    """Add and remove people while the door is there; from staff's commit, and from the arrival."""
    added, removed, arrived, arrivals = [], [], [], []
    with Listener(port, f"facegate/v1/{DEVICE}/sync/delta") as listener:
        listener.client.on_message = lambda *_: arrivals.append(time.monotonic())
        for number in range(changes):
            name = f"x{number:05}"
            began = time.monotonic()
            log.change([person(name)])
            wait_until(partial(door.store.get, name))
            added.append(1000 * (time.monotonic() - began))
            arrivals.clear()
            began = time.monotonic()
            log.change(removals=[name])
            wait_until(partial(is_gone, door.store, name))
            ended = time.monotonic()
            wait_until(lambda: arrivals)
            removed.append(1000 * (ended - began))
            arrived.append(1000 * (ended - arrivals[0]))
    return {
        **{f"added_{name}": value for name, value in spread(sorted(added)).items()},
        **{f"removed_{name}": value for name, value in spread(sorted(removed)).items()},
        **{f"removed_after_arrival_{name}": value for name, value in spread(sorted(arrived)).items()},
    }


def is_gone(store, name: str) -> bool:
    """Return whether nobody of that name is there."""
    return store.get(name) is None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--residents", type=int, default=5_000)
    parser.add_argument("--changes", type=int, default=20)
    options = parser.parse_args()
    for run, words in ((drained, [options.events]), (followed, [options.residents, options.changes])):
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(json.dumps(run(Path(folder), *words)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
