"""A short run of the kill harness; the long one is `python -m tests.sync.chaos --kills 200`."""

import random

import pytest

from tests.sync.chaos import Chaos

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_nothing_is_lost_and_nobody_removed_gets_in_whatever_is_killed(tmp_path):
    """Twelve SIGKILLs of door, broker and hub at random, while people come and go."""
    seed = random.SystemRandom().randrange(10**6)
    outcome = Chaos(tmp_path, seed).run(kills=12)
    assert outcome.is_good, outcome
    assert outcome.revisions > 20
    assert outcome.removed > 0
    assert outcome.passages > 0
    assert outcome.committed == outcome.at_hub > 0
