"""Everything that may be asked has words in both languages."""

from __future__ import annotations

import pytest

from edge.faces.liveness.challenge import Step
from edge.faces.liveness.gate import Hindrance
from edge.faces.liveness.prompts import TEXTS, Prompt


@pytest.mark.parametrize("name", [*Step, *Hindrance, "bad_light", "look", "again", "thanks", "failed"])
def test_every_step_and_hindrance_has_english_and_chinese(name):
    texts = Prompt(1, str(name)).texts

    assert set(texts) == {"en", "zh"}
    assert all(text.endswith((".", "。")) for text in texts.values())


def test_no_two_texts_are_the_same_by_accident():
    assert len({texts["en"] for name, texts in TEXTS.items()}) == len(TEXTS)
