"""Stands in for libgpiod's bindings; writes the same lines as the stand-in for `lgpio`, which see.

A request for a line is written as the claim that it is, in one line: the kernel gets it in one call.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

from gpiod.line import Bias, Clock, Direction, Edge, Value

LABEL = os.environ.get("FACEGATE_TEST_CHIP_LABEL", "pinctrl-bcm2711")
LOG = Path(os.environ["FACEGATE_TEST_LINES"])
PULLS = {Bias.PULL_UP: 32, Bias.PULL_DOWN: 64, Bias.DISABLED: 128}


def record(call: str, *arguments: int) -> None:
    words = [f"{time.monotonic():.6f}", str(os.getpid()), call, *map(str, arguments)]
    with LOG.open("a") as log:
        log.write(" ".join(words) + "\n")


@dataclass
class LineSettings:
    direction: Direction = Direction.AS_IS
    edge_detection: Edge = Edge.NONE
    bias: Bias = Bias.AS_IS
    debounce_period: timedelta = timedelta()
    event_clock: Clock = Clock.MONOTONIC
    output_value: Value = Value.INACTIVE


@dataclass(frozen=True)
class EdgeEvent:
    event_type: Enum
    line_offset: int
    timestamp_ns: int

    Type = Enum("Type", {"RISING_EDGE": 1, "FALLING_EDGE": 2})


class Chip:
    def __init__(self, path: str) -> None:
        if path != "/dev/gpiochip0":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        record("gpiochip_open", 0)

    def close(self) -> None:
        record("gpiochip_close", 0)

    def get_info(self) -> SimpleNamespace:
        return SimpleNamespace(num_lines=54, name="gpiochip0", label=LABEL)

    def request_lines(
        self, config: dict[int, LineSettings], consumer: str, event_buffer_size: int
    ) -> LineRequest:
        [(offset, settings)] = config.items()
        return LineRequest(offset, settings)


class LineRequest:
    def __init__(self, offset: int, settings: LineSettings) -> None:
        self.offset = offset
        self._held = os.open(f"{LOG}.{offset}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._held)
            raise OSError(errno.EBUSY, "Device or resource busy") from None
        self.fd, self._out = os.pipe()
        self._events: list[EdgeEvent] = []
        self.reconfigure_lines({offset: settings})

    def reconfigure_lines(self, config: dict[int, LineSettings]) -> None:
        settings = config[self.offset]
        if settings.direction is Direction.OUTPUT:
            record("gpio_claim_output", self.offset, settings.output_value.value)
        elif settings.edge_detection is Edge.NONE:
            record("gpio_claim_input", self.offset, PULLS.get(settings.bias, 0))
        else:
            threading.Thread(target=self._follow, args=(LOG.stat().st_size, settings), daemon=True).start()
            record("gpio_claim_alert", self.offset, settings.edge_detection.value)

    def set_value(self, offset: int, value: Value) -> None:
        record("gpio_write", offset, value.value)

    def get_value(self, offset: int) -> Value:
        levels = [line.split()[-1] for line in LOG.read_text().splitlines() if f" {offset} " in line]
        return Value(int(levels[-1] != "0"))

    def release(self) -> None:
        os.close(self._held)
        record("gpio_free", self.offset)

    def read_edge_events(self) -> list[EdgeEvent]:
        count = len(os.read(self.fd, 4096))
        found, self._events = self._events[:count], self._events[count:]
        return found

    def _follow(self, seen: int, settings: LineSettings) -> None:
        begun = ""
        with LOG.open() as log:
            log.seek(seen)
            while True:
                *lines, begun = (begun + log.read()).split("\n")
                for line in lines:
                    ticks, _, call, *rest = line.split()
                    if call == "set" and int(rest[0]) == self.offset:
                        self._edge(int(rest[1]), float(ticks), settings.edge_detection)
                time.sleep(0.01)

    def _edge(self, level: int, ticks: float, wanted: Edge) -> None:
        if wanted is not Edge.BOTH and level != (wanted is Edge.RISING):
            return
        kind = EdgeEvent.Type.RISING_EDGE if level else EdgeEvent.Type.FALLING_EDGE
        self._events.append(EdgeEvent(kind, self.offset, int(ticks * 1e9)))
        os.write(self._out, b"!")
