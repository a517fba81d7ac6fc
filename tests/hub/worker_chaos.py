"""Random SIGKILLs of three hub workers and the broker: every event is stored once, every door is told so.

As a command: python -m tests.hub.worker_chaos [--kills 60] [--doors 6] [--seed N]
                                               [--database sqlite|postgresql]
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.tables import DOUBTS, EVENTS, open_tables
from tests.fakes.proofs import notary
from tests.hub.load import LIMITS, ROOT, database
from tests.sync.broker import Broker
from tests.sync.doors import Door
from tests.waiting import PATIENCE, wait_until

WORKERS = (1, 2, 3)


class WorkerChaos:
    """Doors, a broker, and workers that share their events and are killed at random."""

    def __init__(self, folder, url, seed, doors=6):
        self.random = random.Random(seed)
        self.url = url
        self.broker = Broker(folder / "broker", LIMITS)
        self.log = folder / "workers.log"
        self.workers = {}
        self.doors = []
        for number in range(doors):
            place = folder / f"door-{number}"
            place.mkdir()
            name = f"door-{number}"
            self.doors.append(Door(place, self.broker.port, device=name, notary=notary(name)))

    def run(self, kills):
        counts = {"worker": 0, "broker": 0}
        with ExitStack() as stack:
            stack.callback(self.broker.kill)
            self.broker.start()
            for number in WORKERS:
                self.start(number)
            stack.callback(self.stop_workers)
            for door in self.doors:
                stack.enter_context(door)
            for _ in range(kills):
                self.busy(self.random.uniform(0.05, 0.8))
                counts[self.kill()] += 1
            wait_until(self.all_told, "every door is told that everything is stored")
            committed = {
                (d.settings.device_id, e.seq, e.hash) for d in self.doors for e in d.journal.read(limit=10**6)
            }
            return self.outcome(committed, counts)

    def busy(self, seconds):
        """Let events happen at random doors for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(self.doors).happen(self.random.randrange(1, 5))
            time.sleep(0.01)

    def kill(self):
        if self.random.random() < 0.15:
            self.broker.kill(signal.SIGKILL)
            self.broker.start()
            return "broker"
        number = self.random.choice(WORKERS)
        self.workers[number].kill()
        self.workers[number].wait(PATIENCE)
        self.start(number)
        return "worker"

    def start(self, number):
        words = [sys.executable, "-m", "tests.hub.sink", self.url, str(self.broker.port), str(number)]
        with self.log.open("a") as log:
            self.workers[number] = subprocess.Popen(words, stderr=log, cwd=ROOT)

    def stop_workers(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait(PATIENCE)

    def all_told(self):
        return all(door.outbox.done_upto() == door.outbox.newest() for door in self.doors)

    def outcome(self, committed, counts):
        engine = open_tables(self.url)
        with reading(engine) as connection:
            query = sa.select(EVENTS.c.device, EVENTS.c.seq, EVENTS.c.hash)
            rows = [tuple(row) for row in connection.execute(query)]
            doubts = [tuple(row) for row in connection.execute(sa.select(DOUBTS))]
        engine.dispose()
        return {
            "kills": counts,
            "committed": len(committed),
            "stored": len(rows),
            "lost": len(committed - set(rows)),
            "twice": len(rows) - len(set(rows)),
            "foreign": len(set(rows) - committed),
            "doubts": len(doubts),
        }


def chaos(kind, kills, seed, doors=6):
    """Return what a run did; `lost`, `twice`, `foreign` and `doubts` must be 0."""
    with tempfile.TemporaryDirectory() as folder, database(kind, folder) as url:
        return WorkerChaos(Path(folder), url, seed, doors).run(kills)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--doors", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--database", default="sqlite")
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    outcome = chaos(options.database, options.kills, options.seed, options.doors)
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 1 if any(outcome[name] for name in ("lost", "twice", "foreign", "doubts")) else 0


if __name__ == "__main__":
    sys.exit(main())
