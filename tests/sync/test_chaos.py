"""A short run of the kill harness; the long one is `python -m tests.sync.chaos --kills 200`."""

import random

import pytest

from tests.sync.chaos import Chaos

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_no_event_is_lost_whatever_is_killed(tmp_path):
    """Twelve SIGKILLs of door, broker and hub at random: each committed event is at the hub, once."""
    seed = random.SystemRandom().randrange(10**6)
    outcome = Chaos(tmp_path, seed).run(kills=12)
    assert (outcome.lost, outcome.foreign, outcome.doubts) == (0, 0, 0), outcome
    assert outcome.committed == outcome.at_hub > 0
