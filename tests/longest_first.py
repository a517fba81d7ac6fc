"""Begin a run with the files that take long: no worker is left alone with one when the others have ended."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = "facegate/seconds"
"""Key in pytest's cache: what each test took when it last ran here, with its setup and teardown."""

SLOW_SECONDS = 10.0
"""What a test marked `slow` counts for on a machine where it has not run yet."""

SHARE = 0.02
"""Of a whole run on two cores. More than that in a file that begins late is a tail of its own."""

WHOLE_RUN_FILES = 100
"""Shares of fewer files say nothing about a whole run."""


class Kept(Protocol):
    """What outlives a run: pytest's cache."""

    def get(self, key: str, default: Any) -> Any:
        """Return what was kept."""

    def set(self, key: str, value: object) -> None:
        """Keep it for the next run."""


class LongestFirst:
    """Orders files by what their tests took last time; on a new machine the mark `slow` says what is long.

    Workers order, for all of them collect; the process that started them hears of every test and keeps it.
    """

    def __init__(self, kept: Kept, *, is_worker: bool) -> None:
        self._kept, self._is_worker = kept, is_worker
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._marked: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort; files that take the same stay in the order that chance gave them."""
        taken: dict[str, float] = self._kept.get(TAKEN, {})
        of_file: defaultdict[Path, float] = defaultdict(float)
        for item in items:
            expected = SLOW_SECONDS if item.get_closest_marker("slow") else 0.0
            of_file[item.path] += taken.get(item.nodeid, expected)
        items.sort(key=lambda item: -of_file[item.path])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count in what setup, test or teardown took."""
        self._spent[report.nodeid] += report.duration
        if "slow" in report.keywords:
            self._marked.add(_file(report.nodeid))

    def pytest_sessionfinish(self) -> None:
        """Keep the times, beside those of tests that did not run this time."""
        if self._spent and not self._is_worker:
            new = {test: round(seconds, 2) for test, seconds in self._spent.items()}
            self._kept.set(TAKEN, self._kept.get(TAKEN, {}) | new)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the files that a new machine would begin too late."""
        for line in self.late():
            terminalreporter.write_line(line)

    def late(self) -> list[str]:
        """Return a line for each file that takes much of a whole run and holds no test marked `slow`."""
        of_file: defaultdict[str, float] = defaultdict(float)
        for test, seconds in self._spent.items():
            of_file[_file(test)] += seconds
        least = SHARE * sum(of_file.values())
        if len(of_file) < WHOLE_RUN_FILES:
            return []
        return [
            f"order: {file} took {seconds:.0f} s: mark its long tests slow, so that it begins the run"
            for file, seconds in sorted(of_file.items(), key=lambda one: -one[1])
            if seconds > least and file not in self._marked
        ]


def _file(test: str) -> str:
    return test.partition("::")[0]
