"""Every (state, role, act): nothing forbidden is done, and the requester sees every step.

The table here says it a second time, role by role, as the rules are told to people; it shares no line with
`machine`. `python -m tests.community.walk_machine --steps 20000` walks for longer.
"""

from __future__ import annotations

from tests.community.walk_machine import Walk, walk


def test_no_forbidden_step_and_none_that_the_requester_cannot_see(tmp_path):
    walked = walk(Walk(tmp_path), steps=250, seed=7)
    assert walked.forbidden == []
    assert walked.unseen == []
    assert walked.taken > 40, "most tries are refused, but not all"
    assert len(walked.states) >= 9, "most states are visited"
