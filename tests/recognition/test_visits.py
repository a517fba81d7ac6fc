"""Pauses between looks at one visitor grow up to their longest, however long somebody stays."""

from __future__ import annotations

import pytest

from edge.recognition.visits import MAX_SPACING_SECONDS, Visit

ALL_DAY = 5000
"""Looks: more than eleven hours of the longest pause between them."""


def test_whose_face_is_never_usable_is_looked_at_again_all_day():
    visit = Visit(1, 0.0)
    for _ in range(ALL_DAY):
        visit.rest_after_miss(10.0)
    assert visit.next_look == 11.0


@pytest.mark.parametrize("is_near", [True, False])
def test_whom_looks_do_not_decide_about_is_looked_at_again_all_day(is_near):
    visit = Visit(1, 0.0)
    for _ in range(ALL_DAY):
        visit.evidence.looks += 1
        visit.rest_after_look(10.0, is_near=is_near)
    assert visit.next_look == 10.0 + MAX_SPACING_SECONDS
