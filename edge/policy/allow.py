"""The simplest access rule: whoever is enrolled may pass, at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import Authorisation, Reason
from edge.words import Message

if TYPE_CHECKING:
    from datetime import datetime

UNLOCK_SECONDS = 5.0
"""Strike time when nothing else is said: BACnet's default pulse, and above the 3 s that
IEC 60839-11-1 asks of the lowest grade."""


@dataclass(frozen=True, slots=True)
class AllowEnrolled:
    """An `Authoriser` without schedules, validity or modes: for demo, replay and measuring."""

    unlock_seconds: float = UNLOCK_SECONDS

    def authorise(self, resident_id: str, at: datetime, method: str) -> Authorisation:  # noqa: ARG002
        """Return leave to pass, whoever it is and whenever. Any thread."""
        return Authorisation(
            allowed=True,
            reason=Reason.GRANTED,
            unlock_seconds=self.unlock_seconds,
            rule=Message("rule.enrolled"),
        )
