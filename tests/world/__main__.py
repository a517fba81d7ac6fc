"""A simulated world around a real door: everything at its ports is drawn from one seed.

    python -m tests.world --seeds N [--seed S]
    python -m tests.world --seed S T U

The clock leaps, the card fails and hangs, the broker, the guard and the camera go, the door is stopped and
killed, and residents and strangers come. Judged are the three promises. A seed that breaks one is printed
with a short history; `--seeds 1 --seed S` plays it again, step by step.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.io.card import Card, library

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ACTS = 24
ROOT = Path(__file__).parents[2]


def _play(seeds: Sequence[int], place: Path, acts: int, *, tells: bool) -> int:
    """Play these seeds in this process, which sees the card fail; return how many broke a promise."""
    from tests.world.play import play  # noqa: PLC0415 - only where the faults are seen

    gc.freeze()
    broken, simulated, began = 0, 0.0, time.monotonic()
    for number, seed in enumerate(seeds, 1):
        told = play(seed, Card(place / "data", place / "control"), acts)
        simulated += told.days
        if told.broken is not None:
            broken += 1
            sys.stdout.write(f"seed {seed} broke a promise: {told.broken}\n")
        if tells or told.broken is not None:
            sys.stdout.write("".join(f"    {line}\n" for line in told.history))
        if not tells and (number % 50 == 0 or number == len(seeds)):
            spent = time.monotonic() - began
            sys.stdout.write(
                f"{number} seeds, {broken} broken; {simulated / 365:.1f} years in {spent:.0f} s\n"
            )
        sys.stdout.flush()
    return broken


def main() -> None:
    """Start the process in which the card fails, or be it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument(
        "--seed", type=int, nargs="+", help="the first one (default: drawn), or all of several"
    )
    parser.add_argument("--acts", type=int, default=MOST_ACTS, help="things that happen in a story, at most")
    parser.add_argument("--tell", action="store_true", help="tell also the stories that went well")
    parser.add_argument("--log", action="store_true", help="also print what the door logs")
    arguments = parser.parse_args()
    wanted = arguments.seed or [random.SystemRandom().randrange(10**6)]
    place = os.environ.get("FACEGATE_WORLD")
    if place is not None:
        logging.basicConfig(level=logging.WARNING if arguments.log else logging.CRITICAL + 1)
        seeds = wanted if len(wanted) > 1 else range(wanted[0], wanted[0] + arguments.seeds)
        sys.exit(bool(_play(seeds, Path(place), arguments.acts, tells=arguments.tell)))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="facegate-world-", dir=memory if memory.is_dir() else None
    ) as new:
        card = Card(Path(new) / "data", Path(new) / "control")
        library()
        words = ["--seeds", str(arguments.seeds), "--acts", str(arguments.acts), "--seed", *map(str, wanted)]
        words += ["--log"] * arguments.log + ["--tell"] * arguments.tell
        environ = card.environ(FACEGATE_WORLD=new, FAULTY_SEED=str(wanted[0]), OMP_NUM_THREADS="1")
        done = subprocess.run(
            [sys.executable, "-m", "tests.world", *words], env=environ, cwd=ROOT, check=False
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
