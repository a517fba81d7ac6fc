"""Page and console as processes: what they print, and that they end with the program that started them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from edge.here import reached_at
from tests.community.compound import new_compound
from tests.loopback import free_port
from tests.present import present
from tests.waiting import PATIENCE, wait_until

HUB = (sys.executable, "-u", "-m", "edge.cli", "hub", "--site")

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


@pytest.mark.slow
def test_what_a_console_prints_for_residents_leads_to_this_machine(tmp_path):
    """As a service it listens on 0.0.0.0, and every slip and invitation sent phones there."""
    new_compound(tmp_path).book.engine.dispose()
    words = [*HUB, str(tmp_path), "console", "--host", "0.0.0.0", "--port", str(free_port())]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    told, line = "", " "
    while line and "SHA-256" not in line:
        line = present(running.stdout).readline()
        told += line
    running.terminate()
    running.wait()
    present(running.stdout).close()
    here = re.escape(reached_at("0.0.0.0"))
    assert re.search(rf"invitations and slips lead to https://{here}:\d+;", told), told
    assert "0.0.0.0" not in told


@pytest.mark.parametrize("given", ["home.example", "http://home.example", "https://home example"])
def test_an_address_for_residents_that_is_none_is_refused(tmp_path, given):
    new_compound(tmp_path).book.engine.dispose()
    environment = {**os.environ, "FACEGATE_PAGE_URL": given}
    words = [*HUB, str(tmp_path), "console", "--port", str(free_port())]
    ran = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode != 0
    assert "is no address" in ran.stderr
