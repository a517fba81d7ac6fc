"""The documents keep their word: commands exist, links lead somewhere, every command shows an example."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from edge.cli import app
from tests.places import REPOSITORY

DOCUMENTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]


def commands(group: click.Group, context: click.Context) -> dict[str, click.Command]:
    return {
        name: command
        for name in group.list_commands(context)
        if (command := group.get_command(context, name))
    }


def all_commands() -> list[tuple[str, click.Command]]:
    context = click.Context(app)
    found = []
    for name, command in commands(app, context).items():
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", each) for sub, each in commands(command, context).items()]
    return found


@pytest.mark.parametrize(("name", "command"), all_commands())
def test_every_command_explains_itself_with_an_example(name, command):
    result = CliRunner().invoke(command, ["--help"], prog_name=f"facegate {name}")

    assert result.exit_code == 0
    assert "Example: facegate" in result.output


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_named_in_the_documents_exist(document):
    named = set(re.findall(r"`(?:sudo \S*/)?facegate ([a-z-]+)", document.read_text()))

    assert named <= set(app.list_commands(click.Context(app)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())

    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_placeholder_is_left(document):
    assert "@@" not in document.read_text()
