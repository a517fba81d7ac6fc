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


@dataclass(slots=True)
class _Wish:
    doors: tuple[str, ...]
    at: float
    tries: int = 0


class MissingFaces:
    """What is missing. One thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._wishes: dict[str, _Wish] = {}

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

    def arrived(self, consent: str) -> None:
        """Take a face off the list."""
        self._wishes.pop(consent, None)

    def begin_again(self, now: float) -> None:
        """Ask for everything anew: answers may be lost."""
        for wish in self._wishes.values():
            wish.at, wish.tries = min(wish.at, now), 0

    def due(self, now: float) -> dict[str, list[str]]:
        """Return which faces to ask of which door now; a hundred are on their way at most."""
        under_way = sum(wish.tries > 0 and wish.at > now for wish in self._wishes.values())
        room = MOST_ASKED - under_way
        if room < MOST_ASKED // 2:
            return {}
        found: dict[str, list[str]] = {}
        for consent, wish in self._wishes.items():
            if not room:
                break
            if wish.at <= now and wish.doors:
                found.setdefault(wish.doors[wish.tries % len(wish.doors)], []).append(consent)
                wish.at = now + min(MOST_SECONDS, FIRST_SECONDS * 2**wish.tries)
                wish.tries += 1
                room -= 1
        return found
