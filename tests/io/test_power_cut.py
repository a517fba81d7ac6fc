"""A power cut at any step of an operation loses nothing promised; a name is durable only with its folder."""

import random

import pytest

from tests.io.card import library
from tests.io.operations import OPERATIONS
from tests.io.power_cut import cut


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_image_after_a_cut_is_whole(name, tmp_path):
    """Some images of each operation; `python -m tests.io.power_cut` judges a thousand."""
    library()
    seed = random.SystemRandom().randrange(10**6)
    assert set(cut(name, 9, seed, tmp_path)) == {"ok"}, f"seed {seed}"
