"""Random faults at random files: residents come in, nothing promised is lost, all is well by itself."""

import random

from tests.io.card import library
from tests.io.schedules import run


def test_some_random_schedules_keep_the_three_promises(tmp_path):
    """A handful; `python -m tests.io.schedules --schedules 500` is the long run."""
    library()
    seed = random.SystemRandom().randrange(10**6)
    assert run(5, seed, tmp_path) == [], f"seed {seed}"
