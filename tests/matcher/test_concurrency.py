"""Readers without locks beside a busy writer: every answer is that of one whole version."""

from __future__ import annotations

import os

import pytest

from edge.matcher.matcher import Matcher
from tests.matcher.galleries import forced, gallery_of, point
from tests.matcher.hammer import Hammer

SECONDS = float(os.environ.get("FACEGATE_HAMMER_SECONDS", "4"))
"""All backends together; minutes by hand, seconds in the suite."""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["compiled", "float32", "int8-stream", "int8-fold4"])
def test_every_answer_is_that_of_some_version(backend: str) -> None:
    hammer = Hammer.build(seed=1)
    matcher = Matcher(gallery_of(hammer.static), point, forced(backend))
    hammer.run(matcher, SECONDS / 4)
    assert hammer.failures == []
    assert hammer.inconsistent() == []
    snapshot = matcher.gallery.snapshot
    assert not snapshot.originals[snapshot.dead_rows()].any()
    assert not snapshot.codes[snapshot.dead_rows()].any()
