"""Whom to ask for the faces that are missing, and when: the door that enrolled first, then the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.wire.faces.letters import MOST_ASKED

if TYPE_CHECKING:
    from collections.abc import Mapping

GRACE_SECONDS = 1.0
"""A face that was enrolled just now is sent without being asked for."""
FIRST_SECONDS = 5.0
MOST_SECONDS = 300.0
LEAST_UNDER_WAY = 10
PATIENCE = 2.0
"""How much longer than the slowest answer of late one is waited for before another door is asked: hub and
doors that are busy are not asked twice for the same."""


@dataclass(slots=True)
class _Wish:
    doors: tuple[str, ...]
    at: float
    tries: int = 0
    asked_at: float = 0.0


class MissingFaces:
    """What is missing. One thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._wishes: dict[str, _Wish] = {}
        self._most = 2.0 * LEAST_UNDER_WAY
        """How many may be under way: more as answers come, half as many when they do not."""
        self._slowest = 0.0
        self._halved_at = 0.0

    def want(self, faces: Mapping[str, tuple[str, ...]], now: float) -> None:
        """Have these faces, and no others, on the list: consent -> doors that may have it, best first."""
        old = self._wishes
        self._wishes = {
            consent: old.get(consent) or _Wish(doors, now + GRACE_SECONDS) for consent, doors in faces.items()
        }
        for consent, doors in faces.items():
            self._wishes[consent].doors = doors

    def postpone(self, consent: str, until: float) -> None:
        """Do not ask for a face before `until`."""
        if consent in self._wishes:
            self._wishes[consent].at = until

    def arrived(self, consent: str, now: float) -> None:
        """Take a face off the list."""
        wish = self._wishes.pop(consent, None)
        if wish is not None and wish.tries:
            # One slow answer is forgotten little by little, as others come faster.
            self._slowest = max(0.9 * self._slowest, now - wish.asked_at)
            self._most = min(MOST_ASKED, self._most + 1)

    def begin_again(self, now: float) -> None:
        """Ask for everything anew: answers may be lost."""
        for wish in self._wishes.values():
            wish.at, wish.tries = min(wish.at, now), 0

    def due(self, now: float) -> dict[str, list[str]]:
        """Return which faces to ask of which door now; a hundred are on their way at most."""
        under_way = sum(wish.tries > 0 and wish.at > now for wish in self._wishes.values())
        room = int(self._most) - under_way
        # Not one by one: a question for several faces is one letter, so it waits until there is room for
        # some.
        if room < self._most / 2:
            return {}
        found: dict[str, list[str]] = {}
        first = min(MOST_SECONDS, max(FIRST_SECONDS, PATIENCE * self._slowest))
        for consent, wish in self._wishes.items():
            if not room:
                break
            if wish.at <= now and wish.doors:
                found.setdefault(wish.doors[wish.tries % len(wish.doors)], []).append(consent)
                # Once for each wait, not for each face: one letter that is lost asks for many.
                if wish.tries and now - self._halved_at > first:
                    self._most, self._halved_at = max(LEAST_UNDER_WAY, self._most / 2), now
                # Six doublings are past the longest wait; of a door away for days the 1,024th would overflow.
                wish.at, wish.asked_at = now + min(MOST_SECONDS, first * 2.0 ** min(wish.tries, 6)), now
                wish.tries += 1
                room -= 1
        return found
