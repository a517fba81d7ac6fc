"""Readers and a writer on one gallery; every answer must be that of some version in between.

For minutes instead of seconds:

    FACEGATE_HAMMER_SECONDS=180 python -m pytest tests/matcher/test_concurrency.py
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.domain import Match
from tests.matcher.galleries import MARGIN, MODEL, THRESHOLD, Residents, crowd, noise, outcome, unit
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from edge.matcher.matcher import Matcher
    from edge.matcher.search import Finding

DIM = 128
CHANGING = 24
GENERATIONS = 12

ENOUGH = 50
"""Answers, and versions, however slow the machine."""

State = dict[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader was told about one probe, and the versions before and after it asked."""

    probe: int
    first: int
    last: int
    match: Match
    finding: Finding


@dataclass(slots=True)
class Hammer:
    """A static crowd, some residents who change all the time, and probes close to these."""

    static: Residents
    pool: dict[str, list[np.ndarray]]
    probes: np.ndarray
    versions: dict[int, State] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @classmethod
    def build(cls, seed: int, people: int = 3000) -> Hammer:
        rng = np.random.default_rng(seed)
        centres = noise(rng, CHANGING, DIM)
        pool = {
            # The second letter keeps ids of changing and static residents interleaved.
            f"r{i:03d}x": [
                unit(0.8 * centre + 0.6 * noise(rng, int(rng.integers(1, 7)), DIM))
                for _ in range(GENERATIONS)
            ]
            for i, centre in enumerate(centres)
        }
        probes = np.concatenate([unit(0.9 * centres + 0.45 * noise(rng, CHANGING, DIM)), noise(rng, 8, DIM)])
        return cls(crowd(rng, DIM, people), pool, probes)

    def run(self, matcher: Matcher, seconds: float, readers: int = 3) -> None:
        stop = threading.Event()
        self.versions[matcher.gallery.version] = {}
        work = [self._write, *[self._read] * readers]
        threads = [
            threading.Thread(target=self._guard, args=(task, matcher, stop, seed), daemon=True)
            for seed, task in enumerate(work)
        ]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-4)  # more interleavings per second
        try:
            for thread in threads:
                thread.start()
            stop.wait(seconds)
            wait_until(lambda: self.failures or min(len(self.answers), len(self.versions)) > ENOUGH)
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
            sys.setswitchinterval(interval)

    def _guard(self, task: object, matcher: Matcher, stop: threading.Event, seed: int) -> None:
        try:
            task(matcher, stop, np.random.default_rng(seed))  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's failure
            self.failures.append(error)
            stop.set()

    def _write(self, matcher: Matcher, stop: threading.Event, rng: np.random.Generator) -> None:
        state: dict[str, int]
        gallery, state, names = matcher.gallery, {}, list(self.pool)
        while not stop.is_set():
            name, generation = names[rng.integers(len(names))], int(rng.integers(GENERATIONS))
            before, old = gallery.version, dict(state)
            draw = rng.random()
            if draw < 0.6:
                gallery.replace(name, self.pool[name][generation], MODEL)
                state[name] = generation
            elif draw < 0.99:
                gallery.remove(name)
                state.pop(name, None)
            else:
                gallery.compact()
            self.versions |= dict.fromkeys(range(before + 1, gallery.version), old)
            self.versions[gallery.version] = dict(state)
            time.sleep(0.0002)  # hand over: a real writer also waits for the network

    def _read(self, matcher: Matcher, stop: threading.Event, rng: np.random.Generator) -> None:
        gallery = matcher.gallery
        while not stop.is_set():
            picked = rng.integers(len(self.probes), size=int(rng.integers(1, 4)))
            first = gallery.version
            matches = matcher.identify_batch(self.probes[picked])
            findings = matcher.decide_batch(self.probes[picked], THRESHOLD, MARGIN)
            last = gallery.version
            self.answers += [
                Answer(int(probe), first, last, match, finding)
                for probe, match, finding in zip(picked, matches, findings, strict=True)
            ]

    def inconsistent(self) -> list[Answer]:
        """Return the answers that no version in their interval gives."""
        scores = {
            name: [self._similarities(rows) for rows in generations]
            for name, generations in self.pool.items()
        }
        fixed = {name: self._similarities(rows) for name, rows in self.static.items()}
        nearest = [
            sorted((-found[probe], name) for name, found in fixed.items())[:2]
            for probe in range(len(self.probes))
        ]

        def truth(version: int, probe: int) -> Match:
            living = [
                (-scores[name][generation][probe], name)
                for name, generation in self.versions[version].items()
            ]
            (best, name), (other, other_name) = sorted([*nearest[probe], *living])[:2]
            return Match(name, -best, other_name, -other)

        def possible(answer: Answer) -> bool:
            truths = [truth(version, answer.probe) for version in range(answer.first, answer.last + 1)]
            return answer.match in truths and any(_agrees(answer.finding, one) for one in truths)

        return [answer for answer in self.answers if not possible(answer)]

    def _similarities(self, rows: np.ndarray) -> list[float]:
        return [
            float((rows.astype(np.float64) * probe.astype(np.float64)).sum(axis=1).max())
            for probe in self.probes
        ]


def _agrees(finding: Finding, match: Match) -> bool:
    if finding.outcome is not outcome(match):
        return False
    named = finding.resident_id in (None, match.resident_id)
    return named and finding.at_least <= match.similarity <= finding.at_most
