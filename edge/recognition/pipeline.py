"""The whole recognition on one screen: `Pipeline.observe(frame)` returns what was decided.

Cheap stages gate dear ones: nothing moved, stop; no face, stop; too far, turned or outside the
zone (the intent gate: passers-by are never embedded), stop; one face per frame gets a close-up
and an embedding. A frame costs at most one detection, one close-up and one embedding, however
many faces it shows. Time comes from the frames, so a recording replays bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import Flaw, Reason, Verdict
from edge.faces.looking import Looker
from edge.faces.motion import Motion, MotionGate
from edge.faces.quality import QualityLimits, face_scale_px, intent_flaws, measure
from edge.faces.tracker import Tracker
from edge.recognition.evidence import HOPE_SLACK, is_hopeless, share_of_look, weigh
from edge.recognition.looks import Look, decided
from edge.recognition.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Decision, Face, Frame, Liveness, Quality
    from edge.faces.tracker import Track
    from edge.ports import Detector, Embedder, Identifier, LivenessCheck
    from edge.recognition.visits import Visit

PACE_TOLERANCE_SECONDS = 0.005
"""Frames of a 30 Hz camera jitter by a few milliseconds; a look due now is not put off a frame."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, in looks per second.

    `busy` at most, while somebody wants a look; `settled` at least, while a face is in view; `idle`
    while things move but there is no face (a visitor is then seen 0.1 s later on average);
    `still` when nothing moves at all.
    """

    busy: float = 15.0
    idle: float = 5.0
    settled: float = 4.0
    still: float = 1.0


class Pipeline:
    """Turns frames into decisions. One thread; everything slow or random is behind a port.

    `liveness` None means that the site has switched presentation-attack detection off.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        identifier: Identifier,
        liveness: LivenessCheck | None = None,
        limits: QualityLimits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._limits = limits or QualityLimits()
        self._pace = pace or Pace()
        self._looker = Looker(detector, self._limits.min_interocular_px)
        self._embedder = embedder
        self._identifier = identifier
        self._liveness = liveness
        self._motion = MotionGate()
        self._tracker = Tracker()
        self._visits = Visits()
        self._next_look = float("-inf")
        self._last_glance = float("-inf")
        self.faces_seen = 0
        """Faces found so far, summed over the frames that were looked at."""
        self.hindrance: Flaw | None = None
        """What stood between the nearest face of the last look and being recognised: for a display."""

    def observe(self, frame: Frame) -> list[Decision]:
        """Return the decisions that `frame` brings about: mostly none, at most one per face.

        Frames must come in order of time; one that is not due is skipped at no cost.
        """
        if frame.time < self._next_look:
            return []
        self.hindrance = None
        tracks = self._follow(frame)
        decisions: list[Decision] = []
        due: list[tuple[Track, Visit]] = []
        for track in tracks:
            visit = self._visits.of(track.id, frame.time)
            decisions += self._meet(frame, track, visit, tracks, due)
        if due:
            track, visit = max(due, key=_urgency)
            decisions += self._examine(frame, track, visit, len(tracks))
        self._schedule(frame.time)
        return decisions

    def reconsider(self, decision: Decision, seconds: float) -> None:
        """Decide anew about somebody recognised whom a pause turned away, `seconds` from then on."""
        if decision.resident_id is not None:
            self._visits.reconsider(decision.track_id, decision.resident_id, decision.time + seconds)

    def _follow(self, frame: Frame) -> list[Track]:
        """Return the faces in view, each with its track; nothing when nothing moved."""
        motion = self._motion.observe(frame.image)
        if motion is Motion.JUMPED:
            self._forget(self._tracker.clear())
        resting = motion is Motion.STILL and not self._visits
        if resting and frame.time - self._last_glance < 1 / self._pace.still:
            return []
        self._last_glance = frame.time
        tracks, ended = self._tracker.update(self._looker.glance(frame.image), frame.time)
        self._forget(ended)
        self.faces_seen += len(tracks)
        return tracks

    def _meet(
        self,
        frame: Frame,
        track: Track,
        visit: Visit,
        tracks: Sequence[Track],
        due: list[tuple[Track, Visit]],
    ) -> list[Decision]:
        """Update one visit; line it up for a close look, or say why it is not fit for one."""
        if not track.is_steady:
            self._doubt(visit)
        height, width = frame.image.shape[:2]
        flaws = intent_flaws(track.face, self._limits, width, height)
        if flaws:
            if not visit.was_granted and _is_nearest(track, tracks):
                self.hindrance = flaws[0]
            if visit.claimed is not None and flaws == (Flaw.NOT_FACING,):
                self._watch_liveness(frame, track, tracks)  # he was asked to turn, and turned far
            visit.rest_while_unfit(frame.time)
            return self._refuse_unusable(frame, visit, flaws, len(tracks))
        self._watch_liveness(frame, track, tracks)
        if self._is_due(frame.time, track, visit):
            due.append((track, visit))
        return []

    def _watch_liveness(self, frame: Frame, track: Track, tracks: Sequence[Track]) -> None:
        if self._liveness is not None:
            self._liveness.observe(frame, track.face, track.id, _is_alone(track, tracks))

    def _is_due(self, time: float, track: Track, visit: Visit) -> bool:
        """Say whether to look now; who is recognised waits until liveness has an answer."""
        if visit.granted_to is None and visit.claimed is not None and self._liveness is not None:
            return time >= visit.next_look and self._liveness.assess(track.id, visit.claimed) is not None
        return visit.is_due(time, face_scale_px(track.face))

    def _examine(self, frame: Frame, track: Track, visit: Visit, faces: int) -> list[Decision]:
        """Take a close look at one face and weigh what is known about it now."""
        face = self._looker.close_up(frame.image, track.face)
        quality = None if face is None else measure(frame.image, face, self._limits)
        if face is None or quality is None or not quality.is_usable:
            visit.rest_after_miss(frame.time)
            self.hindrance = quality.flaws[0] if quality and not visit.was_granted else None
            return self._refuse_unusable(frame, visit, quality.flaws if quality else (), faces)
        look = self._look(frame, face, visit, quality)
        visit.scale_px = face_scale_px(track.face)
        is_near = look.mean.similarity >= look.point.threshold - HOPE_SLACK
        visit.rest_after_look(frame.time, is_near=is_near)
        if look.verdict is Verdict.GRANT:
            return self._grant(frame, visit, look, faces)
        visit.claimed = None
        if is_near and self._visits.is_present(look.mean.resident_id, frame.time):
            return []  # let in a moment ago, and turning his head
        if is_hopeless(look.mean, look.point, visit.evidence.looks):
            reason = look.reason if look.reason is Reason.AMBIGUOUS_MATCH else Reason.UNKNOWN_CREDENTIAL
            return self._deny(frame, visit, reason, faces, look)
        return []

    def _look(self, frame: Frame, face: Face, visit: Visit, quality: Quality) -> Look:
        """Embed the face as it is now, compare, and weigh it with the visit's earlier shots."""
        shot = self._embedder.embed(frame.image, face.landmarks)
        if not visit.evidence.add(frame.time, shot):
            visit.claimed = None
            self._doubt_liveness(visit)
        shot_match = self._identifier.identify(shot)
        mean = shot_match
        if len(visit.evidence.shots) > 1:
            mean = self._identifier.identify(visit.evidence.mean())
        if visit.claimed is None or visit.claimed != mean.resident_id:
            visit.evidence.looks += 1
        point = self._identifier.operating_point(share_of_look(visit.evidence.looks))
        verdict, reason = weigh(shot_match, mean, point)
        return Look(quality, mean, point, verdict, reason)

    def _grant(self, frame: Frame, visit: Visit, look: Look, faces: int) -> list[Decision]:
        """Let a recognised resident in, once a visit, when he is also live."""
        resident_id = look.mean.resident_id
        assert resident_id is not None  # noqa: S101 - weigh() grants nobody else
        liveness = None
        if self._liveness is not None:
            if visit.claimed not in {None, resident_id}:
                self._doubt_liveness(visit)
            visit.claimed, visit.next_look = resident_id, frame.time
            liveness = self._liveness.assess(visit.track_id, resident_id)
            if liveness is None:
                return []
            if not liveness.passed:
                return self._refuse_attack(frame, visit, look, faces, liveness)
        if not self._visits.grant(visit, resident_id, frame.time):
            return []
        return [decided(frame, visit, (Verdict.GRANT, Reason.GRANTED), faces, look, liveness)]

    def _refuse_attack(
        self, frame: Frame, visit: Visit, look: Look, faces: int, liveness: Liveness
    ) -> list[Decision]:
        """Refuse who is recognised but not live; after a rest he is judged anew."""
        self._doubt_liveness(visit)
        visit.rest_after_attack(frame.time)
        return self._deny(frame, visit, liveness.reason or Reason.PAD_UNAVAILABLE, faces, look, liveness)

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
        if Flaw.TOO_FAR in flaws or Flaw.OUTSIDE_ZONE in flaws:
            visit.near_since = None
            return []
        if not visit.lingers(frame.time):
            return []
        reason = Reason.NOT_FACING if Flaw.NOT_FACING in flaws else Reason.LOW_QUALITY
        return self._deny(frame, visit, reason, faces)

    def _doubt(self, visit: Visit) -> None:
        visit.doubt()
        self._doubt_liveness(visit)

    def _doubt_liveness(self, visit: Visit) -> None:
        if self._liveness is not None:
            self._liveness.reset(visit.track_id)

    def _forget(self, track_ids: Sequence[int]) -> None:
        for track_id in track_ids:
            self._visits.end(track_id)
            if self._liveness is not None:
                self._liveness.reset(track_id)

    def _schedule(self, time: float) -> None:
        if self._visits:
            soonest, latest = time + 1 / self._pace.busy, time + 1 / self._pace.settled
            wanted = min(max(self._visits.next_look(), soonest), latest)
        else:
            wanted = time + 1 / self._pace.idle
        self._next_look = wanted - PACE_TOLERANCE_SECONDS


def _is_alone(track: Track, tracks: Sequence[Track]) -> bool:
    """Say whether nobody else is near: faces under half as wide stand twice as far off."""
    width = track.face.box.width
    return not any(other.id != track.id and other.face.box.width >= width / 2 for other in tracks)


def _is_nearest(track: Track, tracks: Sequence[Track]) -> bool:
    return all(track.face.box.width >= other.face.box.width for other in tracks)


def _urgency(candidate: tuple[Track, Visit]) -> tuple[bool, float, int]:
    """Order of close looks: who was never looked at, then who waits longest, then the older track."""
    track, visit = candidate
    return not visit.evidence.looks, -visit.next_look, -track.id
