"""What the command line takes for an error rate."""

from __future__ import annotations

import click

RATE = click.FloatRange(0, 1, min_open=True, max_open=True)
"""The chance of an error: more than 0, less than 1."""
