"""What the command line takes for an error rate."""

from __future__ import annotations

import math
from typing import Any

import click


class _Rate(click.FloatRange):
    """The chance of an error: more than 0, less than 1, and a number (not every range refuses `nan`)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        rate = super().convert(value, param, ctx)
        if math.isnan(rate):
            self.fail(f"{value} is not in the range 0<x<1.", param, ctx)
        return rate


RATE = _Rate(0, 1, min_open=True, max_open=True)
