"""The ledger of what passed the brokers sums up over workers, and fails the run whoever found it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

WIRE = """
class LEDGER: brokers, messages, payload_bytes, personal, nonconforming = 1, 10, 100, [], []
"""
CLEAN = "import tests.sync.wire\ndef test_nothing(): pass\n"
OUTLIVED = """
import pytest
from tests.sync.wire import LEDGER

@pytest.fixture(scope="session", autouse=True)
def broker():
    yield
    LEDGER.personal.append("a name on the wire")

def test_nothing(): pass
"""


def run(folder: Path, *options: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run these test files beside our conftest, each with a broker that is only told of."""
    (folder / "tests" / "sync").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "conftest.py", folder / "tests")
    (folder / "tests" / "sync" / "wire.py").write_text(WIRE)
    for name, text in files.items():
        (folder / "tests" / f"test_{name}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    words = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", *options, "tests"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


WORKERS = ("-n", "2", "--dist", "loadfile")


@pytest.mark.parametrize(("options", "brokers"), [((), 1), (WORKERS, 2)])
def test_what_all_workers_read_is_told_in_one_line(tmp_path: Path, options, brokers) -> None:
    done = run(tmp_path, *options, one=CLEAN, two=CLEAN)

    assert done.returncode == 0, done.stdout
    assert f"wire: {10 * brokers} messages ({100 * brokers} bytes) on {brokers} brokers read" in done.stdout


@pytest.mark.parametrize("options", [(), WORKERS])
def test_what_one_worker_finds_after_its_tests_fails_the_run(tmp_path: Path, options) -> None:
    done = run(tmp_path, *options, one=CLEAN, two=OUTLIVED)

    assert done.returncode == 1, done.stdout
    assert "wire: a name on the wire" in done.stdout
