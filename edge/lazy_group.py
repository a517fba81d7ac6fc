"""Groups of commands that are imported when called: a command pays for what it uses, help for nothing."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from edge.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_SENTENCE = 400
"""Characters of a command's first sentence that the help of its group shows: all of it."""


class ToldGroup(click.Group):
    """A group whose help tells the first sentence of each command whole, on as many lines as it needs.

    click's own cuts it where the line ends, mostly before it says anything.
    """

    group_class = type  # groups inside it tell as much

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(LONGEST_SENTENCE)) for name, command in found if command]
            )


class LazyGroup(click.Group):
    """A group whose commands are imported when called (pattern of click's own documentation).

    `commands_table` maps a name to (module:attribute, one line for the overview). `extensions` names an
    entry-point group of further tables; it is looked up only for a name that is not in our own.
    `sections` are the headings under which the overview lists names; what is in none stands at the end.
    """

    def __init__(
        self,
        *args: Any,
        commands_table: Mapping[str, tuple[str, str]],
        extensions: str | None = None,
        sections: Mapping[str, tuple[str, ...]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._own = commands_table
        self._extensions = extensions
        self._sections = sections or {}

    @cached_property
    def _table(self) -> dict[str, tuple[str, str]]:
        """Our commands, and those of other packages. A package cannot take a name of ours."""
        if self._extensions is None:
            return dict(self._own)
        from importlib.metadata import entry_points  # noqa: PLC0415 - it reads every installed package's metadata

        tables = [entry.load() for entry in entry_points(group=self._extensions)]
        return {name: row for table in (*tables, self._own) for name, row in table.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names, ours in the order of the table and the others after them."""
        return [*self._own, *(name for name in self._table if name not in self._own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, or None when there is no such name."""
        row = self._own.get(cmd_name) or self._table.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row[0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - a table of ours or of an installed package
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; an unknown one is refused with the nearest known one."""
        word = args[0]
        if not ctx.resilient_parsing and not word.startswith("-") and self.get_command(ctx, word) is None:
            ctx.fail(f"{word}: there is no such command{did_you_mean(word, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        names = self.list_commands(ctx)
        placed = {name for section in self._sections.values() for name in section}
        rest = {"Other commands" if placed else "Commands": tuple(n for n in names if n not in placed)}
        widest = max(map(len, names))
        for heading, section in (*self._sections.items(), *rest.items()):
            if rows := [(name.ljust(widest), self._table[name][1]) for name in section if name in names]:
                with formatter.section(heading):
                    formatter.write_dl(rows)
