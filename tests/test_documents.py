"""The documents keep their word: commands exist, links lead somewhere, every command shows an example."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.words import catalogue, names, say
from tests.places import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]


def commands(group: click.Group, context: click.Context) -> dict[str, click.Command]:
    return {
        name: command
        for name in group.list_commands(context)
        if (command := group.get_command(context, name))
    }


def all_commands(group: click.Group = app, before: str = "") -> list[tuple[str, click.Command]]:
    """Return every command under `group`, however deep, with the words that call it."""
    found = []
    for name, command in commands(group, click.Context(group)).items():
        words = f"{before} {name}".strip()
        found.append((words, command))
        if isinstance(command, click.Group):
            found += all_commands(command, words)
    return found


@pytest.mark.parametrize(("name", "command"), all_commands())
def test_every_command_explains_itself_with_an_example(name, command):
    result = CliRunner().invoke(command, ["--help"], prog_name=f"facegate {name}")

    examples = re.findall(r"Example: facegate (.*?)\n\n", f"{command.help}\n\n", re.DOTALL)

    assert result.exit_code == 0
    assert examples
    assert [(line, strange) for line in examples if (strange := unknown_words(words_of(line)))] == []


def test_the_help_of_a_group_cuts_no_sentence():
    context = click.Context(app)
    groups = [command for _, command in [("", app), *all_commands()] if isinstance(command, click.Group)]
    shown = [line for group in groups for line in group.get_help(context).splitlines()]

    assert [line for line in shown if line.endswith("...") and not re.search("Usage:|Example:", line)] == []


def test_the_overview_lists_every_command_once_under_a_heading():
    lines = app.get_help(click.Context(app)).partition("Try and set up:")[2].splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]

    assert sorted(listed) == sorted(app.list_commands(click.Context(app)))
    assert not any(line.startswith("Other") for line in lines)


def documented_commands(text: str) -> list[list[str]]:
    """Return the words after `facegate` of each command in code, up to a pipe or a comment."""
    inline = re.findall(r"`(?:sudo )?(?:-u \S+ )?(?:\S*/)?facegate ([^`]+)`", text)
    shell = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    shown = re.findall(r"^\s*(?:\$ )?(?:sudo )?(?:-u \S+ )?(?:\S*/)?facegate (.+)$", shell, re.MULTILINE)
    return [words_of(line) for line in [*inline, *shown]]


def words_of(line: str) -> list[str]:
    """Return the words of a command, up to a pipe or a comment."""
    return re.split(r"[|;&>#]|\s<\s", line)[0].split()


def unknown_words(words: list[str]) -> list[str]:
    """Return the commands and long options among the words that facegate does not know."""
    command: click.Command = app
    options: dict[str, bool] = {"--help": False}
    unknown, awaits_value = [], False
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            options |= options_of(command)
            unknown += [] if name in options else [name]
            awaits_value = options.get(name, False) and not value
        elif awaits_value:
            awaits_value = False
        elif isinstance(command, click.Group) and re.fullmatch("[a-z][a-z-]*", word):
            options |= options_of(command)
            found = command.get_command(click.Context(app), word)
            if found is None:
                return [*unknown, word]
            command = found
    return unknown


def options_of(command: click.Command) -> dict[str, bool]:
    """Return whether the word after each option belongs to it."""
    return {
        name: not (option.is_flag or option.count)
        for option in command.params
        if isinstance(option, click.Option)
        for name in [*option.opts, *option.secondary_opts]
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_named_in_the_documents_exist_with_their_options(document):
    found = documented_commands(document.read_text(encoding="utf-8"))

    assert [(words, strange) for words in found if (strange := unknown_words(words))] == []


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("events --since 1h --json", []),
        ("hub --site ./site run --workers 3", []),
        ("enrol add flat-1203 photo.jpg --name Li --consent paper", []),
        ("evnts", ["evnts"]),
        ("hub --site ./site rum", ["rum"]),
        ("events --sins 1h", ["--sins"]),
    ],
)
def test_the_check_of_the_documents_sees_what_is_wrong(line, unknown):
    assert unknown_words(line.split()) == unknown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())

    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


def headings(text: str) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    without_code = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_a_heading_find_it(document):
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text())

    assert [
        (file, heading)
        for file, heading in links
        if heading not in headings((document.parent / file if file else document).read_text())
    ] == []


def test_the_page_of_the_protocol_lists_every_topic_of_a_door():
    page = (REPOSITORY / "docs" / "mqtt.md").read_text()
    listed = {
        re.sub(r"<\w+>|\bN\b", "{}", name)
        for name in re.findall(r"^\| `([^`]+)` \| (?:door|hub) ", page, re.MULTILINE)
    }
    declared = json.loads((REPOSITORY / "docs" / "asyncapi.json").read_text())["channels"].values()
    topics = {channel["address"].partition("{device}/")[2] for channel in declared} - {""}

    assert {re.sub(r"\{\w+\}|\b0$", "{}", topic) for topic in topics} == listed


def named_in(section: str) -> set[str]:
    """Return what stands in code in a section of the page of the architecture."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"`([\w.-]+)`", text))


def test_the_page_of_the_architecture_has_every_part_of_the_door() -> None:
    parts = {path.stem for path in (REPOSITORY / "edge").iterdir() if path.suffix in {"", ".py"}}

    assert {name for name in parts if not name.startswith("__")} - named_in("The layers") == set()


def test_the_page_of_the_architecture_has_every_worker_of_the_door() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "edge").rglob("*.py"))

    assert set(re.findall(r'\bWorker\("([\w-]+)"', code)) - named_in("Who runs where") == set()


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
    sizes = [set(re.findall(r"[\d.]+ [GM]B", text.split("\n## ")[1])) for text in (english, chinese)]
    assert sizes[0] == sizes[1], "what the two commands take"
    for line in blocks(chinese):
        assert line in english or line in re.sub(r"\s+#.*", "", install) or line in install, line
    links = {
        name: set(re.findall(r"\]\((README[^)#]*)\)", text))
        for name, text in (("en", english), ("zh", chinese))
    }
    assert links == {"en": {"README.zh-CN.md"}, "zh": {"README.md"}}


FOLDERS = "edge|facegate_hub|tests|tools|scripts|docs|systemd|containers|requirements"


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda path: path.name
)
def test_files_and_modules_that_a_document_names_exist(document: Path) -> None:
    text = document.read_text()
    files = re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./*-]*\w)", text)
    modules = [name.replace(".", "/") for name in re.findall(r"python -m ((?:edge|tests)[\w.]*\w)", text)]

    assert [name for name in files if not list(REPOSITORY.glob(name))] == []
    assert [
        name
        for name in modules
        if not (REPOSITORY / f"{name}.py").exists() and not (REPOSITORY / name / "__main__.py").exists()
    ] == []


def listed(page: str) -> set[str]:
    """Return the names in a table that `facegate reference` makes."""
    return set(re.findall(r"^\| `([\w.]+)`", (REPOSITORY / "docs" / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=lambda path: path.name
)
def test_settings_and_events_that_a_document_names_exist(document: Path) -> None:
    known = listed("settings.md") | listed("events.md") | {"door.secured", "door.alarms"}  # parts of `state`
    beginnings = {name.partition(".")[0] for name in known}
    named = {
        name
        for name in re.findall(r"`([a-z_]+\.[a-z_]+)(?: = [^`]*)?`", document.read_text())
        if name.partition(".")[0] in beginnings and not name.endswith((".db", ".json", ".jsonl", ".toml"))
    }

    assert named - known == set()


def test_the_page_of_liveness_ends_with_its_notes() -> None:
    page, notes = ((REPOSITORY / "docs" / name).read_text() for name in ("pad.md", "pad-notes.md"))

    assert page.endswith(notes)


def numbers(text: str) -> set[str]:
    """Return the numbers of a text, without those in code, links and quoted output."""
    plain = re.sub(r"\]\([^)]*\)|```.*?```|`[^`]*`|\*\"[^\"]*\"\*|x86", "", text, flags=re.DOTALL)
    return {found.replace(",", "").rstrip(".") for found in re.findall(r"\d[\d.,]*", plain)}


def test_the_chinese_first_page_has_no_number_of_its_own() -> None:
    english, chinese = ((REPOSITORY / name).read_text() for name in ("README.md", "README.zh-CN.md"))

    assert numbers(chinese) - numbers(english) == set()


@pytest.mark.parametrize(
    ("document", "section", "sources"),
    [
        ("README.md", "How sure is it", ["pad", "accuracy", "bench-gate", "bench-video"]),
        ("README.md", "How fast is it", ["bench-video", "bench-matcher"]),
        ("docs/hub.md", "Figures", ["bench-hub"]),
    ],
)
def test_a_figure_that_is_told_twice_is_the_same(document: str, section: str, sources: list[str]) -> None:
    told = (REPOSITORY / document).read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    measured = set().union(*(numbers((REPOSITORY / "docs" / f"{name}.md").read_text()) for name in sources))

    assert numbers(told) - measured == set()


def shown(language: str) -> set[str]:
    """Return every text that people read in a language, with its gaps open."""
    return {text for forms in catalogue(language).texts.values() for text in forms}


NO_LABELS = {"长期", "flat-1203 刷脸，north-gate 已开门", "为什么没给我开门"}
"""What guides quote and no page shows as it stands: a word in a list, an example, a resident's question."""

EXACT = {"docs/console.md", "docs/zh/console.md", "docs/resident.md"}
"""Guides that quote a button or headline whole; the others also quote parts of a sentence."""


@pytest.mark.parametrize(
    ("document", "quotes", "language"),
    [
        ("docs/console.md", '"([^"]+)"', "en"),
        ("docs/resident.md", '"([^"]+)"', "en"),
        ("docs/zh/console.md", "“([^”]+)”", "zh"),
        ("docs/zh/clerk.md", "“([^”]+)”", "zh"),
        ("docs/zh/installer.md", "“([^”]+)”", "zh"),
        ("docs/zh/resident.md", "“([^”]+)”", "zh"),
    ],
)
def test_what_a_guide_quotes_is_on_a_page(document: str, quotes: str, language: str) -> None:
    text = re.sub(r"\s*\n\s*", " ", (REPOSITORY / document).read_text())
    labels = {part for found in re.findall(quotes, text) for part in found.split("……")} - NO_LABELS
    texts = shown(language)

    assert {
        label for label in labels - texts if document in EXACT or not any(label in one for one in texts)
    } == set()


@pytest.mark.parametrize(
    ("document", "language"), [("docs/resident.md", "en"), ("docs/zh/resident.md", "zh")]
)
def test_residents_read_what_each_headline_of_the_display_means(document: str, language: str) -> None:
    table = set(re.findall(r"^\| (.+?) \|", (REPOSITORY / document).read_text(), re.MULTILINE))
    headlines = [name for name in names("screen.") if name.endswith(".title")]
    plain = {"idle.title", "rung.title"}

    told = {say(f"screen.{name}", language) for name in headlines if name not in plain}
    assert told - table == set()


def test_the_tasks_of_staff_are_on_pages_that_the_console_has() -> None:
    page = (REPOSITORY / "docs" / "community.md").read_text()
    tasks = page.split("| task | page | not yet |\n| --- | --- | --- |\n")[1].split("\n\n")[0]
    named = {part.strip() for row in tasks.splitlines() for part in re.split("[|]", row)[2].split(",")}

    assert named - shown("en") == set()


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/install.md"])
def test_scripts_named_on_the_first_pages_exist_and_may_be_run(document: str) -> None:
    for name in set(re.findall(r"\b(scripts/[a-z-]+|tools/[a-z-]+)\b", (REPOSITORY / document).read_text())):
        assert (REPOSITORY / name).stat().st_mode & 0o111, name
