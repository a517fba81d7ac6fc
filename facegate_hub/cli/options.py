"""Options that several of the property's commands have."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

by_option = click.option("--by", default=getpass.getuser, help="Who asks; journaled at the door.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
encoding_option = click.option(
    "--encoding",
    help="How FILE was saved, where it is not to be guessed: utf-8, gb18030 (Excel in China)...",
)


def last_option(
    usual: int, what: str = "How many to show."
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the option of how many there are to be: a database takes no number below 0."""
    return click.option("--last", default=usual, show_default=True, type=click.IntRange(0), help=what)
