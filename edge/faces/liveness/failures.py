"""How often may somebody try to pass as one resident? Counted for that resident, never for the door.

A picture of Anna that is refused again and again pauses Anna's face, for nobody else: whoever stands
behind the attacker is served. What the whole door sees only leads to an alarm.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.faces.liveness.gate import SURE_FACE_PX

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FAILURES = 5
"""Failed visits before a pause: NIST SP 800-63B-4 allows ten when attacks are detected."""

MEMORY_SECONDS = 900.0
"""Failures are forgotten after this, as those of `edge.policy.lockout` are."""

PAUSE_SECONDS = 30.0
"""The least pause that NIST SP 800-63B-4 asks for after too many failures."""

SAME_VISIT_SECONDS = 3.0
"""Refusals of one resident's face nearer together than this are one failure: somebody who stands there
and is doubted again and again, or a phone waved in and out."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
"""Between two tries on one visit: 1, 2, 4 s and so on, so that what stands there gets ever fewer."""

NEARER = 1.25
"""So many times larger than at the last refusal is another look: from 50 to 120 px there are four."""

MOST_BESIDE = 5
"""So many refusals on one visit, and then no face that looks like this resident is judged at once any
more, even beside the one that was refused: two phones could take turns."""

AWAY_SECONDS = 1.0
"""Whoever comes into view so long after the refused face was gone is on a visit of their own: a resident
after a phone. A track that breaks is found again within a few frames."""

EVERY_TRY = -1.0
"""For `same_visit_seconds`: refusals are counted one by one, however soon they follow each other."""

DOUBTED_SECONDS = 60.0
"""So long after a visit on which the networks did not agree about a resident's face, another one opens only
after a whole window without doubt. A phone replay that was held up again and again opened at the third or
fourth time, by half a second that looked alive; one that stood there at the third try, two seconds after it
was refused."""

BROKEN_SECONDS = 0.5
"""A track that begins sooner after another one's doubt goes on with it."""

DOOR_ALARM = 20
"""Failed visits at the door within `MEMORY_SECONDS`, whomever they were meant to look like, before
staff is told."""

MOST_REMEMBERED = 1_000
"""Residents remembered at most; the longest untouched is forgotten first."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Something to journal: a resident's pause began or ended, or the door as a whole saw many failures.

    `kind` is `began`, `ended` or `alarm`; `resident_id` None for a face nobody was named for, and
    for the alarm. Times are those of the frames.
    """

    kind: str
    resident_id: str | None
    time: float
    seconds: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class _Tally:
    visits: list[float] = field(default_factory=list)
    last: float = float("-inf")
    """When this resident's face was last refused or asked about."""
    tries: int = 0
    """Refusals of the visit that goes on."""
    next_try: float = float("-inf")
    track_id: int = 0
    """On which the last refusal fell, or what took its place."""
    seen: float = float("-inf")
    """When that track was last in view."""
    face_px: float = 0.0
    """The widest face that was refused on the visit that goes on."""
    doubted: float = float("-inf")
    """When this resident's face last passed, or failed, narrowly near by."""
    doubted_track: int = 0
    held: float = float("-inf")
    """When this resident's face was last in a doubt that only a whole window without one clears up."""
    doubted_afar: float = float("-inf")
    """When this resident's face was last doubted or refused from afar."""
    refused: float = float("-inf")
    """When the visit that goes on was refused near by, and told so."""
    until: float = float("-inf")
    is_paused: bool = False


@dataclass(slots=True)
class Failures:
    """Refusals by the resident whose face was shown, and the pauses they led to. One thread.

    With `same_visit_seconds` under zero every refusal counts, not every visit. `tell` hears of pauses
    and alarms. Times are those of the frames.
    """

    max_failures: int = MAX_FAILURES
    same_visit_seconds: float = SAME_VISIT_SECONDS
    tell: Callable[[Pause], object] = lambda _pause: None
    _tallies: OrderedDict[str | None, _Tally] = field(default_factory=OrderedDict)
    _door: list[float] = field(default_factory=list)

    def fail(
        self,
        resident_id: str | None,
        time: float,
        track_id: int = 0,
        face_px: float = math.inf,
        *,
        is_near_miss: bool = False,
    ) -> bool:
        """Count a refusal of this resident's face, once a visit; the last one allowed starts a pause.

        On the same visit the next try has to wait, twice as long each time, whatever the track, but for
        a face that comes nearer, and once after a near miss near by. Returns whether this refusal is
        early: the first of a visit and a near miss, or of a face, `face_px` wide where it was judged, that
        is far off and was never refused on this visit, or only farther off.
        """
        tally = self._tally(resident_id)
        is_news = not self._goes_on(tally, time)
        # All of this before the tally changes: it is about what was refused before.
        is_far = face_px < SURE_FACE_PX
        is_second_free = is_news and is_near_miss and not is_far
        is_early = is_second_free or (is_far and (is_news or _is_nearer(tally, face_px)))
        tally.face_px = face_px if is_news else max(tally.face_px, face_px)
        tally.last = tally.seen = time
        tally.track_id = track_id
        tally.tries = 1 if is_news else tally.tries + 1
        if not is_far and not is_early:
            tally.refused = time
        if self.same_visit_seconds > 0 and not is_second_free:
            # Ten doublings are past the longest wait; the 1,024th would overflow.
            wait = FIRST_WAIT_SECONDS * 2.0 ** min(tally.tries - 1, 10)
            tally.next_try = time + min(wait, LONGEST_WAIT_SECONDS)
        # Early or not: else a phone that always comes nearer, or misses narrowly, would never be counted.
        if is_news:
            self._count_visit(tally, resident_id, time)
        return is_early

    def _count_visit(self, tally: _Tally, resident_id: str | None, time: float) -> None:
        tally.visits = [*(at for at in tally.visits if 0 <= time - at <= MEMORY_SECONDS), time]
        if len(tally.visits) >= self.max_failures:
            tally.until, tally.is_paused = time + PAUSE_SECONDS, True
            self.tell(Pause("began", resident_id, time, PAUSE_SECONDS, len(tally.visits)))
        self._count_for_the_door(time)

    def may_try(
        self,
        resident_id: str | None,
        time: float,
        track_id: int = 0,
        since: float = 0.0,
        face_px: float = 0.0,
    ) -> bool:
        """Return whether this face, `face_px` wide and on this track `since` then, may be judged at `time`.

        After a refusal it waits, until it has left or has come nearer than where it was refused. Whoever
        came after the refused face had gone does not wait for it; to be refused is a failed visit more.
        """
        tally = self._tallies.get(resident_id)
        if tally is None:
            return True
        # The refused face had gone before this one came: a resident after a phone begins afresh.
        if track_id != tally.track_id and since - tally.seen >= AWAY_SECONDS:
            tally.last = tally.refused = float("-inf")
        if not self._goes_on(tally, time):
            tally.next_try = float("-inf")
            return True
        # To ask prolongs the visit: whoever waits it out in view does not become a new visit by waiting.
        tally.last = tally.seen = time
        tally.track_id = track_id
        return time >= tally.next_try or _is_nearer(tally, face_px)

    def see(self, track_id: int, time: float) -> None:
        """Take note that a track is in view at `time`, and of the pauses that have ended by then."""
        for tally in self._tallies.values():
            if tally.track_id == track_id:
                tally.seen = time
        self.pass_time(time)

    def refused_track(self, resident_id: str | None) -> int | None:
        """Return the track of the last refusal of this resident's face; None without, or after too many."""
        tally = self._tallies.get(resident_id)
        return None if tally is None or tally.tries >= MOST_BESIDE else tally.track_id

    def doubt(self, resident_id: str | None, time: float, track_id: int, *, is_held: bool = False) -> None:
        """Note that this resident's face, near by on this track, passed or failed narrowly.

        `is_held` says that only a whole window without doubt clears it up, on the same visit too.
        """
        tally = self._tally(resident_id)
        tally.doubted, tally.doubted_track = time, track_id
        if is_held:
            tally.held = time

    def doubt_afar(self, resident_id: str | None, time: float) -> None:
        """Note that this resident's face was refused from afar, or passed narrowly there."""
        self._tally(resident_id).doubted_afar = time

    def was_doubted_afar(self, resident_id: str | None, since: float) -> bool:
        """Return whether this resident's face was in doubt from afar shortly before `since`."""
        tally = self._tallies.get(resident_id)
        return tally is not None and 0 <= since - tally.doubted_afar <= DOUBTED_SECONDS

    def was_doubted(self, resident_id: str | None, since: float, track_id: int) -> bool:
        """Return whether this resident's face was in doubt shortly before `since`, when its judging began.

        So is a face that was refused near by and is judged again where it stands. A track that breaks is
        found again at once, and is the same visit: only a doubt that is held outlives it. A screen that is
        shaken until its track is judged anew must not shake it off.
        """
        tally = self._tallies.get(resident_id)
        if tally is None:
            return False
        if 0 <= since - tally.held <= DOUBTED_SECONDS:
            return True
        # Standing still, a phone was let in at the third try, two seconds after it was refused.
        if tally.track_id == track_id and 0 <= since - tally.refused <= DOUBTED_SECONDS:
            return True
        # On its own track the window itself knows of the doubt (`LivenessWindow.is_doubted`).
        if tally.doubted_track == track_id:
            return False
        # Not sooner than half a second: that is a track that broke, and the same visit.
        return BROKEN_SECONDS <= since - tally.doubted <= DOUBTED_SECONDS

    def _goes_on(self, tally: _Tally, time: float) -> bool:
        return 0 <= time - tally.last <= self.same_visit_seconds

    def succeed(self, resident_id: str | None, time: float) -> None:
        """Forget the failures of a resident who was found to be alive."""
        tally = self._tallies.pop(resident_id, None)
        if tally is not None and tally.is_paused:
            self.tell(Pause("ended", resident_id, time))

    def is_paused(self, resident_id: str | None, time: float) -> bool:
        """Return whether nobody may try to pass as this resident at `time`."""
        tally = self._tallies.get(resident_id)
        return tally is not None and time < tally.until

    def pass_time(self, time: float) -> None:
        """Tell of pauses that have ended by `time`."""
        for resident_id, tally in self._tallies.items():
            if tally.is_paused and time >= tally.until:
                tally.is_paused = False
                self.tell(Pause("ended", resident_id, time))

    def _tally(self, resident_id: str | None) -> _Tally:
        tally = self._tallies.setdefault(resident_id, _Tally())
        self._tallies.move_to_end(resident_id)
        while len(self._tallies) > MOST_REMEMBERED:
            self._tallies.popitem(last=False)
        return tally

    def _count_for_the_door(self, time: float) -> None:
        self._door = [*(at for at in self._door if 0 <= time - at <= MEMORY_SECONDS), time]
        if len(self._door) >= DOOR_ALARM:
            self.tell(Pause("alarm", None, time, failures=len(self._door)))
            self._door.clear()  # the next alarm after as many again, not at each failure from here on


def _is_nearer(tally: _Tally, face_px: float) -> bool:
    """Say whether this face has come nearer since it was refused far off."""
    # Where it was refused near by, still nearer shows the networks nothing new.
    return tally.face_px < SURE_FACE_PX and face_px >= NEARER * tally.face_px
