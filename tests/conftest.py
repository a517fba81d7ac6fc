"""What every test run watches: nothing personal and nothing undeclared passes a test's broker.

With workers (pytest-xdist) each keeps a ledger of its own; the run's is their sum.
"""

import ctypes
import gc
import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from edge.aside import simulated
from tests.fakes.deadlines import Patient
from tests.longest_first import LongestFirst

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
"""As the command has it: OpenCV reads it when it is loaded, by whichever test comes first."""
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
"""For tests that open a network themselves; the product sets it by itself (`edge.faces.weights`)."""

MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 * 1024**3


def keep_files_in_memory():
    """Put what tests write into memory, where there is plenty: thousands of databases wait for no disk.

    Who chose a folder (`TMPDIR`, `--basetemp`) has it. Children, workers among them, inherit it.
    """
    try:
        place = os.statvfs(MEMORY)
    except OSError:
        return
    is_fit = os.access(MEMORY, os.W_OK) and not place.f_flag & os.ST_NOEXEC
    if is_fit and place.f_bavail * place.f_frsize >= MEMORY_BYTES and "TMPDIR" not in os.environ:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


keep_files_in_memory()


def keep_bytecode():
    """Have modules compiled once, where the environment says never to keep it, as those of containers do.

    Else every worker rewrites every test file's assertions in every run, and each process that a test starts
    compiles the product anew. What is kept lies where Python has it by default.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


keep_bytecode()

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_... of glibc's malloc.h
LARGEST_IN_HEAP_BYTES, KEPT_FREE_BYTES = 32 * 1024**2, 256 * 1024**2
"""The first is the most that glibc takes; a picture and what is computed from it are far smaller."""


def keep_freed_memory():
    """Have the C library keep what pictures and arrays leave free, for the next ones.

    By default it is given back at once and comes back page by page: a quarter of what the pipeline's tests
    cost. Only this process; the doors that tests start do as they do at a gate.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST_IN_HEAP_BYTES)
        mallopt(TRIM_THRESHOLD, KEPT_FREE_BYTES)


keep_freed_memory()


def remember_digests():
    """Reckon each password's digest once in this process: it depends on nothing but password, salt and cost.

    Python's own function is replaced, and none of ours: what is asked of it, and what its answer is compared
    with, is as ever. Tests log in with one password a thousand times, at 50 ms of CPU each.
    """
    hashlib.scrypt = cache(hashlib.scrypt)  # type: ignore[assignment]


remember_digests()

settings.register_profile(
    "any-machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    parent=settings.get_profile("ci") if os.environ.get("FACEGATE_CI") == "1" else settings.default,
)
settings.load_profile("any-machine")
"""A slow or busy machine makes no test fail: what an example costs says nothing about what it shows.

In CI hypothesis draws the same examples in every run (its own profile "ci"), so that what fails there fails
again on a developer's machine. Everywhere else it draws new ones.
"""


@pytest.fixture(autouse=True, scope="session")
def patience():
    """Have no call to the disk be late because the machine is busy; a test of deadlines has its own clock."""
    with simulated(Patient()):
        yield


@pytest.fixture(scope="session")
def database_server():
    """Run one PostgreSQL for this process's tests that do not stop it: making its files takes seconds."""
    from tests.hub.postgres import server  # noqa: PLC0415 - most runs of a few tests need none

    with server() as postgres:
        yield postgres


@pytest.fixture
def postgresql(database_server):
    """Return the URL of an empty database that is the test's own."""
    with database_server.database() as url:
        yield url


@pytest.fixture
def browser(tmp_path_factory):
    """Return a window as if it had just been opened; tests in a row share it, as starting takes a second."""
    from tests.browser.window import WINDOW  # noqa: PLC0415 - most runs of a few tests need none

    yield WINDOW.given(lambda: tmp_path_factory.mktemp("chromium"))
    WINDOW.leave()


def end_window():
    """Close the window, where there is one."""
    if (module := sys.modules.get("tests.browser.window")) is not None:
        module.WINDOW.end()


BY_CHANCE = "as long as a vector"
"""Nonsense of random bytes may have that length; what is told by content must not pass even then."""


@dataclass
class Sum:
    """What the ledgers of all workers say together; of one that is empty in a run without a broker."""

    brokers: int = 0
    messages: int = 0
    payload_bytes: int = 0
    personal: list[str] = field(default_factory=list)
    nonconforming: list[str] = field(default_factory=list)

    def add(self, other):
        """Count in another ledger, given as the mapping that a worker sends."""
        for name, value in other.items():
            setattr(self, name, getattr(self, name) + value)


FIELDS = tuple(Sum().__dict__)
OF_WORKERS = pytest.StashKey[Sum]()
SEEN = pytest.StashKey[tuple[int, int]]()


def _ledger():
    wire = sys.modules.get("tests.sync.wire")  # imported with the first broker: the others are spared it
    return wire.LEDGER if wire else Sum()


def _total(config):
    """Return this process's ledger and the workers' as one."""
    total = Sum()
    total.add({name: getattr(_ledger(), name) for name in FIELDS})
    total.add(vars(config.stash.get(OF_WORKERS, Sum())))
    return total


MIB_OF_A_WORKER = 1024
"""A worker grows to about half of it; browsers, brokers and databases come beside it."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Return two workers for each core: while one waits for a process, a page or a timer, the other computes.

    Never more than there is memory for; xdist's own `PYTEST_XDIST_AUTO_NUM_WORKERS` says another number.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0))
    told = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free_mib = int(told["MemAvailable"].split()[0]) // 1024
    return max(1, min(2 * cores, free_mib // MIB_OF_A_WORKER))


def pytest_configure(config):
    """Have long files begin the run, where pytest keeps a cache."""
    if config.pluginmanager.has_plugin("cacheprovider"):
        is_worker = hasattr(config, "workerinput")
        config.pluginmanager.register(LongestFirst(config.cache, is_worker=is_worker))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Spare the collector what was found: it would look at a million objects at each of its full turns.

    They live to the end of the run. An eighth of the time of small tests went into looking at them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Note what was found before this test."""
    ledger = _ledger()
    item.stash[SEEN] = len(ledger.personal), len(ledger.nonconforming)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Fail a test whose broker carried what must not travel, once its brokers have stopped."""
    yield
    if nextitem is None or "browser" not in nextitem.fixturenames:
        end_window()
    ledger, (personal, nonconforming) = _ledger(), item.stash[SEEN]
    if ledger.brokers and item.get_closest_marker("nonsense"):
        del ledger.nonconforming[nonconforming:]
        ledger.personal[personal:] = [line for line in ledger.personal[personal:] if BY_CHANCE not in line]
    new = [*ledger.personal[personal:], *ledger.nonconforming[nonconforming:]]
    if new:
        pytest.fail("on the wire:\n" + "\n".join(new[:20]), pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Count in what a worker read; one that died has said nothing, and fails the run anyhow."""
    said = getattr(node, "workeroutput", {}).get("wire")
    if said:
        node.config.stash.setdefault(OF_WORKERS, Sum()).add(said)


def pytest_sessionfinish(session):
    """Fail the run for what a broker carried that outlived its test."""
    end_window()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["wire"] = vars(_total(session.config))
        return
    total = _total(session.config)
    if (total.personal or total.nonconforming) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Say how much was read, and repeat what was found."""
    total = _total(config)
    if total.brokers:
        terminalreporter.write_line(
            f"wire: {total.messages} messages ({total.payload_bytes} bytes) on {total.brokers} brokers "
            f"read; {len(total.personal)} personal, {len(total.nonconforming)} undeclared"
        )
    for line in [*total.personal[:20], *total.nonconforming[:20]]:
        terminalreporter.write_line(f"wire: {line}")
