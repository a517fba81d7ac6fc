"""A short run of the fuzzing harness; the long one is `python -m tests.sync.fuzz --messages 100000`."""

import random

import pytest

from tests.sync.fuzz import run


@pytest.mark.slow
def test_nothing_that_comes_on_any_topic_kills_a_thread_or_changes_anything(tmp_path):
    """Rubbish, damaged and replayed messages, retained or not: refused, counted, journaled within limits."""
    seed = random.SystemRandom().randrange(10**6)
    outcome = run(tmp_path, 1_000, seed)
    assert (outcome.dead, outcome.changed, outcome.executed) == ([], [], 0), outcome
    assert len(outcome.sent) == 9
    refused = {"command.refused", "roster.refused", "config.refused", "notice.refused", "passes.refused"}
    assert refused == set(outcome.events)
    assert sum(outcome.events.values()) < 200  # a flood does not fill the disk
