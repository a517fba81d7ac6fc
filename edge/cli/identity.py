"""What the command line takes for a resident's id and a name: the rule of `edge.identity`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edge.errors import IdentityRefused
from edge.identity import person_name, resident_id
from edge.spellings import reads_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def nobody_called(resident_id: str, known: Iterable[str]) -> click.ClickException:
    """Return the refusal of a number that nobody has, with the one it may mean: 3-1203 for 3栋1203."""
    other = reads_like(resident_id, known)
    meant = "" if other is None else f"; did you mean {other}?"
    return click.ClickException(f"{resident_id}: no such resident{meant}; see facegate enrol list")


class _Named(click.ParamType):  # type: ignore[type-arg]
    """A text that names somebody, tidied; refused before anything else is done."""

    def __init__(self, name: str, rule: Callable[[str], str]) -> None:
        self.name = name
        self._rule = rule

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See `click.ParamType`."""
        try:
            return self._rule(value)
        except IdentityRefused as error:
            self.fail(str(error), param, ctx)


RESIDENT_ID = _Named("id", resident_id)
PERSON_NAME = _Named("name", lambda text: person_name(text) if text.strip() else "")
"""An empty name is one that was not given."""
