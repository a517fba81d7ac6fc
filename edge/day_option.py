"""A day as an option of a command: 2026-03-14."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime


class DayOption(click.DateTime):
    """Midnight of the day that was typed; anything else is refused with an example."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        """Return what help shows for it."""
        return "YEAR-MONTH-DAY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See `click.ParamType`."""
        try:
            day: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r}: give a day such as 2026-03-14", param, ctx)
        return day


DAY = DayOption()
