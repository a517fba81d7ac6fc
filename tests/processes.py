"""Python in a process of its own: for what a process imports, holds or does at its end."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.waiting import PATIENCE


def in_a_process(script: str, *words: str) -> str:
    """Run a script, indented as it stands in a test, and return what it printed; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
