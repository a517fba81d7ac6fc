"""The whole recognition on one screen: `Pipeline.observe(frame)` returns what was decided.

Cheap stages gate dear ones: nothing moved, stop; no face, stop; too far, turned or outside the
zone (the intent gate: passers-by are never embedded), stop; one face per frame gets a close-up
and an embedding. A frame costs at most one detection, one close-up and one embedding, however
many faces it shows; where the close-up leaves doubt which way up the face is, three more of
those. Time comes from the frames, so a recording replays bit for bit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.domain import Flaw, Reason, Verdict
from edge.errors import FrameRefused
from edge.faces.liveness.fusion import NEAR_MISS
from edge.faces.liveness.gate import SURE_FACE_PX
from edge.faces.looking import Looker
from edge.faces.motion import Motion, MotionGate
from edge.faces.quality import QualityLimits, face_scale_px, intent_flaws, is_cut, measure
from edge.faces.scenery import Scenery
from edge.faces.tracker import Tracker
from edge.recognition.budget import HourlyBudget
from edge.recognition.doubts import OpenDoubts
from edge.recognition.evidence import HOPE_SLACK, is_hopeless, weigh
from edge.recognition.looks import Look, decided
from edge.recognition.notices import StaffNotices
from edge.recognition.pace import Pace
from edge.recognition.remembered import RecentFaces
from edge.recognition.together import is_apart, is_behind, is_nearest, urgency, width
from edge.recognition.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Decision, Embedding, EventDraft, Face, Frame, Liveness, Probe, Quality
    from edge.faces.tracker import Track
    from edge.ports import Detector, Identifier, LivenessCheck, ProbeEmbedder
    from edge.recognition.visits import Visit

CLOSED_SECONDS = 2.0
"""Who still stands before a door this long after it fell shut has not gone in."""


class Pipeline:
    """Turns frames into decisions. One thread; everything slow or random is behind a port.

    `liveness` None means that the site has switched presentation-attack detection off.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: ProbeEmbedder,
        identifier: Identifier,
        liveness: LivenessCheck | None = None,
        limits: QualityLimits | None = None,
    ) -> None:
        self._limits = limits or QualityLimits()
        self._pace = Pace()
        self._looker = Looker(detector, self._limits.min_interocular_px)
        self._embedder = embedder
        self._identifier = identifier
        self._liveness = liveness
        self._motion = MotionGate()
        self._tracker = Tracker()
        self._scenery = Scenery()
        self._notices = StaffNotices()
        self._visits = Visits()
        self._recent = RecentFaces()
        self._budget = HourlyBudget()
        self._next_look = float("-inf")
        self._last_glance = float("-inf")
        self.faces_seen = 0
        """Faces found so far, summed over the frames that were looked at."""
        self.hindrance: Flaw | None = None
        """What stood between the nearest face of the last look and being recognised: for a display."""
        self._doubts = OpenDoubts()
        # These two are set by any thread and taken by the pipeline's, without a lock that recognition would
        # wait for. Of two closes at once one may be lost: the other opens for the same people.
        self._reopen_at = float("inf")
        self._let_in_otherwise: deque[str] = deque(maxlen=16)

    def observe(self, frame: Frame) -> list[Decision]:
        """Return the decisions that `frame` brings about: mostly none, at most one per face.

        Frames must come in order of time; one that is not due is skipped at no cost.
        """
        if frame.time < self._next_look:
            return []
        self.hindrance = None
        if frame.time >= self._reopen_at:
            self._reopen_at = float("inf")
            self._visits.reopen_for_those_here(frame.time)
        # Before anybody is looked at: who has just typed their PIN is not let in once more by this frame.
        while self._let_in_otherwise:
            self._admit(frame, self._let_in_otherwise.popleft())
        tracks, left = self._follow(frame)
        decisions: list[Decision] = []
        due: list[tuple[Track, Visit]] = []
        for track in sorted(tracks, key=width, reverse=True):  # liveness scores the nearest first
            visit = self._visits.of(track.id, frame.time)
            decisions += self._meet(frame, track, visit, tracks, due)
        # One close look a frame, for whoever needs it most: a crowd costs no more than a visitor.
        if due:
            track, visit = max(due, key=urgency)
            decisions += self._examine(frame, track, visit, len(tracks))
        # Last: this frame may have brought back whom a doubt is about, or let them in.
        overdue = self._doubts.overdue(frame, len(self._visits))
        gone = [replace(one, is_past=True) for one in (*left, *overdue)]
        wanted = self._visits.next_look() if self._visits else None
        self._next_look = self._pace.next_look(frame.time, wanted)
        return gone + decisions

    def take_notices(self) -> list[EventDraft]:
        """Return what staff should know of what the camera saw since the last call, oldest first."""
        return self._notices.take()

    def note_unlocked(self, time: float, seconds: float, who: str | None = None) -> None:
        """Take note that the door was unlocked at `time` for `seconds`, by whatever way in. Any thread.

        `who` came in by another way than their face: recognised there, they are let in once, and not accused.
        """
        self._notices.company.unlocked(time, seconds)
        if who is not None:
            self._let_in_otherwise.append(who)

    def note_closed(self, time: float) -> None:
        """Take note that the door fell shut at `time`: whoever stands there a little later is let in anew.

        Any thread.
        """
        self._reopen_at = time + CLOSED_SECONDS

    def reconsider(self, decision: Decision, seconds: float) -> None:
        """Decide anew about somebody recognised whom a pause turned away, `seconds` from then on."""
        if decision.resident_id is not None:
            self._visits.reconsider(decision.resident_id, decision.time + seconds)

    def _admit(self, frame: Frame, who: str) -> None:
        """Count whoever stands there recognised and proved by PIN or card who they are as let in."""
        for visit in self._visits.admit(who, frame.time):
            self._doubt_liveness(visit)  # nothing is asked of them any more
            self._doubts.drop(who)

    def _follow(self, frame: Frame) -> tuple[list[Track], list[Decision]]:
        """Return the people in view, each with a track, and what is said of those who left."""
        motion = self._motion.observe(frame.image)
        left: list[Decision] = []
        if motion is Motion.JUMPED:
            # After a jump of the picture no face goes on from an earlier one. A lamp that swings is no jump:
            # while each swing ended every track, nobody was let in below it.
            self._notices.of_jump(frame, self._motion.changed)
            left += self._forget(frame, self._tracker.clear())
        self._notices.of_rest(frame)
        # Nobody here and nothing moves: a look now and then still finds who came unnoticed.
        resting = motion is Motion.STILL and not self._visits
        if resting and frame.time - self._last_glance < 1 / self._pace.still:
            return [], left
        self._last_glance = frame.time
        tracks, ended = self._tracker.update(self._looker.glance(frame.image), frame.time)
        self.faces_seen += len(tracks)
        hopeless, let_in = self._visits.hopeless(), self._visits.let_in()
        people = self._scenery.visitors(frame.image, tracks, frame.time, hopeless, let_in)
        hanging = [track.id for track in tracks if track not in people]
        # Before `note_faces`, which asks where the faces of those who have just gone were last.
        left += self._forget(frame, ended)
        self._forget(frame, hanging)  # of what hangs there the notice tells
        self._notices.of_scenery(frame, self._scenery)
        self._notices.of_company(frame, len(people))
        self._visits.presence.note_faces([track.face.box for track in people], frame.time)
        return people, left

    def _meet(
        self,
        frame: Frame,
        track: Track,
        visit: Visit,
        tracks: Sequence[Track],
        due: list[tuple[Track, Visit]],
    ) -> list[Decision]:
        """Update one visit; line it up for a close look, or say why it is not fit for one."""
        visit.box, visit.is_behind = track.face.box, is_behind(track, tracks)
        # First of all: whatever follows must not rest on what was learned of another face.
        if not track.is_steady:
            self._doubt(visit, frame.time)
        height, width = frame.image.shape[:2]
        flaws = intent_flaws(track.face, self._limits, width, height)
        # Nothing was told to them yet, and a step nearer is what clears such a doubt up.
        if visit.early_doubt is not None and track.face.box.width < SURE_FACE_PX:
            self.hindrance = Flaw.TOO_FAR
        if flaws:
            # One display, one sentence: it speaks to whoever stands nearest and still wants to come in.
            if not visit.was_granted and is_nearest(track, tracks):
                self.hindrance = flaws[0]
            if visit.claimed is not None and flaws == (Flaw.NOT_FACING,):
                # Asked to turn, they turned far: not watched, the challenge would end as "too slow".
                self._watch_liveness(frame, track, visit, tracks)
            visit.rest_while_unfit(frame.time)
            return self._refuse_unusable(frame, visit, flaws, len(tracks))
        self._watch_liveness(frame, track, visit, tracks)
        self._prove_again(frame, track, visit, tracks)
        if self._is_due(frame.time, track, visit):
            due.append((track, visit))
        return []

    def _watch_liveness(self, frame: Frame, track: Track, visit: Visit, tracks: Sequence[Track]) -> None:
        if self._liveness is not None and visit.wants_liveness:
            self._liveness.observe(frame, track.face, track.id, is_apart(track, tracks))

    def _prove_again(self, frame: Frame, track: Track, visit: Visit, tracks: Sequence[Track]) -> None:
        """Ask now and then whether who was let in still lives: a picture may have taken their place."""
        if self._liveness is None or not self._visits.wants_proof(visit, frame.time):
            return
        self._liveness.observe(frame, track.face, track.id, is_apart(track, tracks))
        if visit.proof.take(frame.time, self._liveness.opinion(track.id)):
            self._doubt_liveness(visit)

    def _is_due(self, time: float, track: Track, visit: Visit) -> bool:
        """Return whether to look now; who is recognised waits until liveness has an answer."""
        if visit.granted_to is None and visit.claimed is not None and self._liveness is not None:
            # How often a face that comes nearer is judged again is liveness's to say.
            is_nearer = visit.is_nearer(face_scale_px(track.face))
            # The pause after a refusal is not for a doubt that was not told yet: that one clears up, or is
            # told, on the next frames.
            may_ask = time >= visit.next_look or is_nearer or visit.early_doubt is not None
            return may_ask and self._liveness.is_ready(track.id, visit.claimed)
        return visit.is_due(time, face_scale_px(track.face))

    def _examine(self, frame: Frame, track: Track, visit: Visit, faces: int) -> list[Decision]:
        """Take a close look at one face and weigh what is known about it now."""
        face = self._looker.close_up(frame.image, track.face)
        quality = None if face is None else self._measure(frame, face, track.id)
        probe = None
        if face is not None and quality is not None and quality.is_usable:
            probe = self._embed(frame, face)
        if probe is None or quality is None:
            visit.rest_after_miss(frame.time)
            flaws = quality.flaws if quality else ()
            self.hindrance = flaws[0] if flaws and not visit.was_granted else None
            return self._refuse_unusable(frame, visit, flaws, faces)
        return self._compare(frame, track, visit, probe, quality, faces)

    def _embed(self, frame: Frame, face: Face) -> Probe | None:
        """Return the face as the network sees it, or None where it gives nothing usable."""
        try:
            return self._embedder.probe(frame.image, face.landmarks)
        except FrameRefused as error:
            # Raised further it would lose what was decided about others on this frame. And a face that was
            # never looked at goes first (`urgency`): all others would wait for as long as this one stays.
            self._notices.of_not_embedded(frame, str(error))
            return None

    def _compare(
        self, frame: Frame, track: Track, visit: Visit, probe: Probe, quality: Quality, faces: int
    ) -> list[Decision]:
        """Compare the face and return what follows."""
        look = self._look(frame, probe, visit, quality)
        # A poor look spends its share like any other, but calls nobody a stranger (`Visit.why_not`).
        is_dim = probe.is_faint or quality.sharpness < self._limits.clear_sharpness
        is_poor = visit.is_behind or is_dim or is_cut(track.face.box, *frame.image.shape[:2])
        visit.strange_whole_looks += look.verdict is not Verdict.GRANT and not is_poor
        if is_dim and look.verdict is not Verdict.GRANT and not visit.was_granted:
            self.hindrance = Flaw.TOO_FAR if track.face.box.width < SURE_FACE_PX else Flaw.BLURRED
        visit.scale_px = face_scale_px(track.face)
        who = look.mean.resident_id
        is_near = look.mean.similarity >= look.point.threshold - HOPE_SLACK
        # Before the branches below, some of which set a rest of their own over this one.
        visit.rest_after_look(frame.time, is_near=is_near)
        self._visits.compare(visit, who, is_near=is_near)
        if visit.granted_to is not None:
            if is_near and visit.granted_to == who:
                return []  # still the one who was let in
            # Another face, or a poor look at theirs: judged as anybody's. `let_in` still silences refusals.
            visit.granted_to = None
        if look.verdict is Verdict.GRANT:
            return self._grant(frame, visit, look, faces)
        # Recognised no more: the next look comes after its rest, not when liveness is ready, and is paid for.
        visit.claimed = None
        if is_near and who is not None and self._visits.presence.is_here(who, frame.time):
            self._visits.presence.see(who, frame.time)
            return []  # let in a moment ago, and turning their head
        if is_hopeless(look.mean, look.point, visit.evidence.looks):
            self._set_doubt_aside(frame, visit)  # by now the track shows somebody else's face
            return self._deny(frame, visit, visit.why_not(look), faces, look)
        return []

    def _measure(self, frame: Frame, face: Face, track_id: int) -> Quality:
        """Return the face's quality; one that would be compared must also be upright."""
        quality = measure(frame.image, face, self._limits)
        if not quality.is_usable:
            return quality
        # Last, for it may cost three more close looks. Strangers on their heads look alike: 58 % of their
        # pairs would match (`Looker.turn_of`).
        turn = self._looker.turn_of(frame.image, face)
        self._notices.of_turn(frame, track_id, turn)
        return replace(quality, flaws=(Flaw.NOT_UPRIGHT,)) if turn else quality

    def _look(self, frame: Frame, probe: Probe, visit: Visit, quality: Quality) -> Look:
        """Compare the face as it is now, and weigh it with the visit's earlier shots."""
        shot = probe.embedding
        # Only at the first look of a track: later ones have the visit's own memory.
        if not visit.own_looks:
            self._resume(visit, shot, frame.time)
        if not visit.evidence.add(frame.time, shot):
            # Another face in the same place: neither the claim nor what liveness has seen is about it.
            visit.claimed = None
            self._doubt_liveness(visit)
        shot_match = self._identifier.identify(shot)
        mean = shot_match  # of one shot: a second search would find the same
        if len(visit.evidence.shots) > 1:
            mean = self._identifier.identify(visit.evidence.mean())
        # To see again whom an earlier look has recognised lets nobody new in: that error was paid for.
        is_to_pay = visit.claimed is None or visit.claimed != mean.resident_id
        if is_to_pay:
            visit.pay_look(frame.time, self._budget)
            self._notices.of_budget(frame, self._budget)
        # A look that costs nothing is held to the threshold of the last one that did.
        point = self._identifier.operating_point(visit.share)
        verdict, reason = weigh(shot_match, mean, point)
        if is_to_pay and verdict is Verdict.GRANT:
            visit.give_back_look(self._budget)
        visit.last = Look(replace(quality, feature_norm=probe.feature_norm), mean, point, verdict, reason)
        return visit.last

    def _resume(self, visit: Visit, shot: Embedding, time: float) -> None:
        """Go on with the visit that this face broke off a moment ago, if it did."""
        earlier = self._recent.recall(shot, time)
        if earlier is not None:
            self._visits.go_on(visit, earlier, time)

    def _grant(self, frame: Frame, visit: Visit, look: Look, faces: int) -> list[Decision]:
        """Let a recognised resident in, once a visit, when they are also live."""
        resident_id = look.mean.resident_id
        assert resident_id is not None  # noqa: S101 - weigh() grants nobody else
        visit.recognise(resident_id)
        liveness = None
        if self._liveness is not None:
            # What liveness saw until now was of whoever the last look recognised.
            if visit.claimed not in {None, resident_id}:
                self._doubt_liveness(visit)
            visit.claimed, visit.next_look = resident_id, frame.time
            if visit.doubted not in {None, resident_id}:  # the track goes on with somebody else's face
                self._set_doubt_aside(frame, visit)
            self._doubts.resume(visit, resident_id)
            liveness = self._liveness.assess(visit.track_id, resident_id)
            if liveness is None:  # it wants more frames: neither a grant nor a refusal
                return []
            if not liveness.passed:
                return self._not_live(frame, visit, look, faces, liveness)
            # Only now, with a look at this very frame: a living face that took the place of a picture would
            # forget what the picture had brought about (20 tries without a pause).
            self._liveness.confirm(visit.track_id, resident_id)
        visit.give_back_all(self._budget)
        visit.early_doubt = None
        is_new = self._visits.grant(visit, resident_id, frame.time)
        self._visits.clear_of_doubt(resident_id)
        # Let in and still here: one opening a visit. All the above was worth doing, it keeps them present.
        if not is_new:
            return []
        return [decided(frame, visit, (Verdict.GRANT, Reason.GRANTED), faces, look, liveness)]

    def _not_live(
        self, frame: Frame, visit: Visit, look: Look, faces: int, liveness: Liveness
    ) -> list[Decision]:
        """Refuse who is recognised but not known to be live.

        Who only could not be judged is told so and goes on being looked at; who is to show something
        more is named, so that it can be asked for; everybody else is judged anew after a rest. Somebody
        who was let in and never left is not accused: they proved alive a moment ago.
        """
        if liveness.wants_more:
            return self._ask_more(frame, visit, look, faces, liveness)
        reason = liveness.told
        # No score: nothing was judged yet, so there is nothing to begin anew and no rest to keep.
        if reason is Reason.PAD_NO_RESPONSE and liveness.score is None:
            return self._deny(frame, visit, reason, faces, look, liveness)
        self._doubt_liveness(visit)
        # The pause may be for what somebody else held up: its resident, who waits it out, is looked at again
        # within a second of its end. By ever longer rests they were taken for a screen after 30 s.
        if reason is Reason.LOCKOUT_MAX_ATTEMPTS:
            visit.rest_in_pause(frame.time)
            return self._deny(frame, visit, reason, faces, look, liveness)
        visit.rest_after_attack(frame.time)
        who = look.mean.resident_id
        if who is not None and self._visits.presence.is_here(who, frame.time):
            if liveness.score is not None and liveness.score < NEAR_MISS:
                visit.let_in = None  # a picture held up after they went keeps nobody here
            else:
                self._visits.presence.see(who, frame.time)
            # Alive half a minute ago at most: nobody is accused whom the door let in a moment ago.
            if self._visits.presence.is_proven(who, frame.time):
                return []
        visit.let_in = None
        # Told when the next look refuses as well, or when they leave: before that, people who were let in a
        # second later were accused.
        if visit.may_clear_up(is_early=liveness.is_early):
            visit.early_doubt = look, liveness
            return []
        visit.early_doubt = None
        return self._deny(frame, visit, reason, faces, look, liveness)

    def _ask_more(
        self, frame: Frame, visit: Visit, look: Look, faces: int, liveness: Liveness
    ) -> list[Decision]:
        """Ask for a second factor, once a visit; whoever shows this face is not let in by that."""
        resident_id = look.mean.resident_id
        assert resident_id is not None  # noqa: S101 - weigh() grants nobody else
        was_asked = visit.asked_more or self._visits.presence.is_here(resident_id, frame.time)
        visit.rest_after_asking(frame.time)
        visit.early_doubt = None  # another look did say otherwise, if not enough to open
        # Who was let in a moment ago and passes only narrowly now is still here, and is not asked for a PIN.
        if was_asked:
            self._visits.presence.see(resident_id, frame.time)
            return []
        answer = (Verdict.DENY, Reason.SECOND_FACTOR_REQUIRED)
        asked = decided(frame, visit, answer, faces, look, liveness)
        # The one refusal that names the resident: the keypad has to know whose PIN it waits for.
        return [replace(asked, resident_id=resident_id)]

    def _deny(
        self,
        frame: Frame,
        visit: Visit,
        reason: Reason,
        faces: int,
        look: Look | None = None,
        liveness: Liveness | None = None,
    ) -> list[Decision]:
        """Refuse, once per visit and reason; never somebody who was just let in."""
        if reason in visit.told or visit.was_granted:
            return []
        visit.told.add(reason)
        return [decided(frame, visit, (Verdict.DENY, reason), faces, look, liveness)]

    def _refuse_unusable(
        self, frame: Frame, visit: Visit, flaws: Sequence[Flaw], faces: int
    ) -> list[Decision]:
        """Tell a visitor who is near but has long shown no usable face; leave passers-by alone."""
        reason = visit.why_unusable(flaws, frame.time)
        return [] if reason is None else self._deny(frame, visit, reason, faces)

    def _doubt(self, visit: Visit, time: float) -> None:
        self._recent.keep(visit, time)  # first: `doubt` drops the shots that it is known by
        visit.doubt()
        self._doubt_liveness(visit)

    def _doubt_liveness(self, visit: Visit) -> None:
        if self._liveness is not None:
            self._liveness.reset(visit.track_id)

    def _forget(self, frame: Frame, track_ids: Sequence[int]) -> list[Decision]:
        """End these tracks; return what is to be said of who was compared and left undecided."""
        left = []
        for track_id in track_ids:
            visit = self._visits.end(track_id)
            if self._liveness is not None:
                self._liveness.reset(track_id)
            if visit is None:  # scenery, which has no visit
                continue
            if visit.doubted is not None:
                self._set_doubt_aside(frame, visit)
            # Every glimpse that was compared is written down: else whoever ducks in and out leaves no trace.
            elif visit.is_undecided and not self._visits.presence.is_here(visit.nearest, frame.time):
                left += self._deny(frame, visit, Reason.COLLECTING, len(self._visits), visit.last)
            self._recent.keep(visit, frame.time)
        return left

    def _set_doubt_aside(self, frame: Frame, visit: Visit) -> None:
        """Let a doubt wait for whom it is about; who proved alive meanwhile and is here is not doubted."""
        if self._visits.presence.is_here(visit.doubted, frame.time):
            visit.early_doubt = None
        self._doubts.keep(visit, frame.time)
