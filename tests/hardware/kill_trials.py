"""Kill and hang the caller, the guard, and both, while the relay is energised, again and again.

    make kill-trials        (or: python -m tests.hardware.kill_trials --seed 1)

prints how long the relay stayed energised after each kind of blow. The line is a file that
outlives the processes and, like a Raspberry Pi kernel without strict_gpiod, keeps its level when
its process is killed: what lets the relay fall then is ExecStopPost, run by `MiniSystemd`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from tests.hardware.mini_systemd import MiniSystemd
from tests.relay.relay_lines import Lines, write_config
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLER = """
import sys
from pathlib import Path
from edge.relay.client import GuardedLock
lock = GuardedLock(Path(sys.argv[1]), lambda kind, data: print(kind, flush=True))
for line in sys.stdin:
    lock.unlock(float(line))
lock.close()
"""

KINDS = tuple(itertools.product(("caller", "guard", "both"), (signal.SIGKILL, signal.SIGSTOP)))

LIMIT_SECONDS = {
    # A dead caller is EOF, a hung one 500 ms of silence; the goal is one second.
    ("caller", signal.SIGKILL): 1.0,
    ("caller", signal.SIGSTOP): 1.0,
    # A dead guard waits for ExecStopPost, that is for Python to start; the goal is one second.
    ("guard", signal.SIGKILL): 1.0,
    ("both", signal.SIGKILL): 1.0,
    # A hung guard waits for the watchdog (2 s after its last ping) and then for ExecStopPost.
    ("guard", signal.SIGSTOP): 3.5,
    ("both", signal.SIGSTOP): 3.5,
}


@dataclass(frozen=True)
class Trial:
    """`seconds` is how long the relay stayed energised after the blow."""

    victim: str
    blow: signal.Signals
    seconds: float

    @property
    def limit_seconds(self) -> float:
        return LIMIT_SECONDS[self.victim, self.blow]


class Supervisor(Protocol):
    """Who keeps the guard alive: `MiniSystemd`, or the real one in a booted container."""

    @property
    def is_ready(self) -> bool: ...

    @property
    def starts(self) -> int: ...

    def strike_guard(self, blow: signal.Signals) -> None: ...


class Range:
    """A guard that `supervisor` keeps alive, a caller, and the line between them."""

    def __init__(
        self,
        directory: Path,
        lines: Lines,
        socket: Path,
        supervisor: Supervisor,
        seed: int,
        caller_prefix: tuple[str, ...] = (),
    ) -> None:
        self.lines = lines
        self.supervisor = supervisor
        self._random = random.Random(seed)
        self._socket = socket
        self._directory = directory
        self._caller_prefix = caller_prefix
        self._log = (directory / "caller.log").open("a")
        self._caller = self._start_caller()

    def close(self) -> None:
        self._end_caller()
        self._log.close()

    def trials(self, count: int) -> Iterator[Trial]:
        """Yield `count` trials, every kind of blow in turn, at random moments of the opening."""
        for victim, blow in itertools.islice(itertools.cycle(KINDS), count):
            yield self._trial(victim, blow)

    def _trial(self, victim: str, blow: signal.Signals) -> Trial:
        self._settle()
        self._order(20)
        wait_until(lambda: self.lines.energised, "the relay is energised")
        time.sleep(self._random.uniform(0, 0.7))
        assert self.lines.energised
        struck_at = time.monotonic()
        if victim != "caller":
            self.supervisor.strike_guard(blow)
        if victim != "guard":
            self._caller.send_signal(blow)
        wait_until(lambda: not self.lines.energised, f"at rest after {blow.name} of {victim}")
        end = self.lines.pulses()[-1].end
        assert end is not None
        if victim != "guard":
            self._caller.send_signal(signal.SIGCONT)
            if blow is signal.SIGKILL:
                self._end_caller()
                self._caller = self._start_caller()
        return Trial(victim, blow, end - struck_at)

    def _start_caller(self) -> subprocess.Popen[str]:
        command = [*self._caller_prefix, sys.executable, "-c", CALLER, str(self._socket)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._log, text=True)

    def _end_caller(self) -> None:
        self._caller.kill()
        self._caller.wait()
        assert self._caller.stdin is not None
        self._caller.stdin.close()

    def _order(self, seconds: float) -> None:
        assert self._caller.stdin is not None
        self._caller.stdin.write(f"{seconds}\n")
        self._caller.stdin.flush()

    def _settle(self) -> None:
        """Wait until guard and caller talk to each other: the last word in the caller's log."""
        wait_until(lambda: self.supervisor.is_ready, "the guard is ready")
        wait_until(lambda: self._said().endswith("lock.guard_back"), "the caller has the guard")
        time.sleep(0.6)  # a loss that the caller is about to notice
        wait_until(lambda: self.supervisor.is_ready, "the guard is still ready")
        wait_until(lambda: self._said().endswith("lock.guard_back"), "the caller still has the guard")

    def _said(self) -> str:
        return (self._directory / "caller.log").read_text().rstrip()


def unordered_pulses(lines: Lines, orders: int) -> int:
    """Return how many pulses nobody ordered: at a start, a restart or a reconnection."""
    return len(lines.pulses()) - orders


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=240)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    options = parser.parse_args()
    click.echo(f"{options.trials} trials, seed {options.seed}")
    with tempfile.TemporaryDirectory() as name, small_range(Path(name), options.seed) as field:
        sys.exit(judge(field, options.trials))


@contextlib.contextmanager
def small_range(directory: Path, seed: int) -> Iterator[Range]:
    """Yield a range under `MiniSystemd` in `directory`."""
    lines = Lines(directory, active_high=False)
    config = write_config(directory, active_high=False)
    systemd = MiniSystemd(config, lines.environment(), directory)
    field = Range(directory, lines, directory / "relay.sock", systemd, seed)
    try:
        yield field
    finally:
        field.close()
        systemd.close()


def judge(field: Range, count: int) -> int:
    """Run and report `count` trials; return 1 when a goal was missed."""
    found: dict[tuple[str, signal.Signals], list[Trial]] = defaultdict(list)
    for trial in field.trials(count):
        found[trial.victim, trial.blow].append(trial)
    pulses, late = unordered_pulses(field.lines, count), report(found)
    click.echo(
        f"guard started {field.supervisor.starts} times; pulses that nobody ordered: {pulses}; "
        f"trials over the limit: {late}"
    )
    return 1 if late or pulses else 0


def report(found: dict[tuple[str, signal.Signals], list[Trial]]) -> int:
    """Print a line per kind of blow; return how many trials were over their limit."""
    click.echo(f"{'blow':22} {'trials':>6} {'median s':>9} {'worst s':>8} {'limit s':>8}")
    for (victim, blow), trials in found.items():
        times = sorted(trial.seconds for trial in trials)
        limit = trials[0].limit_seconds
        middle = times[len(times) // 2]
        click.echo(
            f"{blow.name + ' ' + victim:22} {len(times):6} {middle:9.3f} {times[-1]:8.3f} {limit:8.1f}"
        )
    return sum(t.seconds > t.limit_seconds for trials in found.values() for t in trials)


if __name__ == "__main__":
    main()
