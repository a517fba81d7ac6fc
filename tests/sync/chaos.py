"""Random SIGKILLs of door, broker and hub; in the end every committed event must be at the hub, once.

As a command: python -m tests.sync.chaos --kills 200 [--seed N]
"""

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.store.reader import JournalReader
from tests.sync.broker import Broker, wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """What a run did; `lost`, `foreign` and `doubts` must be 0."""

    seed: int
    kills: dict[str, int]
    committed: int
    told: int
    at_hub: int
    lost: int
    foreign: int
    doubts: int
    seconds: float


class Chaos:
    """A door, a broker with default persistence and a hub, killed at random."""

    def __init__(self, folder: Path, seed: int):
        self.folder = folder
        self.seed = seed
        self.random = random.Random(seed)
        self.broker = Broker(folder / "broker")
        self.processes = {}
        (folder / "told.log").touch()

    def run(self, kills: int) -> Outcome:
        began, counts = time.monotonic(), {"door": 0, "broker": 0, "hub": 0}
        try:
            self.broker.start()
            self.start("hub")
            self.start("door")
            for _ in range(kills):
                time.sleep(self.random.uniform(0.05, 1.2))
                victim = self.random.choice(list(counts))
                counts[victim] += 1
                self.kill(victim)
            self.finish()
        finally:
            self.stop_all()
        return self.outcome(counts, time.monotonic() - began)

    def start(self, name):
        script, target = (
            ("tests.sync.chaos_door", self.folder)
            if name == "door"
            else ("tests.sync.chaos_sink", self.hub_file)
        )
        command = [sys.executable, "-m", script, str(target), str(self.broker.port)]
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(command, stderr=log, cwd=ROOT)

    def kill(self, name):
        if name == "broker":
            self.broker.kill(signal.SIGKILL)
            self.broker.start()
            return
        self.processes[name].kill()
        self.processes[name].wait(10)
        self.start(name)

    def finish(self):
        """Let the door produce no more and everything arrive."""
        (self.folder / "enough").touch()
        wait_until(lambda: self.processes["door"].poll() is not None, 120, "the outbox is empty")

    def stop_all(self):
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        self.broker.kill()

    @property
    def hub_file(self):
        return self.folder / "hub.db"

    def outcome(self, counts, seconds) -> Outcome:
        reader = JournalReader(self.folder / "journal.db")
        reader.verify()
        committed = {(row.seq, row.hash) for row in reader.rows(0, 10_000_000)}
        reader.close()
        with closing(sqlite3.connect(self.hub_file)) as hub:
            arrived = set(hub.execute("SELECT seq, hash FROM events"))
            doubts = hub.execute("SELECT seq, what FROM doubts").fetchall()
        told = [int(line) for line in (self.folder / "told.log").read_text().split()]
        never_committed = set(told) - {seq for seq, _ in committed}
        return Outcome(
            self.seed,
            counts,
            len(committed),
            len(told),
            len(arrived),
            lost=len(committed - arrived) + len(never_committed),
            foreign=len(arrived - committed),
            doubts=len(doubts),
            seconds=round(seconds, 1),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory() as folder:
        outcome = Chaos(Path(folder), options.seed).run(options.kills)
    sys.stdout.write(json.dumps(asdict(outcome), indent=1) + "\n")
    return 1 if outcome.lost or outcome.foreign or outcome.doubts else 0


if __name__ == "__main__":
    sys.exit(main())
