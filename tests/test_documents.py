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
    text = document.read_text(encoding="utf-8")
    context = click.Context(app)
    for words in re.findall(r"`(?:sudo \S*/)?facegate ((?:[a-z][a-z-]* ?)+)", text):
        command: click.Command = app
        for word in words.split():
            if not isinstance(command, click.Group):
                break  # what follows is an argument
            found = command.get_command(context, word)
            assert found is not None, f"facegate {words}"
            command = found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())

    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_placeholder_is_left(document):
    assert "@@" not in document.read_text()


def blocks(text: str) -> list[str]:
    """Return the lines of a document's shell blocks, without comments."""
    found = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    return [re.sub(r"\s+#.*", "", line).strip() for line in found.splitlines()]


def test_the_chinese_first_page_is_in_step_with_the_english_one() -> None:
    english, chinese = ((REPOSITORY / name).read_text() for name in ("README.md", "README.zh-CN.md"))
    install = (REPOSITORY / "docs" / "install.md").read_text()

    assert set(blocks(english)[:2]) <= set(blocks(chinese)), "the two commands"
    for line in blocks(chinese):
        assert line in english or line in re.sub(r"\s+#.*", "", install) or line in install, line
    links = {
        name: set(re.findall(r"\]\((README[^)#]*)\)", text))
        for name, text in (("en", english), ("zh", chinese))
    }
    assert links == {"en": {"README.zh-CN.md"}, "zh": {"README.md"}}


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/install.md"])
def test_scripts_named_on_the_first_pages_exist_and_may_be_run(document: str) -> None:
    for name in set(re.findall(r"\b(scripts/[a-z-]+|tools/[a-z-]+)\b", (REPOSITORY / document).read_text())):
        assert (REPOSITORY / name).stat().st_mode & 0o111, name
