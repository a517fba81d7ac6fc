"""Passive liveness behind `edge.ports.LivenessCheck`: nothing is asked of the visitor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.domain import Liveness, Reason
from edge.errors import FrameRefused
from edge.faces.liveness.binding import embedded, is_one_face, witness
from edge.faces.liveness.budget import ScoringBudget
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.failures import Failures
from edge.faces.liveness.fusion import (
    NIGHT_NETWORK,
    SURE_ODDS,
    SURE_ODDS_AFAR,
    THRESHOLD,
    fuse,
    is_weak,
    odds,
)
from edge.faces.liveness.gate import SURE_FACE_PX, GateLimits, Hindrance, hindrance
from edge.faces.liveness.light import MOST_GRAIN, brightened, grain, is_badly_lit, is_colourless
from edge.faces.liveness.window import GAP_SECONDS, MOST_FAULTS, LivenessWindow, Sample, independent_looks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.domain import Face, Frame
    from edge.faces.liveness.fusion import Fused
    from edge.faces.liveness.nets import PassiveNet
    from edge.faces.looking import Closer
    from edge.ports import Embedder

ANSWER_SECONDS = 3.0
"""After this long without enough judged frames the visitor is told what hinders, and it is journaled."""

TURN_SECONDS = 0.2
"""A face that was passed over is at most so much behind a nearer one."""

ADVISED_SECONDS = 0.3
"""So long it is told: whoever listens may be busy with another face on one frame."""


SAME_BOX = 0.5
"""Least overlap (intersection over union) of a face seen closely with the one that was scored."""


class PassiveCheck:
    """Scores frames of a track with all its networks and decides on their mean.

    Nothing is scored until somebody asks for a verdict, and nothing once one is there. Fails closed:
    a network that keeps giving invalid answers, too few frames, frames withheld or a face exchanged on
    the way never pass. One thread, the one that recognises.
    """

    def __init__(
        self,
        nets: Sequence[PassiveNet],
        embedder: Embedder,
        limits: GateLimits | None = None,
        failures: Failures | None = None,
        demands: Demands | None = None,
    ) -> None:
        self._nets = nets
        self._is_weak = is_weak(net.spec.name for net in nets)
        self._embedder = embedder
        self._limits = limits or GateLimits()
        self._failures = failures or Failures()
        self._demands = demands or Demands()
        self._budget = ScoringBudget()
        self.closer: Closer | None = None
        """How recognition looks closely at a face: with it, a picture that both embed is embedded once."""
        self._windows: dict[int, LivenessWindow] = {}

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Take one frame of a track; `alone` is False when another face touches this one."""
        window = self._windows.setdefault(track_id, LivenessWindow(frame.time, frame.time))
        window.see(frame.time)
        window.face_px = face.box.width
        # Taken back at once by coming near; it takes a verdict to ask for it again.
        window.must_come_nearer &= face.box.width < SURE_FACE_PX
        self._failures.see(track_id, frame.time)
        hindered = hindrance(face, alone, frame.image.shape[:2], self._limits)
        window.hindered_by = hindered
        # Only kept: the networks run when somebody asks for a verdict, on the newest frame there is.
        window.waiting = (frame, face) if hindered is None else None
        if hindered is not None:
            window.hindrances[hindered] += 1
        # Where faces touch the track may have gone over to the other one: what was scored may be of either.
        if hindered is Hindrance.NOT_ALONE:
            window.restart()

    def is_ready(self, track_id: int, resident_id: str | None = None) -> bool:
        """Return whether `assess` has an answer, and count nothing against this resident yet.

        A refusal stands from here on. Against whom it counts is settled by `assess`, which recognition asks
        after another look: somebody else may have taken the place meanwhile.
        """
        return self._judge(track_id, resident_id) is not None

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:
        """Return the verdict on this track now, or None while more frames are wanted.

        Nothing more is asked of one resident than of another, but failures are counted by resident.
        A refusal stands until the track is reset; a pass is worked out anew each time. That nothing
        can be judged is said once, and judging goes on.
        """
        verdict = self._judge(track_id, resident_id)
        window = self._windows.get(track_id)
        if verdict is None or window is None or window.uncounted is None:
            return verdict
        return self._count(track_id, window, resident_id, verdict)

    def opinion(self, track_id: int) -> bool | None:
        """Return whether the face lives, None while that is not clear; nothing is counted or kept."""
        window = self._windows.get(track_id)
        if window is None:
            return None
        window.want()
        self._score_waiting(window)
        # Where a refusal would be no accusation either, there is nothing to conclude from.
        if not window.is_full() or window.samples[-1].is_night or window.is_badly_lit():
            return None
        fused = fuse(window.means())
        return None if fused.is_near_miss else fused.is_live

    def _judge(self, track_id: int, resident_id: str | None) -> Liveness | None:
        window = self._windows.get(track_id)
        if window is None:
            return None
        window.want()
        # It stands until recognition resets the track after a rest: no face tries until a good frame comes.
        if window.refusal is not None:
            return window.refusal
        if self._failures.is_paused(resident_id, window.last_seen):
            return Liveness(False, None, Reason.LOCKOUT_MAX_ATTEMPTS)
        # Asked before anything is scored: a face that has to wait costs no network.
        if not self._may_try(track_id, window, resident_id):
            return None
        self._score_waiting(window)
        return self._answer(track_id, window, resident_id)

    def _count(
        self, track_id: int, window: LivenessWindow, resident_id: str | None, refusal: Liveness
    ) -> Liveness:
        """Count the refusal of this track against whom it was just recognised as, once."""
        assert window.uncounted is not None  # noqa: S101 - its one caller has just seen to it
        fused, judged_px = window.uncounted
        window.uncounted = None
        # Two tracks of one resident may be refused on one frame: the pause that the first began counts no
        # more.
        if self._failures.is_paused(resident_id, window.last_seen):
            return refusal
        self._note_doubt(track_id, window, resident_id, fused, judged_px)
        is_early = self._failures.fail(
            resident_id, window.last_seen, track_id, judged_px, is_near_miss=fused.is_near_miss
        )
        window.refusal = replace(refusal, is_early=is_early)
        return window.refusal

    def _answer(self, track_id: int, window: LivenessWindow, resident_id: str | None) -> Liveness | None:
        if window.faults >= MOST_FAULTS:
            window.refusal = Liveness(False, None, Reason.PAD_UNAVAILABLE)
            return window.refusal
        if not window.is_full():
            self._use_the_wait(window)
            return self._unanswered(window)
        # Recognition asks twice a frame (`is_ready`, `assess`), and a verdict notes doubts and times.
        if window.judged_at != window.last_seen:
            window.judged_at, window.judged = window.last_seen, self._verdict(track_id, window, resident_id)
        return window.judged

    def _may_try(self, track_id: int, window: LivenessWindow, resident_id: str | None) -> bool:
        """Return whether this face may be judged now, or has to wait after an earlier refusal.

        Where the face that was refused is still in view, or was gone before this one came, this is another
        one: a resident does not wait for a picture of theirs that hangs beside them, or was held up before.
        """
        refused = self._failures.refused_track(resident_id)
        other = None if refused in {None, track_id} else self._windows.get(refused or 0)
        if other is not None and abs(window.last_seen - other.last_seen) <= GAP_SECONDS:
            return True
        return self._failures.may_try(resident_id, window.last_seen, track_id, window.started, window.face_px)

    def _score_waiting(self, window: LivenessWindow) -> None:
        """Score the newest frame, if it teaches something and no other face took this moment."""
        if window.waiting is None:
            return
        frame, face = window.waiting
        if not window.is_due(frame.time):
            return
        # The budget last: to ask it is to take from it.
        if self._is_others_turn(window) or not self._budget.take(frame.time):
            window.passed_over_at = frame.time
            return
        window.waiting = None
        try:
            window.add(self._sample(frame, face))
            self._look_closely(window, frame, face)
        except FrameRefused:  # one frame lost; if it goes on, nobody passes
            window.faults += 1

    def _is_others_turn(self, window: LivenessWindow) -> bool:
        """Return whether somebody farther off was passed over long enough: the nearest asks first.

        Else whoever stands before them undecided, on a camera whose frames hold one face each, keeps them
        waiting for as long as it takes.
        """
        now = window.last_seen
        return any(
            now - other.passed_over_at <= TURN_SECONDS
            and window.scored_at() - other.scored_at() >= TURN_SECONDS
            for other in self._windows.values()
            if other is not window
        )

    def _sample(self, frame: Frame, face: Face) -> Sample:
        nets, is_night = self._nets, is_colourless(frame.image, face.box)
        if is_night:
            by_one = self._demands.monochrome == "one_network"
            nets = [net for net in nets if by_one and net.spec.name == NIGHT_NETWORK]
        # The whole frame, before anything is cut out of it or averaged: see `brightened`.
        image = brightened(frame.image, face.box)
        scores = {net.spec.name: net.score(image, face.box) for net in nets}
        # Of the frame as it came: brightening for the networks makes the light no better.
        dark = is_badly_lit(frame.image, face.box, self._limits)
        is_clear = not is_night and fuse(scores).is_clear
        return Sample(
            time=frame.time,
            scores=scores,
            witness=witness(frame.image, face),
            is_badly_lit=dark,
            is_clear=is_clear,
            is_night=is_night,
            # Grain as brightened, for that is what the networks see.
            is_grainy=face.box.width < SURE_FACE_PX and grain(image, face.box) > MOST_GRAIN,
            face_px=face.box.width,
            odds=None if is_night else odds(scores),
        )

    def _look_closely(self, window: LivenessWindow, frame: Frame, face: Face) -> None:
        """See the newest sample as recognition does: it embeds the first frame, and the one that decides."""
        if self.closer is None or not (len(window.samples) == 1 or window.is_full()):
            return
        close = self.closer(frame.image, face)
        # Landmarks of somebody else's face would bind the verdict to the wrong one; the witness will do then.
        if close is None or close.box.iou(face.box) < SAME_BOX:
            return
        window.close = (frame.image, close.landmarks)
        if len(window.samples) == 1:
            self._embed_newest(window)

    def _embed_newest(self, window: LivenessWindow) -> None:
        """Embed the newest sample from the picture itself, where that is at hand."""
        newest = window.samples[-1].witness
        if window.close is not None and newest.embedding is None:
            newest.embedding = self._embedder.embed(*window.close)

    def _use_the_wait(self, window: LivenessWindow) -> None:
        """Embed one witness now rather than all when the verdict is due: an embedding takes long."""
        samples = window.samples
        waiting = [samples[index].witness for index in (0, window.middle()) if index < len(samples)]
        missing = next((one for one in waiting if one.embedding is None), None)
        if missing is not None:
            with suppress(FrameRefused):  # the verdict will meet the same witness, and fail
                embedded(missing, self._embedder)

    def _unanswered(self, window: LivenessWindow) -> Liveness | None:
        """Say once what has hindered for long; it costs the visitor nothing."""
        since = max(window.started, window.wanted_since or window.started)
        if window.last_seen - since <= ANSWER_SECONDS:
            return None
        # From when it was first said, for `ADVISED_SECONDS`; then once more only after the track is reset.
        if window.advised_at is None:
            window.advised_at = window.last_seen
        if window.last_seen - window.advised_at > ADVISED_SECONDS:
            return None
        return Liveness(False, None, Reason.PAD_NO_RESPONSE, _hindered(window))

    def _verdict(self, track_id: int, window: LivenessWindow, resident_id: str | None) -> Liveness | None:
        deciding = window.deciding()
        cues = {
            **window.means(),
            "frames": float(len(deciding)),
            "looks": round(independent_looks(one.time for one in deciding), 2),
            "threshold": THRESHOLD,
        }
        # The newest sample speaks for all: a window never holds samples of both kinds.
        if window.samples[-1].is_night:
            return self._at_night(window, resident_id, cues)
        fused = fuse(window.means())
        # Counted by `assess`, after a look at this very frame has said whose face it is.
        if not fused.is_live:
            window.uncounted = fused, window.judged_px()
            return _refused(window, fused, cues)
        # A pass leaves doubts, too: a narrow one must not open on the next visit by half a second that looks
        # good.
        self._note_doubt(track_id, window, resident_id, fused, window.judged_px())
        latest = window.latest()
        is_narrow = _is_narrow(window, fused, latest or ())
        window.note(is_narrow=is_narrow)
        is_doubted = window.is_doubted_afar and window.judged_px() < SURE_FACE_PX
        is_narrow_afar = is_narrow and window.face_px < SURE_FACE_PX
        window.must_come_nearer = is_doubted or is_narrow_afar or window.samples[-1].is_grainy
        # No PIN is asked for from here: a step nearer may make the pass a clear one.
        if window.must_come_nearer:
            window.hindrances[Hindrance.TOO_FAR] += 1
            return self._unanswered(window)
        # A narrow pass waits until a whole window has come to no more. Asked also where there are too few
        # latest frames to pass on: asking notes since when the pass is narrow.
        is_decided = window.is_still_narrow() if is_narrow else window.is_made_up_for()
        if latest is None or not is_decided:
            return None
        is_enough = not is_narrow and not self._asks_more
        return self._passed(window, resident_id, fused.score, cues, is_enough=is_enough)

    def _note_doubt(
        self,
        track_id: int,
        window: LivenessWindow,
        resident_id: str | None,
        fused: Fused,
        judged_px: float,
    ) -> None:
        """Note a doubt after which only a whole window without one opens, on this track and on the next.

        After a doubt from afar nothing opens from there.
        """
        is_near = judged_px >= SURE_FACE_PX
        is_again = self._failures.was_doubted(resident_id, window.started, track_id)
        window.is_doubted |= is_again or (is_near and fused.is_split)
        window.is_doubted_afar |= self._failures.was_doubted_afar(resident_id, window.started)
        is_doubt = fused.is_doubtful or fused.is_split or fused.is_near_miss
        if is_near and is_doubt:
            self._failures.doubt(resident_id, window.last_seen, track_id, is_held=window.is_doubted)
        elif not is_near and (is_doubt or not fused.is_live):
            self._failures.doubt_afar(resident_id, window.last_seen)

    @property
    def _asks_more(self) -> bool:
        return self._is_weak and self._demands.weak == "ask"

    def _at_night(
        self, window: LivenessWindow, resident_id: str | None, cues: dict[str, float]
    ) -> Liveness | None:
        """Decide without colour, as the site chose. Never an accusation: the networks do not know."""
        cues["monochrome"] = 1.0
        # Not counted as a failure: it says nothing about the face.
        if self._demands.monochrome == "refuse":
            window.refusal = Liveness(False, None, Reason.PAD_NO_RESPONSE, cues)
            return window.refusal
        latest = window.latest()
        if latest is None:
            return None
        if not window.samples[-1].scores:  # nothing was scored (`ask`): it was one face, more is not known
            return self._passed(window, resident_id, None, cues, is_enough=False)
        mean = window.means()[NIGHT_NETWORK]
        is_live = mean >= THRESHOLD and all(one.scores[NIGHT_NETWORK] >= THRESHOLD for one in latest)
        return self._passed(window, resident_id, mean, cues, is_enough=is_live)

    def _passed(
        self,
        window: LivenessWindow,
        resident_id: str | None,
        score: float | None,
        cues: dict[str, float],
        *,
        is_enough: bool,
    ) -> Liveness | None:
        """Pass, or ask for more, provided that it was one face all along."""
        if not self._is_one_face(window):
            self._keep_newest_face(window)
            return None
        if not is_enough:
            return Liveness(False, score, Reason.SECOND_FACTOR_REQUIRED, cues)
        if resident_id is None:  # nobody looks whose face it is
            self._failures.succeed(None, window.last_seen)
        return Liveness(True, score, cues=cues)

    def _is_one_face(self, window: LivenessWindow) -> bool:
        samples = window.samples
        # The oldest, the middle and the newest: whoever is exchanged on the way is in one of them.
        chosen = [one.witness for one in (samples[0], samples[len(samples) // 2], samples[-1])]
        try:
            self._embed_newest(window)
            return is_one_face([*window.before, *chosen], self._embedder)
        except FrameRefused:
            return False

    def _keep_newest_face(self, window: LivenessWindow) -> None:
        """Drop what was judged before the newest face was there alone: somebody else, or a half hidden face.

        Every sample that is kept shows the newest face, which is more than a window that begins anew is
        asked for, and saves who walks up behind somebody the time that was good.
        """
        samples = window.samples
        first = len(samples) - 1
        with suppress(FrameRefused):
            while first > 0 and is_one_face(
                [samples[first - 1].witness, samples[-1].witness], self._embedder
            ):
                first -= 1
        # After a challenge nothing is kept: what differs may be a face remembered from before it.
        window.drop_before(len(samples) if window.before else first)

    def hindered(self, track_id: int) -> Hindrance | None:
        """Return what keeps a waiting visitor from being judged, None when nothing does."""
        window = self._windows.get(track_id)
        return None if window is None else window.hindered()

    def remember(self, track_id: int) -> None:
        """Keep the newest judged frame of a track: a later pass must show the same face.

        Used while a challenge runs, so that who answers is who was there before and after.
        """
        window = self._windows.get(track_id)
        if window is None:
            return
        if window.waiting is not None:
            window.before.append(witness(window.waiting[0].image, window.waiting[1]))
        elif window.samples:
            window.before.append(window.samples[-1].witness)

    def restart(self, track_id: int, time: float) -> None:
        """Judge a track anew from `time` on, by the frames from there and those remembered."""
        old = self._windows.get(track_id)
        # A new window, so also no refusal; `before` stays, or the face could be exchanged during a challenge.
        if old is not None:
            self._windows[track_id] = LivenessWindow(time, time, wanted_since=time, before=old.before)

    def confirm(self, track_id: int, resident_id: str | None) -> None:
        """Forget the failures of this resident: theirs is the face that passed.

        Not sooner: the track may have gone on with somebody else, whose living face would have cleared what
        a picture of the resident, held up there before, brought about.
        """
        window = self._windows.get(track_id)
        if window is not None:
            self._failures.succeed(resident_id, window.last_seen)

    def reset(self, track_id: int) -> None:
        """Forget a track: it ended, jumped, or changed identity."""
        self._windows.pop(track_id, None)


def _refused(window: LivenessWindow, fused: Fused, cues: Mapping[str, float]) -> Liveness:
    """Refuse this track until it is forgotten; in bad light, or narrowly, that is no accusation."""
    in_bad_light = window.is_badly_lit()
    reason = Reason.PAD_NO_RESPONSE if in_bad_light else Reason.PRESENTATION_ATTACK
    found = {**cues, "bad_light": float(in_bad_light)}
    window.refusal = Liveness(False, fused.score, reason, found, is_unclear=fused.is_near_miss)
    return window.refusal


def _is_narrow(window: LivenessWindow, fused: Fused, latest: Sequence[Sample]) -> bool:
    """Return whether a pass opens nothing by itself: not sure, or not alive on each latest frame."""
    sure = SURE_ODDS if window.judged_px() >= SURE_FACE_PX else SURE_ODDS_AFAR
    is_sure = not fused.is_doubtful and window.odds() >= sure
    return not is_sure or not all(fuse(one.scores).is_live for one in latest)


def _hindered(window: LivenessWindow) -> dict[str, float]:
    """Return how many frames each hindrance spoilt, for the event and the door's screen."""
    return {f"frames_{name}": float(count) for name, count in window.hindrances.items()}
