"""Stands in for the C library `lgpio`: the lines live in a file, so they outlive the process.

Put this directory on PYTHONPATH of a process under test and set FACEGATE_TEST_LINES to a file.
Every call is one line, `MONOTONIC PID CALL ARGUMENT...`, appended in one write. Like a Raspberry
Pi kernel without strict_gpiod, a line keeps its level when the process that drove it dies. Like
the kernel, a line that a living process holds is busy for others.

A test sets an input by appending `TICKS 0 set GPIO LEVEL`; alerts hand such lines on in their order,
TICKS (seconds) as the kernel's time.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 32, 64, 128

LABEL = os.environ.get("FACEGATE_TEST_CHIP_LABEL", "pinctrl-bcm2711")
LOG = Path(os.environ["FACEGATE_TEST_LINES"])

handle_of_chip = 7

_held: dict[int, int] = {}


class error(Exception):  # noqa: N801 - lgpio's name
    """What the real module raises."""


def _record(call: str, *arguments: int) -> None:
    words = [f"{time.monotonic():.6f}", str(os.getpid()), call, *map(str, arguments)]
    with LOG.open("a") as log:
        log.write(" ".join(words) + "\n")


def _hold(gpio: int) -> None:
    if gpio in _held:
        return
    descriptor = os.open(f"{LOG}.{gpio}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise error("GPIO busy") from None
    _held[gpio] = descriptor


def gpiochip_open(chip: int) -> int:
    if chip != 0:
        raise error("can not open gpiochip")
    _record("gpiochip_open", chip)
    return handle_of_chip


def gpiochip_close(handle: int) -> None:
    _record("gpiochip_close", handle)


def gpio_get_chip_info(handle: int) -> list[object]:
    return [0, 54, "gpiochip0", LABEL]


def gpio_claim_input(handle: int, gpio: int, flags: int = 0) -> None:
    _hold(gpio)
    _record("gpio_claim_input", gpio, flags)


def gpio_claim_output(handle: int, gpio: int, level: int = 0, flags: int = 0) -> None:
    _hold(gpio)
    _record("gpio_claim_output", gpio, level)


def gpio_write(handle: int, gpio: int, level: int) -> None:
    _record("gpio_write", gpio, level)


def gpio_read(handle: int, gpio: int) -> int:
    levels = [line.split()[-1] for line in LOG.read_text().splitlines() if f" {gpio} " in line]
    return int(levels[-1])


def gpio_get_mode(handle: int, gpio: int) -> int:
    return 0


def gpio_claim_alert(handle: int, gpio: int, edges: int, flags: int = 0) -> None:
    _hold(gpio)
    _record("gpio_claim_alert", gpio, edges)


class callback:  # noqa: N801 - lgpio's name
    """Hands the levels that a test sets to `func`; one thread serves every callback, as in lgpio."""

    _active: ClassVar[list[callback]] = []

    def __init__(self, handle: int, gpio: int, edge: int, func: Callable[[int, int, int, int], None]) -> None:
        self._wanted = (gpio, 0 if edge == FALLING_EDGE else 1)
        self._func = func
        self._active.append(self)
        if len(self._active) == 1:
            threading.Thread(target=_follow, args=(LOG.stat().st_size,), daemon=True).start()
        _record("callback", gpio)

    def cancel(self) -> None:
        self._active.remove(self)

    def set(self, gpio: int, level: int, ticks: float) -> None:
        if (gpio, level) == self._wanted:
            self._func(handle_of_chip, gpio, level, int(ticks * 1e9))


def _follow(offset: int) -> None:
    begun = ""
    with LOG.open() as log:
        log.seek(offset)
        while callback._active:
            *lines, begun = (begun + log.read()).split("\n")
            for line in lines:
                ticks, _, call, *rest = line.split()
                for one in callback._active if call == "set" else ():
                    one.set(int(rest[0]), int(rest[1]), float(ticks))
            time.sleep(0.01)


def gpio_free(handle: int, gpio: int) -> None:
    os.close(_held.pop(gpio))
    _record("gpio_free", gpio)
