"""A keypad that is unplugged and plugged in again; the thread lives through it."""

from __future__ import annotations

import logging
import os
import threading

from edge.credentials.device import EV_KEY, EVENT
from edge.service.readers import reader


def press(fd: int, code: int) -> None:
    os.write(fd, EVENT.pack(0, 0, EV_KEY, code, 1))


def test_keys_arrive_again_after_the_keypad_was_away(tmp_path, caplog):
    path, keys, arrived, stopping = tmp_path / "keypad", [], threading.Event(), Impatient()

    def take(key: str) -> None:
        keys.append(key)
        arrived.set()

    worker = reader("keypad", path, take, stopping)
    with caplog.at_level(logging.ERROR):
        worker.start()
        assert stopping.waited.wait(10)  # it is not there yet
        for code, key in ((2, "1"), (3, "2")):
            path.unlink(missing_ok=True)
            os.mkfifo(path)
            far = os.open(path, os.O_RDWR)
            press(far, code)
            assert arrived.wait(10)
            arrived.clear()
            assert keys[-1] == key
            path.unlink()
            stopping.waited.clear()
            os.close(far)
            assert stopping.waited.wait(10)
    assert worker.stop(10)
    assert worker.failures == 0
    told = [record.getMessage() for record in caplog.records]
    assert all("check the cable" in text for text in told)
    assert len(told) <= 6  # said at each change, not every two seconds


class Impatient(threading.Event):
    """A stop signal whose waits are short, and that says when somebody waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.set()
        return super().wait(0.01 if timeout else timeout)
