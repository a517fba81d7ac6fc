"""Importing, which makes no garbage, without looking for any."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def importing() -> Iterator[None]:
    """Have no garbage looked for inside, and never again among what is there at the end.

    A door imports 70,000 objects that stay. Python would look through them several times at the start,
    a tenth of the CPU it takes, and now and then while the door runs.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
