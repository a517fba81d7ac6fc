"""The GPIO chip behind the header, found by its label.

Imported only where a real line is wanted: the extra `pi` brings `lgpio`, or `gpiod` where that has no
wheel; `lgpio` here is whichever there is.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from edge.scratch import memory_folder

try:
    # lgpio opens a FIFO named .lgd-nfy0 in the current directory when it is imported, which fails
    # in a read-only one (a service) and litters any other. A card that is full or read-only takes none.
    with tempfile.TemporaryDirectory(dir=memory_folder()) as _scratch, contextlib.chdir(_scratch):
        import lgpio as lgpio  # noqa: PLC0414 - for those who need the library itself
except ModuleNotFoundError:
    from edge.relay import kernel_lines as lgpio

    sys.modules["lgpio"] = lgpio  # gpiozero's pins import it by that name

HEADER_CHIPS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Labels of the 40-pin header's chip: Pi 3 and Zero 2, Pi 4, Pi 5 (their kernel drivers' names)."""


def header_chip(device_directory: Path = Path("/dev")) -> int:
    """Return the number of the gpiochip behind the 40-pin header, found by its label.

    Numbers move between kernels (the Pi 5's header has been gpiochip4 and gpiochip0). Raises
    `LookupError` when no chip has one of the known labels.
    """
    labels: dict[int, str] = {}
    for device in sorted(device_directory.glob("gpiochip*")):
        number = int(device.name.removeprefix("gpiochip"))
        labels[number] = _label(number)
        if labels[number] in HEADER_CHIPS:
            return number
    raise LookupError(f"no gpiochip of a Raspberry Pi header among {labels or 'none at all'}")


def _label(number: int) -> str:
    handle = lgpio.gpiochip_open(number)
    try:
        return str(lgpio.gpio_get_chip_info(handle)[3])
    finally:
        lgpio.gpiochip_close(handle)
