"""What is remembered about each visitor while they are in view: when to look again, what was said.

A visit never lends a name: being granted only silences further openings (one opening per visit)
and saves looks. It ends with its track; who was let in stays present for a while (`Presence`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.domain import Flaw, Reason
from edge.faces.liveness.failures import AWAY_SECONDS
from edge.faces.liveness.gate import SURE_FACE_PX
from edge.recognition.evidence import LOOKS_TO_REFUSE, MAX_SHOTS, Evidence, share_of_look
from edge.recognition.presence import Presence
from edge.recognition.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box, Liveness
    from edge.recognition.budget import HourlyBudget
    from edge.recognition.looks import Look
    from edge.recognition.remembered import Remembered

FAR_SPACING_SECONDS = 0.2
"""Between looks at somebody who resembles nobody: another pose, not the same picture twice."""

MAX_SPACING_SECONDS = 8.0
"""The longest pause between looks at somebody who was refused."""

MAX_ATTACK_SPACING_SECONDS = 60.0
"""The same after liveness refused: what stands there all day gets ever fewer tries."""

PAUSED_SPACING_SECONDS = 1.0
"""Between looks at somebody whose face is paused, mostly for what somebody else held up."""

DOUBT_SPACING_SECONDS = 0.5
"""A face that may have been exchanged is looked at again this soon after its last look: in a
crowd everybody is near somebody, and each look costs an embedding."""

APPROACH_SPACING_SECONDS = 0.12
"""Between glances at a face that is not yet near, or turned away: a step takes 0.5 s."""

RECHECK_SECONDS = 5.0
"""Between looks at who was let in: another face may have taken the place without a gap."""

HOPELESS_LOOKS = 8
"""After so many (some 20 s) a face that stays in its place may be a screen's."""

NEARER = 1.25
"""A face this much larger than at its last look is news, whatever the pause."""

LINGER_SECONDS = 1.5
"""Near but never usable for this long (turned away, too dark): tell the visitor."""

MOST_ASKED = 3
"""So often a visitor who stays is asked for a second factor: a picture that is held up all night is not
asked for ever."""

ABOUT_LIVENESS = frozenset(
    {
        Reason.PRESENTATION_ATTACK,
        Reason.CHALLENGE_FAILED,
        Reason.PAD_NO_RESPONSE,
        Reason.PAD_UNAVAILABLE,
        Reason.LOCKOUT_MAX_ATTEMPTS,
    }
)
"""What a recognised face is told. It is told anew on the next visit: whoever comes back needs to hear it, and
the face that it was said to may have been a picture of theirs."""

MOST_DOUBLINGS = 10
"""Of a pause; each has reached its longest by then. A float overflows at the 1,024th doubling, and a guard
who sits in the picture all day gets that far."""


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
    let_in: str | None = None
    """Who was let in on this visit; it silences refusals until looks say that this is somebody else."""
    is_admitted: bool = False
    """Whether that was by PIN or card: what stands there was never found alive, and may be a picture."""
    proof: Proof = field(default_factory=Proof)
    """Whether who was let in by face was found alive since."""
    strange_looks: int = 0
    box: Box | None = None
    """Where the face is now, in pixels."""
    seen_at: float = float("-inf")
    """When it was there."""
    recognised: str | None = None
    """Whom a look last recognised on this track: what was said, asked and refused since is about them."""
    asked_more: bool = False
    """Whether a second factor was asked for on this visit."""
    times_asked: int = 0
    claimed: str | None = None
    """Recognised, but not yet known to be live."""
    own_looks: int = 0
    strange_whole_looks: int = 0
    """Looks that recognised nobody, at a face neither blurred, nor cut off by the edge of the picture, nor
    behind somebody's head: without one nobody is called a stranger."""
    is_behind: bool = False
    """Whether somebody nearer may cover a part of the face now."""
    spent: float = 0.0
    """Of one visit's error rate, by looks at this track that did not end in a grant."""
    share: float = 1.0
    """Of the error rate: what the last comparison that was paid for may use."""
    last: Look | None = None
    told: set[Reason] = field(default_factory=set)
    early_doubt: tuple[Look, Liveness] | None = None
    """Liveness refused, and another look may say otherwise: told when the visit ends without one."""
    was_covered: bool = False
    """Whether somebody nearer may have covered a part of the face when liveness last refused it."""
    near_since: float | None = None
    misses: int = 0
    attacks: int = 0

    def is_due(self, time: float, scale_px: float) -> bool:
        """Return whether a look is wanted now: undecided, and rested or come much nearer."""
        # Also where they come nearer: nothing opens for them, so one look in five seconds is enough to notice
        # that somebody else has taken their place.
        if self.granted_to is not None:
            return time >= self.last_look + RECHECK_SECONDS
        return time >= self.next_look or self.is_nearer(scale_px)

    def is_nearer(self, scale_px: float) -> bool:
        """Return whether the face has come much nearer since the last look at it."""
        return scale_px >= NEARER * self.scale_px > 0

    def may_clear_up(self, *, is_early: bool) -> bool:
        """Return whether another look may say otherwise than liveness does now: then nothing is told yet.

        It may while somebody nearer may cover a part of the face, and the first look without them is as
        good as a first one where the face is still far off.
        """
        # Half a face behind somebody's head looks like a picture: a refusal of one proves nothing.
        was_covered, self.was_covered = self.was_covered, self.is_behind
        is_far = self.box is not None and self.box.width < SURE_FACE_PX
        return is_early or self.is_behind or (was_covered and is_far)

    @property
    def was_granted(self) -> bool:
        """True when somebody was let in on this visit and nothing says that it is another face now."""
        return self.let_in is not None

    @property
    def is_undecided(self) -> bool:
        """True when this face was compared and nobody was told anything about it."""
        is_told = bool(self.told) or self.asked_more
        return self.own_looks > 0 and not is_told and self.let_in is None

    @property
    def doubted(self) -> str | None:
        """Whom the face resembled that liveness doubted, while nobody was told yet."""
        return None if self.early_doubt is None else self.early_doubt[0].mean.resident_id

    @property
    def nearest(self) -> str | None:
        """Whom the last look resembled most."""
        return None if self.last is None else self.last.mean.resident_id

    @property
    def is_hopeless(self) -> bool:
        """True when this face was looked at often, or doubted twice, and nothing came of it."""
        is_doubted = self.attacks >= 2
        is_strange = self.claimed is None and self.own_looks >= HOPELESS_LOOKS
        return self.let_in is None and (is_doubted or is_strange)

    @property
    def wants_liveness(self) -> bool:
        """True while this face may still be let in: not a stranger who was told so, not who is in already."""
        is_stranger = self.claimed is None and bool(self.told) and self.own_looks >= LOOKS_TO_REFUSE
        return self.granted_to is None and not is_stranger

    def resume(self, earlier: Remembered, time: float) -> None:
        """Go on where an earlier visit of the same face ended: what was spent and said counts."""
        self.evidence.looks += earlier.looks
        # Said again to whoever went away and comes back; a track that only broke says nothing new.
        is_lately = time - earlier.seen_at < AWAY_SECONDS
        self.told |= earlier.told if is_lately else earlier.told - ABOUT_LIVENESS

    def pay_look(self, time: float, budget: HourlyBudget) -> None:
        """Pay for one more comparison: from the visit's error rate and from the camera's hour."""
        self.evidence.looks += 1
        self.own_looks += 1
        self.share = budget.take(time, share_of_look(self.evidence.looks))
        self.spent += self.share

    def give_back_look(self, budget: HourlyBudget) -> None:
        """Take back that the newest look was spent: it recognised a resident, alive or not.

        A picture that was held up twelve times left its resident 0.0009 of the error rate for their own first
        look, which asks for 0.15 more similarity. `own_looks` stays: this face was looked at.
        """
        self.evidence.looks -= 1
        self.spent -= self.share
        budget.give_back(self.share)

    def give_back_all(self, budget: HourlyBudget) -> None:
        """Return all this visit spent of the camera's hour: a resident's looks gave no stranger a chance."""
        budget.give_back(self.spent)
        self.spent = 0.0

    def why_not(self, look: Look) -> Reason:
        """Return why this face is taken for nobody: one is no stranger by a poor picture of oneself."""
        if look.reason is Reason.AMBIGUOUS_MATCH:
            return look.reason
        return Reason.UNKNOWN_CREDENTIAL if self.strange_whole_looks else Reason.LOW_QUALITY

    def why_unusable(self, flaws: Sequence[Flaw], time: float) -> Reason | None:
        """Return what to tell somebody who is near but has long shown no usable face, None for passers-by."""
        if Flaw.TOO_FAR in flaws or Flaw.OUTSIDE_ZONE in flaws:
            self.near_since = None
            return None
        if not self._lingers(time):
            return None
        return Reason.NOT_FACING if Flaw.NOT_FACING in flaws else Reason.LOW_QUALITY

    def recognise(self, resident_id: str) -> None:
        """Take whom the face is recognised as now; what was said to another one is none of theirs."""
        # The next one of a queue, on the same track: asked, told and refused anew.
        if self.recognised not in {None, resident_id}:
            self.told.clear()
            self.asked_more, self.times_asked, self.attacks = False, 0, 0
        self.recognised = resident_id

    def ask_again(self, time: float) -> None:
        """Have the second factor asked for once more from `time` on, a few times a visit: none came."""
        if self.asked_more and self.times_asked < MOST_ASKED:
            self.asked_more, self.next_look = False, time

    def compare_with_let_in(self, resident_id: str | None, *, is_near: bool) -> None:
        """Take what a look at somebody who was let in showed: them again, or (three times) somebody else."""
        if self.let_in is None:
            return
        # Three, as for a stranger: one look at a turned head or a blur must not end a visit.
        self.strange_looks = 0 if is_near and resident_id == self.let_in else self.strange_looks + 1
        if self.strange_looks >= LOOKS_TO_REFUSE:
            self.let_in, self.strange_looks = None, 0

    def rest_after_look(self, time: float, *, is_near: bool) -> None:
        """Set the next look: at once while close to a match, then ever more seldom."""
        self.last_look = time
        # Near a match the shots that are averaged are taken without a pause; a stranger's pauses double from
        # the look on at which they are told so.
        extra = max(self.evidence.looks - (MAX_SHOTS if is_near else LOOKS_TO_REFUSE), 0)
        spacing = 0.0 if is_near and not extra else FAR_SPACING_SECONDS
        self.next_look = time + min(spacing * 2.0 ** min(extra, MOST_DOUBLINGS), MAX_SPACING_SECONDS)
        self.misses = 0

    def rest_after_miss(self, time: float) -> None:
        """Set the next look after a close-up that showed no usable face."""
        # 0.1 s, 0.2 s and so on up to 1 s: a head that turns is usable again soon, a back of a head never is.
        self.misses += 1
        self.next_look = time + min(0.05 * 2.0 ** min(self.misses, MOST_DOUBLINGS), 1.0)

    def rest_after_attack(self, time: float) -> None:
        """Set the next look after liveness refused; the claim to be recognised stands."""
        # 1, 2, 4 s and so on, the waits of `failures.Failures` for one visit.
        self.attacks += 1
        pause = 0.5 * 2.0 ** min(self.attacks, MOST_DOUBLINGS)
        self.next_look = time + min(pause, MAX_ATTACK_SPACING_SECONDS)

    def rest_in_pause(self, time: float) -> None:
        """Set the next look while nobody may try to pass as this resident: it proves nothing against them."""
        self.next_look = time + PAUSED_SPACING_SECONDS

    def rest_after_asking(self, time: float) -> None:
        """Set the next look after a second factor was asked for: it comes by another way in."""
        self.times_asked += not self.asked_more
        self.asked_more = True
        self.next_look = time + MAX_SPACING_SECONDS

    def doubt(self) -> None:
        """Take back what was concluded: this may be another face now."""
        self.evidence.drop()
        # `let_in` stays: in a crowd tracks are doubted all the time, and nobody who was let in is refused
        # for it.
        self.granted_to = self.claimed = None
        self.next_look = min(self.next_look, self.last_look + DOUBT_SPACING_SECONDS)

    def rest_while_unfit(self, time: float) -> None:
        """Set the next look for a face that is too far, turned away or outside the zone."""
        # Never sooner than the rest that a refusal or a stranger's look has set.
        self.next_look = max(self.next_look, time + APPROACH_SPACING_SECONDS)

    def _lingers(self, time: float) -> bool:
        """Return whether the face has been near for long without ever being fit for a look."""
        if self.near_since is None:
            self.near_since = time
        # Who was compared once hears what came of that, or of leaving; not that they look away now.
        return not self.own_looks and time - self.near_since >= LINGER_SECONDS


class Visits:
    """All visits in view, and which residents were let in and are still here. One thread."""

    def __init__(self) -> None:
        self._by_track: dict[int, Visit] = {}
        self.presence = Presence()

    def of(self, track_id: int, time: float) -> Visit:
        """Return the visit of this track, begun at `time` when it is new."""
        if track_id not in self._by_track:
            self._by_track[track_id] = Visit(track_id, time)
        visit = self._by_track[track_id]
        visit.seen_at = time
        # Being in view is what keeps somebody present, so every glance at the track counts, not only looks.
        if visit.granted_to is not None and not visit.is_admitted and not visit.proof.is_refused:
            self.presence.prove(visit.granted_to, time)
        elif visit.let_in is not None and not visit.strange_looks:
            self.presence.see(visit.let_in, time)
        return visit

    def go_on(self, visit: Visit, earlier: Remembered, time: float) -> None:
        """Take it that this face was here before: go on with the visit that it broke off, if it did."""
        if earlier.let_in is None:
            visit.resume(earlier, time)
        # Who was let in and has left since is on a new visit when they come back, and is let in again.
        elif self.presence.is_here(earlier.let_in, time):
            visit.let_in = earlier.let_in
            self.presence.see(earlier.let_in, time)

    def compare(self, visit: Visit, resident_id: str | None, *, is_near: bool) -> None:
        """Take what a look at a visitor showed: whoever was let in may stand behind somebody else now."""
        before = visit.let_in
        # Lost where this face is now: it may have stepped in front of them (`Presence.note_faces`).
        visit.compare_with_let_in(resident_id, is_near=is_near)
        if before is not None and visit.let_in is None and visit.box is not None:
            self.presence.lose(before, visit.box)

    def hopeless(self) -> set[int]:
        """Return the tracks that were looked at long enough and never came to anything."""
        return {track_id for track_id, visit in self._by_track.items() if visit.is_hopeless}

    def let_in(self) -> set[int]:
        """Return the tracks on which somebody was let in and still stands."""
        return {track_id for track_id, visit in self._by_track.items() if visit.let_in is not None}

    def end(self, track_id: int) -> Visit | None:
        """Forget a track that ended and return its visit."""
        visit = self._by_track.pop(track_id, None)
        # Their last place, kept for `Presence.note_faces`: they may be hidden behind whom they talk to.
        if visit is not None and visit.let_in is not None and visit.box is not None:
            self.presence.lose(visit.let_in, visit.box)
        return visit

    def grant(self, visit: Visit, resident_id: str, time: float) -> bool:
        """Note that `resident_id` was recognised; return False when they were let in and are still here."""
        is_new = not self.presence.is_here(resident_id, time) or self._is_exposed(visit, resident_id)
        # After asking, and before the door has opened: if it does not, `reconsider` takes it back.
        self.presence.prove(resident_id, time)
        visit.granted_to = visit.let_in = resident_id
        visit.strange_looks, visit.is_admitted = 0, False
        visit.proof.begin(time)
        return is_new

    def _is_exposed(self, visit: Visit, resident_id: str) -> bool:
        """Return whether what kept this resident present is a picture: refused, and seen beside them now."""
        pictures = [
            one
            for one in self._by_track.values()
            if one is not visit
            and one.granted_to == resident_id
            and one.proof.is_refused
            and one.seen_at == visit.seen_at  # else it may be the track on which they were before it broke
        ]
        # The picture keeps its track, not their presence: the living face beside it opens at once.
        for one in pictures:
            one.granted_to = one.let_in = None
        return bool(pictures)

    def wants_proof(self, visit: Visit, time: float) -> bool:
        """Return whether to ask liveness about somebody who was let in by face, and nobody waits for it."""
        is_theirs = visit.granted_to is not None and not visit.is_admitted
        # The networks score fifteen faces a second for all (`ScoringBudget`): whoever is outside goes first.
        waits = any(one.claimed is not None and one.granted_to is None for one in self._by_track.values())
        return is_theirs and visit.proof.is_due(time) and not waits

    def admit(self, resident_id: str, time: float) -> list[Visit]:
        """Take note that this resident was let in by another way; return the visits that show their face."""
        theirs = [visit for visit in self._by_track.values() if visit.recognised == resident_id]
        for visit in theirs:
            visit.early_doubt, visit.was_covered, visit.last_look = None, False, time
            # A PIN proves who they are, not that the face on this track is no picture of them.
            is_alive = visit.granted_to == resident_id and not visit.is_admitted
            self.grant(visit, resident_id, time)
            visit.is_admitted = not is_alive
        return theirs

    def clear_of_doubt(self, resident_id: str) -> None:
        """Drop doubts about this resident, who proved alive, on tracks that went on with another face."""
        for visit in self._by_track.values():
            # Not on a track that recognises them now: there the doubt is about what stands there.
            if visit.doubted == resident_id != visit.claimed:
                visit.early_doubt, visit.was_covered = None, False

    def reconsider(self, resident_id: str, time: float) -> None:
        """Look at this resident again from `time` on: they were recognised, but stayed outside.

        On whatever track their face is by now: the one that it was on may have broken, or shows another's.
        """
        self.presence.forget(resident_id)
        for visit in self._by_track.values():
            if visit.recognised != resident_id:
                continue
            # Let in and left outside: the next match opens again. Asked for a second factor: asked again.
            if visit.granted_to == resident_id:
                visit.granted_to = None
                visit.next_look = time
            else:
                visit.ask_again(time)

    def reopen_for_those_here(self, time: float) -> None:
        """Let whoever still stands there at `time` be let in anew: the door has opened and closed."""
        for visit in self._by_track.values():
            if visit.granted_to is not None:
                self.reconsider(visit.granted_to, time)

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
