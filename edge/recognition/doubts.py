"""Whom liveness doubted and another look may still clear: the doubt waits a moment for that person.

In a queue somebody nearer hides the next one, tracks break or go on with another face, and the picture
jumps. A doubt belongs to the resident whose face was doubted, not to the track it fell on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import Reason, Verdict
from edge.recognition.looks import decided

if TYPE_CHECKING:
    from edge.domain import Decision, Frame, Liveness
    from edge.recognition.looks import Look
    from edge.recognition.visits import Visit

BACK_SECONDS = 1.0
"""Who was doubted and is seen again within this has not left."""


@dataclass(frozen=True, slots=True)
class OpenDoubt:
    """A doubt that nobody was told yet, and the visit it fell on, out of sight since `since`."""

    since: float
    visit: Visit
    look: Look
    liveness: Liveness
    was_covered: bool
    told: frozenset[Reason]


class OpenDoubts:
    """The doubts whose faces are out of sight, oldest first. One thread; times are those of the frames."""

    def __init__(self) -> None:
        self._waiting: list[OpenDoubt] = []

    def keep(self, visit: Visit, time: float) -> None:
        """Take the visit's doubt off it, if it has one: its face is out of sight, or was taken over."""
        if visit.early_doubt is None:
            return
        doubt = OpenDoubt(time, visit, *visit.early_doubt, visit.was_covered, frozenset(visit.told))
        self._waiting.append(doubt)
        visit.early_doubt, visit.was_covered = None, False

    def resume(self, visit: Visit, resident_id: str) -> None:
        """Give the visit the doubts about this resident: they were only out of sight."""
        mine = [one for one in self._waiting if one.look.mean.resident_id == resident_id]
        self._waiting = [one for one in self._waiting if one not in mine]
        # The visit's own doubt is the newer one, and is told with its own numbers.
        for one in mine:
            visit.early_doubt = visit.early_doubt or (one.look, one.liveness)
            visit.was_covered |= one.was_covered

    def drop(self, resident_id: str) -> None:
        """Forget the doubts about this resident."""
        self._waiting = [one for one in self._waiting if one.look.mean.resident_id != resident_id]

    def overdue(self, frame: Frame, faces: int) -> list[Decision]:
        """Tell, once, of those who left and did not come back in time that liveness doubted them."""
        over = [one for one in self._waiting if frame.time - one.since >= BACK_SECONDS]
        self._waiting = [one for one in self._waiting if one not in over]
        said = []
        for one in over:
            reason = one.liveness.told
            if one.was_covered and reason is Reason.PRESENTATION_ATTACK:
                reason = Reason.PAD_NO_RESPONSE  # half a face behind somebody's head looks like a picture
            # As the visit stood when it went out of sight: what is said on its track since is about another
            # face.
            if reason not in one.told:
                answer = (Verdict.DENY, reason)
                said.append(decided(frame, one.visit, answer, faces, one.look, one.liveness))
        return said
