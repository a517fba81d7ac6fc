"""A test that hangs names itself and ends, instead of holding the run for ever (pyproject.toml)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.places import REPOSITORY
from tests.waiting import PATIENCE

HANGS = """
import threading

def test_that_waits_for_nothing():
    waits_here()

def waits_here():
    threading.Event().wait()
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_test_that_hangs_names_itself_and_ends(tmp_path, workers):
    (tmp_path / "test_hangs.py").write_text(HANGS)
    plugins = [
        word for name in ("randomly", "cacheprovider", "hypothesispytest") for word in ("-p", f"no:{name}")
    ]
    words = [
        *(
            sys.executable,
            "-m",
            "pytest",
            "-c",
            str(REPOSITORY / "pyproject.toml"),
            "--rootdir",
            str(tmp_path),
        ),
        *(*plugins, "-o", "faulthandler_timeout=1", "-v", "-n", workers, str(tmp_path)),
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert done.returncode == 1
    assert "test_that_waits_for_nothing" in done.stdout
    assert "in waits_here" in done.stderr
