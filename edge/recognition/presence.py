"""Who was let in and has not left: for them the door opened already, and nobody is accused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box

LEAVING_SECONDS = 5.0
"""Out of sight for longer means gone. A back that is turned, a look into a bag or a word with the
neighbour takes up to 4 s; walking through the gate and coming back takes longer."""

PROOF_SECONDS = 30.0
"""For so long after somebody was last known to be alive, a face that only looks like theirs keeps
them present. A photograph held up after they went is judged by then."""

HIDDEN_SECONDS = 4.0
HIDDEN_WIDTHS = 1.5
"""Somebody whose last place another face has covered since, this many face widths around, may be hidden
behind it for so long, before `LEAVING_SECONDS` count: two who talk stand before each other. No
longer, because whoever comes back after that wants to be let in."""


@dataclass(slots=True)
class _Stay:
    seen_at: float
    proven_at: float
    sighted_at: float
    place: Box | None = None


class Presence:
    """Remembers who is here, by resident. Times are monotonic seconds. One thread.

    It only ever withholds a second opening: nobody is let in because of it.
    """

    def __init__(self) -> None:
        self._stays: dict[str, _Stay] = {}

    def prove(self, who: str, time: float) -> None:
        """Take note that this resident is here in person: let in, found alive, or never out of sight."""
        # Forgotten here, where the table grows: a compound's residents pass in a day, a handful stands there.
        self._stays = {one: stay for one, stay in self._stays.items() if time - stay.seen_at <= PROOF_SECONDS}
        place = self._stays[who].place if who in self._stays else None
        self._stays[who] = _Stay(time, time, time, place)

    def see(self, who: str, time: float) -> None:
        """Take note of a face that looks like somebody present; it keeps them so for `PROOF_SECONDS`."""
        # Only while they are here: a look never brings back somebody who left, they are let in anew instead.
        stay = self._stays.get(who)
        if stay is not None and self.is_here(who, time) and self.is_proven(who, time):
            stay.seen_at = stay.sighted_at = time

    def lose(self, who: str, place: Box) -> None:
        """Take note of where this resident's face was seen last."""
        if who in self._stays:
            self._stays[who].place = place

    def note_faces(self, faces: Sequence[Box], time: float) -> None:
        """Take note of who is in view: somebody may be hidden behind a face that is near where they were."""
        for who, stay in self._stays.items():
            place = stay.place
            # By `sighted_at`, which this does not move: else whoever stands there after they left would keep
            # them present, and shut out, for as long as the place is taken.
            if place is None or time - stay.sighted_at > HIDDEN_SECONDS or not self.is_here(who, time):
                continue
            if any(_distance(face, place) <= HIDDEN_WIDTHS * place.width for face in faces):
                stay.seen_at = time

    def is_here(self, who: str | None, time: float) -> bool:
        """Return whether this resident was let in and has not left since."""
        stay = None if who is None else self._stays.get(who)
        return stay is not None and time - stay.seen_at <= LEAVING_SECONDS

    def is_proven(self, who: str, time: float) -> bool:
        """Return whether this resident was known to be alive lately."""
        stay = self._stays.get(who)
        return stay is not None and time - stay.proven_at <= PROOF_SECONDS

    def forget(self, who: str) -> None:
        """Take it that this resident has left: the next match opens again."""
        self._stays.pop(who, None)


def _distance(one: Box, other: Box) -> float:
    return math.dist(one.centre, other.centre)
