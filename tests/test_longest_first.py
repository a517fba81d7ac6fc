"""Which files begin a run, and which are named because they begin too late."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.longest_first import TAKEN, WHOLE_RUN_FILES, LongestFirst


class Cache(dict[str, Any]):
    """pytest's cache in memory."""

    def set(self, key: str, value: object) -> None:
        self[key] = value


def items(*tests: str, slow: frozenset[str] = frozenset()) -> list[pytest.Item]:
    made = [
        SimpleNamespace(
            nodeid=test,
            path=Path(test.partition("::")[0]),
            get_closest_marker=lambda _name, test=test: test in slow or None,
        )
        for test in tests
    ]
    return cast("list[pytest.Item]", made)


def order(kept: Cache, found: list[pytest.Item]) -> list[str]:
    LongestFirst(kept, is_worker=True).pytest_collection_modifyitems(found)
    return [item.nodeid for item in found]


def ran(plugin: LongestFirst, test: str, seconds: float, *marks: str) -> None:
    report = SimpleNamespace(nodeid=test, duration=seconds, keywords=dict.fromkeys(marks, 1))
    plugin.pytest_runtest_logreport(cast("pytest.TestReport", report))


def test_what_took_long_last_time_begins_the_next_run_with_its_whole_file() -> None:
    kept = Cache()
    plugin = LongestFirst(kept, is_worker=False)
    for test, seconds in (("a::1", 1.0), ("b::1", 0.5), ("b::2", 2.0), ("b::2", 0.25), ("c::1", 2.0)):
        ran(plugin, test, seconds)
    plugin.pytest_sessionfinish()
    assert kept[TAKEN] == {"a::1": 1.0, "b::1": 0.5, "b::2": 2.25, "c::1": 2.0}
    assert order(kept, items("new::1", "a::1", "b::1", "b::2", "c::1")) == [
        "b::1",
        "b::2",
        "c::1",
        "a::1",
        "new::1",
    ]


def test_on_a_new_machine_the_mark_says_what_is_long() -> None:
    found = items("a::1", "b::1", "c::1", "c::2", slow=frozenset({"b::1", "c::1", "c::2"}))
    assert order(Cache(), found) == ["c::1", "c::2", "b::1", "a::1"]


def test_a_part_of_the_tests_forgets_no_other_time() -> None:
    kept = Cache({TAKEN: {"a::1": 5.0, "b::1": 1.0}})
    plugin = LongestFirst(kept, is_worker=False)
    ran(plugin, "b::1", 7.0)
    plugin.pytest_sessionfinish()
    assert kept[TAKEN] == {"a::1": 5.0, "b::1": 7.0}


def test_a_worker_keeps_nothing_itself() -> None:
    kept = Cache()
    plugin = LongestFirst(kept, is_worker=True)
    ran(plugin, "b::1", 7.0)
    plugin.pytest_sessionfinish()
    assert kept == {}


@pytest.mark.parametrize(("marks", "named"), [((), 1), (("slow",), 0)])
def test_a_long_file_without_the_mark_is_named_after_a_whole_run(marks: tuple[str, ...], named: int) -> None:
    plugin = LongestFirst(Cache(), is_worker=False)
    for number in range(WHOLE_RUN_FILES):
        ran(plugin, f"{number}::1", 1.0)
    ran(plugin, "long::1", 90.0, *marks)
    assert len(plugin.late()) == named
    assert all("long took 90 s" in line for line in plugin.late())


def test_a_part_of_the_files_names_none() -> None:
    plugin = LongestFirst(Cache(), is_worker=False)
    ran(plugin, "long::1", 90.0)
    assert plugin.late() == []
