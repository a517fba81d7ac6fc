"""What the command line takes for a resident's id and a name: the rule of `edge.identity`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edge.errors import IdentityRefused
from edge.identity import person_name, resident_id

if TYPE_CHECKING:
    from collections.abc import Callable


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
