"""Page and console that a program has started end with it, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.community.compound import new_compound
from tests.loopback import free_port
from tests.present import present
from tests.waiting import wait_until

STARTER = """
import os, subprocess, sys
words = [sys.executable, "-m", "edge.cli", "hub", "--site", *sys.argv[1:], "--attached", str(os.getpid())]
one = subprocess.Popen(words, env={**os.environ, "PYTHONUNBUFFERED": "1"})
print(one.pid, flush=True)
one.wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["page", "console"])
def test_it_ends_with_the_program_that_started_it(tmp_path, name):
    compound = new_compound(tmp_path)
    compound.book.engine.dispose()
    words = [sys.executable, "-c", STARTER, str(tmp_path), name, "--port", str(free_port())]
    starter = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    lines = present(starter.stdout)
    pid = int(lines.readline())
    while "https://" not in (line := lines.readline()):
        assert line, "it ended before it served"
    starter.kill()
    starter.wait()
    lines.close()

    def is_gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    try:
        wait_until(is_gone)
    finally:
        if not is_gone():
            os.kill(pid, signal.SIGKILL)
