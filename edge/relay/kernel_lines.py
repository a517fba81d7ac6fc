"""The lines of a gpiochip over libgpiod, under the names of `lgpio`, which has no wheel from Python 3.13 on.

Only what gpiozero's pins and the relay call. A claim is one request to the kernel, so an output goes from
"not ours" to its level in a single step; a line that is held already changes without being let go.
A dead process gives its lines back through the kernel, as with lgpio. Functions are called from any thread.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import gpiod
from gpiod.line import Bias, Clock, Direction, Edge, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)

RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
SET_PULL_UP, SET_PULL_DOWN, SET_PULL_NONE = 32, 64, 128
IS_OUTPUT = 2
"""Of `gpio_get_mode`, beside the three pulls (lgpio's numbers, which gpiozero knows)."""

EVENTS_KEPT = 256
"""By the kernel, for a reader that is late: four cards of 34 bits on both edges (its own choice is 16)."""
PULLS = {
    SET_PULL_UP: Bias.PULL_UP,
    SET_PULL_DOWN: Bias.PULL_DOWN,
    SET_PULL_NONE: Bias.DISABLED,
    0: Bias.AS_IS,
}
EDGES = {RISING_EDGE: Edge.RISING, FALLING_EDGE: Edge.FALLING, BOTH_EDGES: Edge.BOTH}


class error(Exception):  # noqa: N801 - lgpio's name
    """A line or chip that cannot be used; the text is the kernel's."""


@dataclass
class _Line:
    """A line that is held: what the kernel was asked for, and its pull in lgpio's numbers."""

    request: gpiod.LineRequest
    settings: gpiod.LineSettings
    pull: int = 0


@dataclass
class _Chip:
    device: gpiod.Chip
    lines: dict[int, _Line] = field(default_factory=dict)


_chips: dict[int, _Chip] = {}
# Of these chips, their lines and the callbacks; entered twice where a setting is a claim made anew.
_lock = threading.RLock()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as cause:
        if isinstance(cause, OSError) and cause.errno == errno.EBUSY:
            raise error("GPIO busy") from cause  # as lgpio words it
        raise error(f"{what}: {getattr(cause, 'strerror', None) or cause}") from cause


def gpiochip_open(number: int) -> int:
    """Return a handle for /dev/gpiochip`number`. Raises `error`."""
    with _lock, _told("can not open gpiochip"):
        handle = max(_chips, default=0) + 1
        _chips[handle] = _Chip(gpiod.Chip(f"/dev/gpiochip{number}"))
        return handle


def gpiochip_close(handle: int) -> None:
    """Give every line of the chip back, and the chip."""
    with _lock:
        chip = _chips.pop(handle)
        for line in chip.lines.values():
            line.request.release()
        chip.device.close()
    callback.look_again()


def gpio_get_chip_info(handle: int) -> list[Any]:
    """Return [0, number of lines, name, label]."""
    with _lock, _told("unknown handle"):
        info = _chips[handle].device.get_info()
        return [0, info.num_lines, info.name, info.label]


def gpio_claim_output(handle: int, gpio: int, level: int = 0, flags: int = 0) -> None:
    """Drive the line at `level`, in one step. Raises `error`."""
    value = Value.ACTIVE if level else Value.INACTIVE
    _claim(handle, gpio, gpiod.LineSettings(direction=Direction.OUTPUT, output_value=value), flags)


def gpio_claim_input(handle: int, gpio: int, flags: int = 0) -> None:
    """Read the line, with one of the pulls as `flags`. Raises `error`."""
    _claim(handle, gpio, gpiod.LineSettings(direction=Direction.INPUT), flags)


def gpio_claim_alert(handle: int, gpio: int, edges: int, flags: int = 0) -> None:
    """Read the line and hear its edges, see `callback`. Raises `error`."""
    clock = Clock.MONOTONIC
    settings = gpiod.LineSettings(direction=Direction.INPUT, edge_detection=EDGES[edges], event_clock=clock)
    _claim(handle, gpio, settings, flags)
    callback.look_again()


def gpio_set_debounce_micros(handle: int, gpio: int, micros: int) -> None:
    """Let the kernel pass on only levels that stood this long. Raises `error`."""
    with _lock, _told(f"GPIO{gpio}"):
        line = _chips[handle].lines[gpio]
        settings = replace(line.settings, debounce_period=timedelta(microseconds=micros))
        _claim(handle, gpio, settings, line.pull)


def _claim(handle: int, gpio: int, settings: gpiod.LineSettings, flags: int) -> None:
    pull = flags & (SET_PULL_UP | SET_PULL_DOWN | SET_PULL_NONE)
    with _lock, _told(f"GPIO{gpio}"):
        settings = replace(settings, bias=PULLS[pull])
        chip = _chips[handle]
        # A line that is ours already is changed within its request: released in between, it would be a
        # floating input for a moment, and an active-low relay board may pull in.
        if gpio in chip.lines:
            chip.lines[gpio].request.reconfigure_lines({gpio: settings})
            chip.lines[gpio] = _Line(chip.lines[gpio].request, settings, pull)
            return
        request = chip.device.request_lines(
            {gpio: settings}, consumer="facegate", event_buffer_size=EVENTS_KEPT
        )
        chip.lines[gpio] = _Line(request, settings, pull)


def gpio_free(handle: int, gpio: int) -> None:
    """Give one line back. Raises `error`."""
    with _lock, _told(f"GPIO{gpio}"):
        _chips[handle].lines.pop(gpio).request.release()
    callback.look_again()


def gpio_write(handle: int, gpio: int, level: int) -> None:
    """Drive an output. Raises `error`."""
    with _lock, _told(f"GPIO{gpio}"):
        value = Value.ACTIVE if level else Value.INACTIVE
        _chips[handle].lines[gpio].request.set_value(gpio, value)


def gpio_read(handle: int, gpio: int) -> int:
    """Return the level, 0 or 1. Raises `error`."""
    with _lock, _told(f"GPIO{gpio}"):
        return int(_chips[handle].lines[gpio].request.get_value(gpio) is Value.ACTIVE)


def gpio_get_mode(handle: int, gpio: int) -> int:
    """Return `IS_OUTPUT` or 0, and the pull. Raises `error`."""
    with _lock, _told(f"GPIO{gpio}"):
        line = _chips[handle].lines[gpio]
        return line.pull | (IS_OUTPUT if line.settings.direction is Direction.OUTPUT else 0)


class callback:  # noqa: N801 - lgpio's name
    """Calls `func(chip, gpio, level, nanoseconds)` for edges of a line claimed for alerts.

    One thread serves them all, in the order in which the kernel saw the edges, also across lines.
    """

    _active: ClassVar[list[callback]] = []
    _wake: ClassVar[tuple[int, int] | None] = None

    def __init__(
        self, handle: int, gpio: int, edge: int, func: Callable[[int, int, int, int], object]
    ) -> None:
        self.line = (handle, gpio)
        self.levels = {RISING_EDGE: {1}, FALLING_EDGE: {0}, BOTH_EDGES: {0, 1}}[edge]
        self.func = func
        with _lock:
            callback._active.append(self)
            if callback._wake is None:
                callback._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                threading.Thread(target=_follow, args=(callback._wake[0],), name="gpio", daemon=True).start()
        self.look_again()

    def cancel(self) -> None:
        """Hand on no further edges of the line."""
        with _lock:
            if self in callback._active:
                callback._active.remove(self)

    @classmethod
    def look_again(cls) -> None:
        """Tell the thread that the set of lines has changed."""
        if cls._wake is not None:
            # A full pipe (64 KiB of wake-ups that were not read yet) wakes the thread as well.
            with contextlib.suppress(BlockingIOError):
                os.write(cls._wake[1], b"!")

    @classmethod
    def hand_on(cls, handle: int, event: gpiod.EdgeEvent) -> None:
        """Call every callback that waits for this edge."""
        level = int(event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE)
        line = (handle, event.line_offset)
        with _lock:
            wanted = [one for one in cls._active if one.line == line and level in one.levels]
        # Outside the lock: a slow callback must not block another thread that claims or moves a line.
        for one in wanted:
            try:
                one.func(handle, event.line_offset, level, event.timestamp_ns)
            except Exception:  # somebody else's code, of a reader just closed, say: others are still heard
                LOG.exception("GPIO%d: an edge was not taken", event.line_offset)


def _follow(wake: int) -> None:
    poll, heard = select.poll(), _heard()
    poll.register(wake, select.POLLIN)
    for fd in heard:
        poll.register(fd, select.POLLIN)
    while True:
        found = dict(poll.poll())
        if found.pop(wake, 0):
            os.read(wake, 4096)
            # All of them anew: the kernel may have given the number of a freed line to another one.
            for fd in heard:
                _forget(poll, fd)
            heard = _heard()
            for fd in heard:
                poll.register(fd, select.POLLIN)
        for fd, what in found.items():
            # POLLERR or POLLHUP alone: the chip is gone, and would wake this thread over and over.
            if not what & select.POLLIN:
                _forget(poll, fd)
        for handle, event in _events(poll, {fd for fd, what in found.items() if what & select.POLLIN}):
            callback.hand_on(handle, event)


def _forget(poll: select.poll, fd: int) -> None:
    with contextlib.suppress(KeyError):
        poll.unregister(fd)


def _heard() -> dict[int, tuple[int, int]]:
    """Return (handle, gpio) of each line that is claimed for alerts, by its descriptor."""
    with _lock:
        return {
            line.request.fd: (handle, gpio)
            for handle, chip in _chips.items()
            for gpio, line in chip.lines.items()
            if line.settings.edge_detection is not Edge.NONE
        }


def _events(poll: select.poll, ready: set[int]) -> list[tuple[int, gpiod.EdgeEvent]]:
    """Return every edge there is now, the oldest first.

    Lines are read until none has more: an edge read from one may be younger than one waiting on another.
    """
    found: list[tuple[int, gpiod.EdgeEvent]] = []
    while ready:
        with _lock:
            for fd, (handle, gpio) in _heard().items():
                if fd not in ready:
                    continue
                try:
                    events = _chips[handle].lines[gpio].request.read_edge_events()
                except OSError as error:  # this thread serves every line: one that fails must not end it
                    LOG.error("GPIO%d is not heard any more: %s", gpio, error)  # noqa: TRY400 - one clear line
                    _forget(poll, fd)
                else:
                    found += [(handle, event) for event in events]
        ready = {fd for fd, what in poll.poll(0) if what & select.POLLIN and fd in _heard()}
    return sorted(found, key=lambda one: one[1].timestamp_ns)
