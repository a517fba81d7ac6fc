"""`facegate simulate` without a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from edge.cli import app
from tests.waiting import PATIENCE


def simulate(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["simulate", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_keys_end_on_a_page() -> None:
    page = simulate("--keys", "gowwww")
    assert "door_open_too_long" in page
    assert "chime sounds" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1203*480516#", "granted to resident-1203"),
        ("1203*480517#", "under duress"),
        ("1203*000000#", "keypad: refused"),
        ("9*480516#", "keypad: refused"),
        ("#", "keypad: refused"),
    ],
)
def test_the_keypad_has_the_doors_own_pin_book_behind_it(typed: str, said: str) -> None:
    assert said in simulate("--keys", typed)


@pytest.mark.parametrize("arguments", [[], ["--video", __file__], ["--gallery", "."]])
def test_wrong_use_says_what_to_do(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["simulate", *arguments])
    assert done.exit_code == 2
    assert "--keys" in done.output or "belong together" in done.output


def test_the_page_lives_in_a_terminal_and_leaves_it_as_it_was() -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from edge.cli import main; main()", "simulate"]
    page = subprocess.Popen(command, stdin=slave, stdout=slave, env={**os.environ, "TERM": "xterm"})
    try:
        seen = read_until(master, b"held unlocked")
        os.write(master, b"o")
        seen += read_until(master, b"door.forced")
        os.write(master, b"q")
        assert page.wait(PATIENCE) == 0
        assert b"forced_open" in seen + read_until(master, b"\x1b[?1049l")
    finally:
        page.kill()
        os.close(master)
        os.close(slave)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """Read what the page draws until `wanted`; the limit is for a stuck machine."""
    seen, end = b"", time.monotonic() + PATIENCE
    while wanted not in seen:
        assert time.monotonic() < end, seen[-500:]
        if select.select([descriptor], [], [], 0.1)[0]:
            seen += os.read(descriptor, 65536)
    return seen
