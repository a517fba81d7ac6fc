"""What is remembered about each visitor while he is in view: when to look again, what was said.

A visit never lends a name: being granted only silences further openings (one opening per visit)
and saves looks. It ends when the face has been away for `VISIT_GAP_SECONDS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.recognition.evidence import LOOKS_TO_REFUSE, MAX_SHOTS, Evidence

if TYPE_CHECKING:
    from edge.domain import Reason

VISIT_GAP_SECONDS = 3.0
"""A resident seen again within this time is still on the same visit: no second opening. Longer
than a look over the shoulder, shorter than walking off and coming back."""

FAR_SPACING_SECONDS = 0.2
"""Between looks at somebody who resembles nobody: another pose, not the same picture twice."""

MAX_SPACING_SECONDS = 8.0
"""The longest pause between looks at somebody who was refused."""

DOUBT_SPACING_SECONDS = 0.5
"""A face that may have been exchanged is looked at again this soon after its last look: in a
crowd everybody is near somebody, and each look costs an embedding."""

APPROACH_SPACING_SECONDS = 0.12
"""Between glances at a face that is not yet near, or turned away: a step takes 0.5 s."""

NEARER = 1.25
"""A face this much larger than at its last look is news, whatever the pause."""

LINGER_SECONDS = 1.5
"""Near but never usable for this long (turned away, too dark): tell the visitor."""


@dataclass(slots=True)
class Visit:
    """One followed face. Times are monotonic seconds, `scale_px` the eye distance at the last look."""

    track_id: int
    first_seen: float
    evidence: Evidence = field(default_factory=Evidence)
    next_look: float = float("-inf")
    last_look: float = float("-inf")
    scale_px: float = 0.0
    granted_to: str | None = None
    was_granted: bool = False
    claimed: str | None = None
    """Recognised, but not yet known to be live."""
    told: set[Reason] = field(default_factory=set)
    near_since: float | None = None
    misses: int = 0
    attacks: int = 0

    def is_due(self, time: float, scale_px: float) -> bool:
        """Say whether a look is wanted now: undecided, and rested or come much nearer."""
        if self.granted_to is not None:
            return False
        return time >= self.next_look or scale_px >= NEARER * self.scale_px > 0

    def rest_after_look(self, time: float, *, is_near: bool) -> None:
        """Set the next look: at once while close to a match, then ever more seldom."""
        self.last_look = time
        extra = max(self.evidence.looks - (MAX_SHOTS if is_near else LOOKS_TO_REFUSE), 0)
        spacing = 0.0 if is_near and not extra else FAR_SPACING_SECONDS
        self.next_look = time + min(spacing * 2.0**extra, MAX_SPACING_SECONDS)
        self.misses = 0

    def rest_after_miss(self, time: float) -> None:
        """Set the next look after a close-up that showed no usable face."""
        self.misses += 1
        self.next_look = time + min(0.05 * 2.0**self.misses, 1.0)

    def rest_after_attack(self, time: float) -> None:
        """Set the next look after liveness refused; the claim to be recognised stands."""
        self.attacks += 1
        self.next_look = time + min(0.5 * 2.0**self.attacks, MAX_SPACING_SECONDS)

    def doubt(self) -> None:
        """Take back what was concluded: this may be another face now."""
        self.evidence.drop()
        self.granted_to = self.claimed = None
        self.next_look = min(self.next_look, self.last_look + DOUBT_SPACING_SECONDS)

    def rest_while_unfit(self, time: float) -> None:
        """Set the next look for a face that is too far, turned away or outside the zone."""
        self.next_look = max(self.next_look, time + APPROACH_SPACING_SECONDS)

    def lingers(self, time: float) -> bool:
        """Say whether the face has been near for long without ever being fit for a look."""
        if self.near_since is None:
            self.near_since = time
        return not self.evidence.looks and time - self.near_since >= LINGER_SECONDS


class Visits:
    """All visits in view, and which residents were let in just now. One thread."""

    def __init__(self) -> None:
        self._by_track: dict[int, Visit] = {}
        self._present: dict[str, float] = {}

    def of(self, track_id: int, time: float) -> Visit:
        """Return the visit of this track, begun at `time` when it is new."""
        if track_id not in self._by_track:
            self._by_track[track_id] = Visit(track_id, time)
        visit = self._by_track[track_id]
        if visit.granted_to is not None:
            self._present[visit.granted_to] = time
        return visit

    def end(self, track_id: int) -> None:
        """Forget a track that ended."""
        self._by_track.pop(track_id, None)

    def grant(self, visit: Visit, resident_id: str, time: float) -> bool:
        """Note that `resident_id` was recognised; return False when this visit was opened before."""
        is_new = not self.is_present(resident_id, time)
        self._present = {who: at for who, at in self._present.items() if time - at <= VISIT_GAP_SECONDS}
        self._present[resident_id] = time
        visit.granted_to, visit.was_granted = resident_id, True
        return is_new

    def reconsider(self, track_id: int, resident_id: str, time: float) -> None:
        """Look at this visitor again from `time` on: he was recognised, but turned away for a while."""
        self._present.pop(resident_id, None)
        visit = self._by_track.get(track_id)
        if visit is not None and visit.granted_to == resident_id:
            visit.granted_to = None
            visit.next_look = time

    def is_present(self, resident_id: str | None, time: float) -> bool:
        """Say whether this resident was let in on the visit that is still going on."""
        return resident_id is not None and time - self._present.get(resident_id, float("-inf")) <= (
            VISIT_GAP_SECONDS
        )

    def next_look(self) -> float:
        """Return when the first of the undecided wants a look; infinity when all were let in.

        Liveness wants every frame of somebody who is recognised.
        """
        waiting = (
            visit.next_look if visit.claimed is None else float("-inf")
            for visit in self._by_track.values()
            if visit.granted_to is None
        )
        return min(waiting, default=float("inf"))

    def __len__(self) -> int:
        return len(self._by_track)
