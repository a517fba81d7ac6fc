"""gpiozero's lgpio backend with one difference: an output is claimed together with its level.

Stock gpiozero claims the pin as a floating input, then as an output at level 0, and only then
writes the level it was asked for (gpiozero pull request 1177). On an active-low relay board
level 0 means *energised*: every start of the process would pulse the lock. Here the line goes
from "not ours" to "output at its resting level" in a single call.

Imported only where a real line is wanted: the library is the extra `pi`, see `edge.relay.chip`.
"""

from __future__ import annotations

from typing import Any

# The order matters: `chip` puts whichever library it found under the name `lgpio`, which gpiozero imports.
# isort: off
from edge.relay.chip import lgpio
from gpiozero.exc import PinInvalidFunction, PinUnknownPi
from gpiozero.pins.lgpio import LGPIOFactory
from gpiozero.pins.local import LocalPiPin
# isort: on

PI_4B_REVISION = 0xC03111
"""Stands in where there is no Raspberry Pi: GPIO2..27 are then lines 2..27 of the given chip."""


class RestingPin(LocalPiPin):  # type: ignore[misc]  # gpiozero has no types
    """A relay line: only ever an output, and driven to the end.

    `close` leaves the level as it is. Stock gpiozero would turn the line into a floating input,
    which the reporter of gpiozero issue 1146 measured at 0.9 to 1.9 V on a relay board.
    """

    def close(self) -> None:
        """Leave the line driven; the chip's handle releases it."""

    def output_with_state(self, state: bool) -> None:  # noqa: FBT001 - gpiozero's signature
        """Claim the line as an output that starts at `state`."""
        lgpio.gpio_claim_output(self._chip_handle(), self._number, int(state))

    def _chip_handle(self) -> Any:
        return self.factory._handle  # noqa: SLF001 - as gpiozero's own lgpio pins do

    def _get_function(self) -> str:
        return "output"

    def _set_function(self, value: str) -> None:
        if value != "output":
            raise PinInvalidFunction(f"{self!r} is a relay line: it cannot become {value!r}")

    def _get_state(self) -> bool:
        return bool(lgpio.gpio_read(self._chip_handle(), self._number))

    def _set_state(self, value: bool) -> None:  # noqa: FBT001 - gpiozero's signature
        lgpio.gpio_write(self._chip_handle(), self._number, int(value))


class InputFactory(LGPIOFactory):  # type: ignore[misc]  # gpiozero has no types
    """Makes gpiozero's own pins on one gpiochip, on a Raspberry Pi or on any Linux machine."""

    def _get_revision(self) -> int:
        try:
            return int(super()._get_revision())
        except (PinUnknownPi, OSError):
            return PI_4B_REVISION


class RestingFactory(InputFactory):
    """Makes `RestingPin`s."""

    def __init__(self, chip: int) -> None:
        super().__init__(chip=chip)
        self.pin_class = RestingPin
