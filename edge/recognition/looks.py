"""One close look at a face, and the decision that its numbers are told in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.domain import Decision, Verdict

if TYPE_CHECKING:
    from edge.domain import Frame, Liveness, Match, OperatingPoint, Quality, Reason
    from edge.recognition.visits import Visit


@dataclass(frozen=True, slots=True)
class Look:
    """One close look at one face, and all that came of it."""

    quality: Quality
    mean: Match
    point: OperatingPoint
    verdict: Verdict
    reason: Reason

    def numbers(self, *, is_grant: bool) -> dict[str, Any]:
        """Return the fields of `Decision` that this look gives; only a grant names the resident."""
        return {
            "resident_id": self.mean.resident_id if is_grant else None,
            "similarity": self.mean.similarity,
            "runner_up_id": self.mean.runner_up_id,
            "runner_up_similarity": self.mean.runner_up_similarity,
            "margin": self.mean.margin,
            "threshold": self.point.threshold,
            "quality": self.quality,
        }


def decided(
    frame: Frame,
    visit: Visit,
    answer: tuple[Verdict, Reason],
    faces: int,
    look: Look | None,
    liveness: Liveness | None,
) -> Decision:
    """Return the decision on this visit with every number behind it; `look` None before any look."""
    verdict, reason = answer
    detail: dict[str, Any] = {"first_seen": round(visit.first_seen, 6)}
    if look is not None:
        detail |= {"nearest": look.mean.resident_id, **look.point.basis.recorded("basis")}
    return Decision(
        verdict,
        reason,
        track_id=visit.track_id,
        frame_seq=frame.seq,
        time=frame.time,
        at=frame.at,
        faces_in_view=faces,
        shots=len(visit.evidence.shots),
        liveness=liveness,
        detail=detail,
        **({} if look is None else look.numbers(is_grant=verdict is Verdict.GRANT)),
    )
