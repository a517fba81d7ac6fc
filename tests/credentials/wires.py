"""What a Wiegand reader sends, written the long way round, and pins to send it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpiozero.pins.mock import MockFactory, MockPin

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZES = {26: (8, 16), 34: (16, 16), 37: (16, 19)}
BIT_SECONDS = 0.001


def wire(bits: int, facility: int, number: int) -> list[int]:
    """Return the bits of a card; of 37 the middle one belongs to both halves."""
    facility_bits, number_bits = SIZES[bits]
    payload = f"{facility:0{facility_bits}b}{number:0{number_bits}b}"
    covered = (bits - 1) // 2 if bits % 2 else len(payload) // 2
    first = payload[:covered].count("1") % 2
    last = 1 - payload[-covered:].count("1") % 2
    return [first, *map(int, payload), last]


def pulses(bits: Iterable[int], start: float = 1.0, apart: float = BIT_SECONDS) -> list[tuple[int, float]]:
    """Return each bit with its time."""
    return [(bit, start + place * apart) for place, bit in enumerate(bits)]


class PacedPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A fake pin whose edges carry the factory's time instead of the real one."""

    def _call_when_changed(self) -> None:
        self._when_changed()(self.factory.time, self._state)


class PacedPins(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """Two data lines at rest; `send` pulses them at the times given."""

    def __init__(self, d0: int = 5, d1: int = 6) -> None:
        super().__init__(pin_class=PacedPin)
        self.time = 0.0
        self.numbers = (d0, d1)

    def send(self, timed_bits: Iterable[tuple[int, float]]) -> None:
        for bit, at in timed_bits:
            self.time = at
            pin = self.pin(self.numbers[bit])
            pin.drive_low()
            pin.drive_high()
