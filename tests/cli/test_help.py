"""What `--help` says: of every option something, and examples that the command itself understands."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from edge.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Return every command below this one with the words that call it, the groups themselves, too."""
    yield context.command_path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from commands(found, click.Context(found, parent=context, info_name=name))


ALL = dict(commands(app, click.Context(app, info_name="facegate")))


def examples(command: click.Command) -> list[list[str]]:
    """Return the words of each example in a command's help, as a shell gives them to the command."""
    lines = re.findall(r"Example: (.*?)(?:\n\n|\Z)", command.help or "", re.DOTALL)
    words = [shlex.split(" ".join(line.split())) for line in lines]
    return [each[: each.index(">")] if ">" in each else each for each in words]


@pytest.mark.parametrize("path", ALL)
def test_each_option_is_told(path: str) -> None:
    options = [option for option in ALL[path].params if isinstance(option, click.Option)]
    assert [option.opts for option in options if not option.help and not option.hidden] == []


def understood(words: list[str]) -> str:
    """Follow the words of an example and return which command they call. Raises `click.UsageError`."""
    command: click.Command = app
    context = click.Context(app, info_name="facegate")
    rest = words[1:]
    while True:
        _, rest, _ = command.make_parser(context).parse_args(rest)
        if not isinstance(command, click.Group) or not rest:
            return context.command_path
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)


@pytest.mark.parametrize("path", ALL)
def test_each_example_is_understood_by_the_command_that_shows_it(path: str) -> None:
    """Read, not run: the names of options and commands have to be there."""
    shown = examples(ALL[path])
    assert shown, "no example"
    for words in shown:
        assert words[0] == "facegate"
        assert understood(words).startswith(path)
