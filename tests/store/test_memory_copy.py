"""A database is read beside the card's troubles: one file that hangs holds up no other."""

from __future__ import annotations

import os
import threading
from contextlib import closing, suppress

import pytest

from edge.store.database import open_database
from edge.store.log_repair import repair_log
from edge.store.memory_copy import first_bytes
from edge.store.reader import JOURNAL
from tests.waiting import PATIENCE


class Hanging:
    """A file at which the card hangs, and who waits there."""

    def __init__(self, path, read):
        os.mkfifo(path)
        self.path = path

        def wait():
            with suppress(OSError):  # a pipe is no file to read from the middle of
                read()

        self.thread = threading.Thread(target=wait, daemon=True)
        self.thread.start()
        self.thread.join(0.2)
        assert self.thread.is_alive()

    def end(self):
        """Let go of whoever waits."""
        os.close(os.open(self.path, os.O_RDWR | os.O_NONBLOCK))
        self.thread.join(PATIENCE)


@pytest.mark.parametrize("part", ["file", "log"])
def test_a_file_at_which_the_card_hangs_keeps_no_other_from_being_opened(tmp_path, part):
    """While the keys hung no door could open its journal, nor read PINs and cards."""
    path = tmp_path / "keys.db"
    if part == "file":
        hanging = Hanging(path, lambda: first_bytes(path, 100))
    else:
        path.touch()
        hanging = Hanging(tmp_path / "keys.db-wal", lambda: repair_log(path))
    opened = threading.Event()

    def open_journal():
        for _ in range(2):
            with closing(open_database(tmp_path / "journal.db", JOURNAL)):
                assert first_bytes(tmp_path / "journal.db", 6) == b"SQLite"
        opened.set()

    threading.Thread(target=open_journal, daemon=True).start()
    try:
        assert opened.wait(PATIENCE)
    finally:
        hanging.end()
