"""What the command line takes for an error rate, and for how long or how far something is measured."""

from __future__ import annotations

import math
from typing import Any

import click


class Measure(click.FloatRange):
    """A number within a range: `nan` is in none, and click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


RATE = Measure(0, 1, min_open=True, max_open=True)
"""The chance of an error: more than 0, less than 1."""
