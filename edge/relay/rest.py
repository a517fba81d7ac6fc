"""Put the relay at rest and exit: what systemd runs after the guard has ended, however it ended.

A Raspberry Pi kernel without `strict_gpiod` keeps the line of a killed guard energised. This program then
locks the door, so it has to start fast: three library calls, without a command line framework or gpiozero.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge.errors import FacegateError, LockError
from edge.relay.table import LockTable, read_lock_table


def rest_line(table: LockTable) -> None:
    """Claim the relay's line at its resting level, and let it go.

    Nothing to do for the mock. Raises `LockError` when the line cannot be claimed.
    """
    if table.pin_factory == "mock":
        return
    try:
        from edge.relay.chip import header_chip, lgpio  # noqa: PLC0415 - the extra `pi`

        handle = lgpio.gpiochip_open(header_chip() if table.chip is None else table.chip)
        # The claim drives the level in the same call; closing keeps it on kernels that keep outputs, and
        # turns the line into an input on others, where the relay board's pull resistor holds it at rest.
        lgpio.gpio_claim_output(handle, table.pin, int(table.wiring.resting_level))
        lgpio.gpiochip_close(handle)
    except Exception as error:  # lgpio.error derives from it
        raise LockError(f"GPIO{table.pin} could not be put at rest: {error}; switch the relay off") from error


def main(arguments: list[str]) -> int:
    """Return the exit code; `arguments` is the configuration's path."""
    try:
        rest_line(read_lock_table(Path(*arguments)))
    except FacegateError as error:
        sys.stderr.write(f"relay at rest: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
