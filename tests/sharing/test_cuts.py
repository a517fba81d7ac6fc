"""Power that goes in the middle of an arrival or a withdrawal; every cut: `python -m tests.sharing.cuts`."""

from __future__ import annotations

import pytest

from tests.sharing.cuts import arrival_cut, withdrawal_cut


@pytest.mark.parametrize("left", [0, 3, 5, 7])
def test_an_arrival_cut_short_is_finished_later(tmp_path, left):
    arrival_cut(tmp_path, left)


@pytest.mark.parametrize(
    ("name", "left"), [("back", 1), ("back", 4), ("back", 8), ("front", 2), ("front", 6)]
)
def test_a_withdrawal_cut_short_is_finished_at_every_door(tmp_path, name, left):
    withdrawal_cut(tmp_path, left, name)
