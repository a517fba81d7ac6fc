"""Everything that may be asked has words in both languages."""

from __future__ import annotations

import pytest

from edge.faces.liveness.challenge import ChallengeStep
from edge.faces.liveness.gate import Hindrance
from edge.faces.liveness.prompts import Prompt
from edge.words import LANGUAGES, names, say


@pytest.mark.parametrize(
    "name", [*ChallengeStep, *Hindrance, "bad_light", "look", "again", "thanks", "failed"]
)
def test_every_step_and_hindrance_has_english_and_chinese(name):
    said = Prompt(1, str(name)).message.said
    assert all(said(language).endswith((".", "。")) for language in LANGUAGES)


def test_no_two_texts_are_the_same_by_accident():
    prompts = names("prompt.")
    assert len({say(f"prompt.{name}") for name in prompts}) == len(prompts)
