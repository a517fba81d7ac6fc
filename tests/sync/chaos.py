"""Random SIGKILLs of door, broker and hub, while events happen and people come and go.

In the end every committed event is at the hub, once; the roster is the same at both ends; nobody who was
removed is in the door's gallery, may pass, passed at a revision without him, or has a key left.

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
import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.store.reader import JournalReader
from facegate_hub.roster import RosterLog
from facegate_hub.tables import open_tables
from tests.sync.broker import Broker
from tests.sync.hubside import SIGNER
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
AT_WORK = 0.8
"""Share of the door's deaths that wait until it works; the others may come while it starts."""


@dataclass
class Outcome:
    """What a run did; `lost`, `foreign`, `doubts` and `intruders` must be 0, `drifted` False.

    `intruders` counts passages of people who were not in the roster at the door's own revision, and
    removed people who are still in its gallery, its rules or its keyring at the end.
    """

    seed: int
    kills: dict[str, int]
    committed: int
    told: int
    at_hub: int
    lost: int
    foreign: int
    doubts: int
    revisions: int
    removed: int
    passages: int
    intruders: int
    drifted: bool
    seconds: float

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.foreign or self.doubts or self.intruders or self.drifted)


class PeopleComingAndGoing:
    """Changes the hub's roster all the time, in a thread, through the database as staff do."""

    def __init__(self, url: str, seed: int):
        self.engine = open_tables(url)
        self.log = RosterLog(self.engine, SIGNER)
        self.random = random.Random(seed)
        self.everybody: set[str] = set()
        self.history: list[frozenset[str]] = [frozenset()]
        """Who was in the roster at each revision."""
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.ended.wait(self.random.uniform(0.0, 0.2)):
            self._change()

    def _change(self):
        now = sorted(self.history[-1])
        puts = [f"p{self.random.randrange(300)}" for _ in range(self.random.randrange(3))]
        gone = self.random.sample(now, min(len(now), self.random.randrange(3)))
        gone = [identity for identity in gone if identity not in puts]
        records = [{"id": identity, "name": f"N {self.random.random()}"} for identity in dict.fromkeys(puts)]
        self.log.change(records, gone)
        for step in (*((who, True) for who in dict.fromkeys(puts)), *((who, False) for who in gone)):
            self.history.append(self.history[-1] | {step[0]} if step[1] else self.history[-1] - {step[0]})
        self.everybody |= set(puts)

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.log.state()


class Chaos:
    """A door, a broker with default persistence and a hub, killed at random."""

    def __init__(self, folder: Path, seed: int):
        self.folder = folder
        self.seed = seed
        self.random = random.Random(seed)
        self.broker = Broker(folder / "broker")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.people = PeopleComingAndGoing(self.hub_url, seed)
        (folder / "told.log").touch()
        (folder / "passed.log").touch()

    def run(self, kills: int) -> Outcome:
        began, counts = time.monotonic(), {"door": 0, "broker": 0, "hub": 0}
        try:
            self.broker.start()
            self.start("hub")
            self.start("door")
            self.people.thread.start()
            for _ in range(kills):
                victim = self.random.choice(list(counts))
                if victim == "door" and self.random.random() < AT_WORK:
                    wait_until(self.up.exists, "the door is at work")
                time.sleep(self.random.uniform(0.05, 1.2))
                counts[victim] += 1
                self.kill(victim)
            wait_until(self.has_let_somebody_in, "somebody passed the door")
            self.finish()
        finally:
            self.stop_all()
        return self.outcome(counts, time.monotonic() - began)

    def has_let_somebody_in(self) -> bool:
        """Return whether anybody was let in so far: on a busy machine the kills may leave no time for it."""
        return "true" in (self.folder / "passed.log").read_text()

    @property
    def up(self):
        """Made by a door that has begun to work."""
        return self.folder / "up"

    def start(self, name):
        if name == "door":
            self.up.unlink(missing_ok=True)
        script, target = (
            ("tests.sync.chaos_door", self.folder)
            if name == "door"
            else ("tests.sync.chaos_hub", self.hub_url)
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
        self.processes[name].wait(PATIENCE)
        self.start(name)

    def finish(self):
        """Let the door produce no more and everything arrive."""
        state = self.people.stop()
        (self.folder / "everybody.json").write_text(json.dumps(sorted(self.people.everybody)))
        (self.folder / "enough.new").write_text(json.dumps(state.digest))
        (self.folder / "enough.new").rename(self.folder / "enough")
        wait_until(lambda: self.processes["door"].poll() is not None, "all is well at the door", seconds=180)

    def stop_all(self):
        self.people.ended.set()
        self.people.engine.dispose()
        for process in self.processes.values():
            process.kill()
            process.wait(PATIENCE)
        self.broker.kill()

    @property
    def hub_file(self):
        return self.folder / "hub.db"

    @property
    def hub_url(self):
        return f"sqlite:///{self.hub_file}"

    def intruders(self, final) -> tuple[int, int]:
        """Return how many passages there were, and what nobody removed may do, have or be."""
        history = self.people.history
        tries = [json.loads(line) for line in (self.folder / "passed.log").read_text().splitlines()]
        wrong = [(rev, who) for rev, who, allowed in tries if allowed and who not in history[rev]]
        left = (set(final["gallery"]) | set(final["grantable"]) | set(final["keys"])) - history[-1]
        return sum(allowed for *_, allowed in tries), len(wrong) + len(left)

    def outcome(self, counts, seconds) -> Outcome:
        reader = JournalReader(self.folder / "journal.db")
        reader.verify()
        committed = {(row.seq, row.hash) for row in reader.rows(0, 10_000_000)}
        reader.close()
        with closing(sqlite3.connect(self.hub_file)) as hub:
            arrived = set(hub.execute("SELECT seq, hash FROM events"))
            doubts = hub.execute("SELECT seq, what FROM doubts").fetchall()
        told = [int(line) for line in (self.folder / "told.log").read_text().split()]
        final = json.loads((self.folder / "final.json").read_text())
        state, history = self.people.log.state(), self.people.history
        passages, intruders = self.intruders(final)
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
            revisions=state.rev,
            removed=len(self.people.everybody - history[-1]),
            passages=passages,
            intruders=intruders,
            drifted=(final["rev"], final["digest"], set(final["grantable"]))
            != (state.rev, state.digest, set(history[-1])),
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
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
