"""The reference pages in docs are those that the code makes, in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.cli.reference import PAGES, setting_text, settings
from edge.config.settings import Settings
from edge.words import LANGUAGES, say

DOCS = Path(__file__).parents[2] / "docs"
WRITTEN = [language for language in LANGUAGES if language == LANGUAGES[0] or (DOCS / language).is_dir()]
"""The languages that documents are written in; the panel may speak more."""


@pytest.mark.parametrize("language", WRITTEN)
@pytest.mark.parametrize("page", PAGES)
def test_the_page_in_docs_is_the_one_the_code_makes(page, language):
    folder = DOCS if language == LANGUAGES[0] else DOCS / language
    wanted = PAGES[page](language)
    command = f"facegate reference {page} --language {language} > {folder.relative_to(DOCS.parent)}/{page}.md"
    assert (folder / f"{page}.md").read_text(encoding="utf-8") == wanted, f"make it anew: {command}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_says_what_it_does(language):
    for path, schema in settings(Settings.model_json_schema()):
        assert setting_text(path, schema, language), path
        is_chinese = any("\u4e00" <= sign <= "\u9fff" for sign in setting_text(path, schema, language))
        assert is_chinese == (language == "zh"), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_setting_without_a_default_is_told_to_be_required(language):
    """And no word of JSON's stands for its type."""
    page = PAGES["settings"](language)
    rows = {cells[0].strip(): cells for line in page.splitlines() if len(cells := line.split("|")[1:]) > 2}

    assert rows["`door.id`"][2].strip() == say("reference.required", language)
    assert rows["`lock.pin`"][2].strip() == "–"
    assert not {"string", "boolean", "integer", "array"} & set(page.split())
