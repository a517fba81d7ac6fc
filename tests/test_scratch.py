"""What a door makes for a moment is made in memory: a card that is full or read-only takes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from edge.scratch import memory_folder
from edge.store.memory_copy import memory_copy
from tests.store.drafts import draft, open_journal

ROOT = Path(__file__).parents[1]
NOWHERE = "/proc"
"""Nobody can make a file or folder there, not even root: as on a card that turned read-only."""

GUARD = f"import tempfile; tempfile.tempdir = {NOWHERE!r}; import edge.relay.chip; print('loaded')"
REST = (
    f"import sys, tempfile; tempfile.tempdir = {NOWHERE!r};"
    " from edge.relay.rest import main; sys.exit(main(sys.argv[1:]))"
)
TABLE = """
[lock]
pin = 17
gpio_chip = 0
active_high = true
lock_wiring = "fail-secure"
"""


def python(program: str, lines: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program beside a recording stand-in for the board's library."""
    stand_in = os.pathsep.join([str(ROOT / "tests/relay/stand_in"), str(ROOT)])
    env = os.environ | {"PYTHONPATH": stand_in, "FACEGATE_TEST_LINES": str(lines)}
    return subprocess.run(
        [sys.executable, "-c", program, *words], env=env, capture_output=True, text=True, check=False
    )


def test_the_guard_loads_what_drives_its_line_where_the_card_takes_no_file(tmp_path):
    """Else it would not start, and nobody would get in until the card is changed."""
    done = python(GUARD, tmp_path / "lines")
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr


def test_the_relay_is_put_at_rest_where_the_card_takes_no_file(tmp_path):
    (tmp_path / "config.toml").write_text(TABLE)
    done = python(REST, tmp_path / "lines", str(tmp_path / "config.toml"))
    assert done.returncode == 0, done.stderr
    assert "gpio_claim_output 17 0" in (tmp_path / "lines").read_text()


def test_a_folder_that_takes_nothing_is_passed_over(tmp_path):
    found = memory_folder({"RUNTIME_DIRECTORY": NOWHERE})
    assert found is None or found.startswith(("/dev/shm", "/run/shm"))
    assert memory_folder({"RUNTIME_DIRECTORY": str(tmp_path)}) is not None
    assert not list(tmp_path.iterdir())


def test_a_database_is_copied_where_the_card_takes_no_file(tmp_path, monkeypatch):
    with closing(open_journal(tmp_path / "journal.db")) as journal:
        journal.append(draft(1))
    monkeypatch.setattr(tempfile, "tempdir", NOWHERE)
    if memory_folder() is None:
        pytest.skip("this machine has no folder in memory")
    with closing(memory_copy(tmp_path / "journal.db")) as copy:
        assert copy.execute("SELECT count(*) FROM events").fetchone() == (1,)
