"""Random kills of door, broker and hub, and a database that is held up, while staff give commands.

In the end: nothing happened at the door after staff were told that it failed, nothing but a lock-down twice,
and of everything that happened staff know, or the door's journal told them later.

As a command: python -m tests.hub.command_chaos [--kills 200] [--seed N]
"""

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.wire.commands import CommandType
from facegate_hub.requests import OPEN, outcome, withdraw
from facegate_hub.signer.client import SignerClient, SocketLine
from facegate_hub.tables import open_tables
from tests.hub.signing import ask
from tests.sync.broker import Broker
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
DESKS = 4
KINDS = (CommandType.UNLOCK, CommandType.LOCKDOWN, CommandType.EVACUATION, CommandType.NORMAL)
VICTIMS = ("door", "broker", "hub", "signer", "database")
HELD_SECONDS = (0.2, 3.0)
"""How long the database is held by somebody else."""
AT_WORK = 0.8
"""Share of the kills that wait until door and hub are connected; the others come while they start."""
IMPATIENT = 0.1
"""Share of the requests that whoever asked stops waiting for."""


@dataclass
class Outcome:
    """What a run did; `late`, `twice`, `unknown_to_staff` and `open_at_the_end` must be 0."""

    seed: int
    kills: dict[str, int]
    asked: int
    told: dict[str, int]
    executed: int
    late: int
    twice: int
    unknown_to_staff: int
    open_at_the_end: int
    seconds: float

    @property
    def is_good(self) -> bool:
        return not (self.late or self.twice or self.unknown_to_staff or self.open_at_the_end)


class Desk(threading.Thread):
    """One person who gives commands and notes when they were told what."""

    def __init__(self, engine, signer, seed, ended):
        super().__init__(daemon=True)
        self.engine, self.random, self.ended = engine, random.Random(seed), ended
        self.signer = signer
        self.told = {}
        """By request: what was said first that is no wish any more, and when (seconds since 1970)."""

    def run(self):
        while not self.ended.is_set():
            time.sleep(self.random.uniform(0.0, 0.5))
            request = self._patiently(
                ask, self.engine, self.signer, "door-1", self.random.choice(KINDS), self.name
            )
            patience = self.random.uniform(0.0, 2.0) if self.random.random() < IMPATIENT else 100.0
            self._wait(request, time.monotonic() + patience)

    def _wait(self, request, until):
        while (found := self._patiently(outcome, self.engine, request))[0] in OPEN:
            if time.monotonic() > until and self._patiently(withdraw, self.engine, request, "left"):
                found = ("failed", "left")
                break
            time.sleep(0.05)
        self.told[request] = (found[0], time.time())

    def _patiently(self, what, *words):
        while True:
            try:
                return what(*words)
            except Exception:  # noqa: BLE001 - a desk tries again, whatever the database has
                time.sleep(0.1)


class CommandChaos:
    """A door, a broker, a hub and its database, all of which fail at random."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed, self.random = folder, seed, random.Random(seed)
        self.url = f"sqlite:///{folder / 'hub.db'}"
        self.engine = open_tables(self.url)
        self.broker = Broker(folder / "broker")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended = threading.Event()
        line = SignerClient(SocketLine(folder / "signer.sock"))
        self.desks = [Desk(self.engine, line, seed + n, self.ended) for n in range(DESKS)]

    def run(self, kills: int) -> Outcome:
        began, counts = time.monotonic(), dict.fromkeys(VICTIMS, 0)
        try:
            self.broker.start()
            self.start("signer")
            self.start("hub")
            self.start("door")
            for desk in self.desks:
                desk.start()
            for _ in range(kills):
                if self.random.random() < AT_WORK:
                    wait_until(self.is_at_work, "door and hub are connected")
                time.sleep(self.random.uniform(0.1, 1.5))
                victim = self.random.choice(VICTIMS)
                counts[victim] += 1
                self.strike(victim)
            self.ended.set()
            for desk in self.desks:
                desk.join(180)
            wait_until(self.all_told, "the door's journal is at the hub", seconds=180)
        finally:
            self.ended.set()
            for process in self.processes.values():
                process.kill()
                process.wait(PATIENCE)
            self.broker.kill()
        return self.outcome(counts, time.monotonic() - began)

    def is_at_work(self):
        return all((self.folder / f"{name}.up").exists() for name in ("door", "hub", "signer"))

    def start(self, name):
        (self.folder / f"{name}.up").unlink(missing_ok=True)
        words = [str(self.folder)]
        script = f"tests.hub.command_chaos_{name}"
        with (self.folder / f"{name}.log").open("a") as log:
            command = [sys.executable, "-m", script, *words, str(self.broker.port)]
            self.processes[name] = subprocess.Popen(command, stderr=log, cwd=ROOT)

    def strike(self, victim):
        if victim == "broker":
            self.broker.kill(signal.SIGKILL)
            self.broker.start()
        elif victim == "database":
            with closing(sqlite3.connect(self.folder / "hub.db", isolation_level=None)) as holder:
                holder.execute("PRAGMA busy_timeout = 60000")
                holder.execute("BEGIN IMMEDIATE")
                time.sleep(self.random.uniform(*HELD_SECONDS))
                holder.execute("ROLLBACK")
        else:
            self.processes[victim].kill()
            self.processes[victim].wait(PATIENCE)
            self.start(victim)

    def executed(self):
        """Return (request, kind, seconds since 1970) of all that the door did."""
        lines = (self.folder / "done.log").read_text().splitlines()
        return [tuple(json.loads(line)) for line in lines if line.endswith("]")]

    def rows(self, query):
        with closing(sqlite3.connect(self.folder / "hub.db")) as hub:
            hub.execute("PRAGMA busy_timeout = 60000")
            return hub.execute(query).fetchall()

    def all_told(self):
        """Say whether the hub has the door's word on all that it did."""
        told = (
            "SELECT json_extract(body, '$.data.command') FROM events"
            " WHERE kind IN ('command.taken', 'command.done')"
        )
        return {one for one, _, _ in self.executed()} <= {row[0] for row in self.rows(told)}

    def outcome(self, counts, seconds) -> Outcome:
        told: dict[str, tuple[str, float]]
        executed, told = self.executed(), {}
        for desk in self.desks:
            told |= desk.told
        status = dict(self.rows("SELECT id, status FROM requests"))
        late = [
            one for one, _, at in executed if told.get(one, ("", 0.0))[0] == "failed" and at > told[one][1]
        ]
        ids = [one for one, _, _ in executed]
        # A lock-down that a kill came in between of is carried out at the next start, whatever was done.
        once = [one for one, kind, _ in executed if kind != "lockdown"]
        kinds = [what for what, _ in told.values()]
        return Outcome(
            self.seed,
            counts,
            len(told),
            {kind: kinds.count(kind) for kind in sorted(set(kinds))},
            len(executed),
            late=len(late),
            twice=len(once) - len(set(once)),
            unknown_to_staff=sum(status.get(one) not in {"done", "unknown"} for one in ids),
            open_at_the_end=sum(found in OPEN for found in status.values()),
            seconds=round(seconds, 1),
        )


def chaos(kills, seed):
    """Run and return the outcome."""
    with tempfile.TemporaryDirectory() as folder:
        return CommandChaos(Path(folder), seed).run(kills)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    outcome = chaos(options.kills, options.seed)
    sys.stdout.write(json.dumps(asdict(outcome), indent=1) + "\n")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
