"""Power cuts in the middle of a commit: the journal's log cut at a random byte, with or without garbage.

As a command: python -m tests.store.torn_log --trials 1000 [--seed N]
"""

import argparse
import random
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.store.drafts import draft, filled, open_journal

EVENTS = 30


def tear(made: Path, to: Path, rng: random.Random) -> None:
    """Copy the database and a torn end of its log to `to`."""
    to.mkdir(parents=True)
    (to / "journal.db").write_bytes((made / "journal.db").read_bytes())
    log = (made / "journal.db-wal").read_bytes()
    cut = rng.randrange(len(log) // 2, len(log))
    (to / "journal.db-wal").write_bytes(log[:cut] + rng.randbytes(rng.choice([0, 5000])))


def survivors(folder: Path, seed: int) -> int:
    """Return how many events are there after the cut. Raises AssertionError for a gap or a broken chain."""
    with closing(open_journal(folder / "journal.db", seed=seed + 1000)) as again:
        count: int = again.verify()
        assert [event.seq for event in again.read()] == list(range(1, count + 1))
        assert again.append(draft(99)).seq == count + 1
    return count


def run(folder: Path, trials: int, seed: int) -> dict[str, int]:
    """Tear one journal `trials` times; return how many events were there least and most often."""
    rng, found = random.Random(seed), []
    made = folder / "made"
    made.mkdir()
    with closing(filled(made / "journal.db", EVENTS)):
        for number in range(trials):
            tear(made, folder / "torn", rng)
            found.append(survivors(folder / "torn", number))
            shutil.rmtree(folder / "torn")
    return {"trials": trials, "least": min(found), "most": max(found)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{run(Path(folder), options.trials, options.seed)}\n")


if __name__ == "__main__":
    main()
