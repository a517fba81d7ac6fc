"""A card reader on two GPIO lines: a pulse to ground on D0 is a 0, one on D1 is a 1.

The wires run outside, so whatever arrives on them may be an attack: a frame is a card only when its length,
timing and parity are right, and lines that never rest are closed for a while.
"""

from __future__ import annotations

import itertools
import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.credentials.card import WIEGAND_FORMATS, Card, parse_wiegand
from edge.errors import ReaderLost
from edge.extras import placed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRAME_GAP_SECONDS = 0.05
"""A pause this long ends a frame. SIA AC-01 puts 0.2 to 20 ms between two bits."""

QUIET_SECONDS = 0.1
"""No edge has reached us for so long: the frame is over. Longer than the gap, which is the kernel's
time: on a busy board the edges of one frame may come to us in two batches."""

MIN_BIT_SECONDS = 1e-4
"""Half the shortest interval of SIA AC-01: closer pulses are both lines at once, or ringing."""

MAX_BITS = 64
"""No format of doors is longer; what goes on after it is dropped until the line is quiet."""

MAX_PULSES = 512
"""In one `read`, or waiting for one: ten times what the longest card sends."""


@dataclass(frozen=True, slots=True)
class WiegandWiring:
    """The BCM numbers of the two data lines, and how many bits the reader's cards have."""

    d0: int
    d1: int
    formats: frozenset[int] = frozenset(WIEGAND_FORMATS)


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that is not a card, and why."""

    why: str


class WiegandFrames:
    """Cuts pulses into frames and judges them. One thread; seconds on the scale of the pulses."""

    def __init__(self, formats: frozenset[int] = frozenset(WIEGAND_FORMATS)) -> None:
        self._formats = formats
        self._pulses: list[tuple[float, int]] = []
        self._latest = 0.0

    @property
    def is_open(self) -> bool:
        """True while a frame has begun and not ended."""
        return bool(self._pulses)

    def pulse(self, bit: int, at: float) -> Card | BadFrame | None:
        """Take a pulse; return the frame before it when the pause shows that this is another one."""
        is_next = self.is_open and at - self._latest > FRAME_GAP_SECONDS
        heard = self.end() if is_next else None
        # `max`: an edge that is delivered late must not make the next one look like a new frame.
        self._latest = max(at, self._latest) if self.is_open else at
        if len(self._pulses) <= MAX_BITS:
            self._pulses.append((at, bit))
        return heard

    def end(self) -> Card | BadFrame | None:
        """Return what the frame was, None when none had begun: call it when the lines are quiet."""
        # In the order of the kernel's times: edges of two lines may be delivered out of order.
        pulses, self._pulses = sorted(self._pulses), []
        if not pulses:
            return None
        flaw = self._flaw([at for at, _ in pulses])
        if flaw is not None:
            return BadFrame(flaw)
        card = parse_wiegand([bit for _, bit in pulses])
        return card or BadFrame(f"{len(pulses)} bits with wrong parity: a bit was lost or added")

    def _flaw(self, times: Sequence[float]) -> str | None:
        if len(times) > MAX_BITS:
            return f"more than {MAX_BITS} bits without a pause"
        if any(later - earlier < MIN_BIT_SECONDS for earlier, later in itertools.pairwise(times)):
            return "pulses on top of each other: lines touch, ring, or share no ground"
        if len(times) not in self._formats:
            known = ", ".join(map(str, sorted(self._formats)))
            return f"{len(times)} bits where {known} are expected: noise, a cut wire or another format"
        return None


class WiegandReader:
    """A reader of cards on two lines. `read` and `close` belong to one thread.

    `factory` is a gpiozero pin factory of its own, closed with the reader; `on_noise` gets why a
    frame was refused. Raises `ReaderLost` when a line cannot be claimed, rests low or never rests.
    """

    def __init__(self, wiring: WiegandWiring, factory: Any, on_noise: Callable[[str], None]) -> None:
        self._on_noise = on_noise
        self._factory = factory
        self._frames = WiegandFrames(wiring.formats)
        self._pulses: queue.Queue[tuple[int, float]] = queue.Queue(MAX_PULSES)
        self._low_reads = 0
        self._wires: list[_Wire] = []
        try:
            for bit, number in enumerate((wiring.d0, wiring.d1)):
                self._wires.append(_Wire(bit, number, factory, self._pulses))
        except Exception as error:  # lgpio.error and half of gpiozero.exc derive from it
            self.close()
            raise ReaderLost(f"card reader: GPIO{number} cannot be claimed: {error}") from error

    def read(self, timeout_seconds: float) -> Card | None:
        """Return the next card, or None when none was shown in time."""
        now = time.monotonic()
        deadline, heard_pulses = now + timeout_seconds, 0
        while now < deadline:
            heard, is_pulse = self._listen(deadline - now)
            heard_pulses += is_pulse
            if isinstance(heard, Card):
                return heard
            if heard is not None:
                self._on_noise(heard.why)
            self._check_flood(heard_pulses)
            now = time.monotonic()
        if not heard_pulses:
            self._check_rest()
        return None

    def close(self) -> None:
        """Release the lines. Safe to call twice."""
        for wire in self._wires:
            wire.release()
        self._wires = []
        self._factory.close()

    def _listen(self, seconds: float) -> tuple[Card | BadFrame | None, bool]:
        """Return what has ended, and whether a pulse came; wait until the frame must be over."""
        try:
            bit, at = self._pulses.get(timeout=QUIET_SECONDS if self._frames.is_open else seconds)
        except queue.Empty:
            return self._frames.end(), False
        return self._frames.pulse(bit, at), True

    def _check_flood(self, heard_pulses: int) -> None:
        if heard_pulses >= MAX_PULSES:
            raise ReaderLost("card reader: its lines never rest: noise, a missing ground, or tampering")

    def _check_rest(self) -> None:
        """Two reads in a row: one look may fall into a pulse."""
        low = [wire.number for wire in self._wires if not wire.is_high]
        self._low_reads = self._low_reads + 1 if low else 0
        if self._low_reads > 1:
            raise ReaderLost(
                f"card reader: GPIO{low[0]} rests low: the level shifter has no power, or the line "
                f"touches ground ({placed('docs/install.md')}, wiring)"
            )


class _Wire:
    """One data line: a falling edge is a bit. gpiozero keeps only a weak reference to `fell`."""

    def __init__(self, bit: int, number: int, factory: Any, pulses: queue.Queue[tuple[int, float]]) -> None:
        self.number = number
        self._bit = bit
        self._pulses = pulses
        self._pin = factory.pin(number)
        self._pin.function = "input"
        self._pin.pull = "up"
        self._pin.edges = "falling"
        self._pin.when_changed = self.fell

    @property
    def is_high(self) -> bool:
        """The level now. Raises `ReaderLost`."""
        try:
            return bool(self._pin.state)
        except Exception as error:  # lgpio.error derives from it
            raise ReaderLost(f"card reader: GPIO{self.number} cannot be read: {error}") from error

    def fell(self, seconds: float, _level: object) -> None:
        """Take an edge with the kernel's time; called on the GPIO library's thread."""
        try:
            self._pulses.put_nowait((self._bit, seconds))
        except queue.Full:
            return  # the next `read` counts 512 pulses and reports that the lines never rest

    def release(self) -> None:
        """Stop listening to the lines."""
        self._pin.when_changed = None
