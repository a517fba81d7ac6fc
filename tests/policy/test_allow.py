from __future__ import annotations

from datetime import UTC, datetime

from edge.domain import Authorisation, Reason
from edge.policy.allow import AllowEnrolled
from edge.words import Message


def test_everybody_enrolled_may_pass_at_any_time():
    answer = AllowEnrolled(4.0).authorise("flat-12", datetime(2026, 3, 1, tzinfo=UTC), "face")
    assert answer == Authorisation(True, Reason.GRANTED, 4.0, Message("rule.enrolled"))
