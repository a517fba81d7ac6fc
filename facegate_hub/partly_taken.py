"""Mail that a server takes for some recipients only: who has it gets it once, and who has not, later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FOR_GOOD = 500
"""From here on a server's answer says that the same would be refused again (RFC 5321, 4.2.1)."""

Refusals: TypeAlias = "Mapping[str, tuple[int, bytes]]"
"""What the server answered for those whom it refused, by address: `smtplib` has it so."""


class RefusedForSome(OSError):
    """Everybody else has it; those whom the message names never will, so that it counts as taken."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """The recipients of one channel, and who of them has what. One thread.

    It is remembered as long as a thing is sent again and the process lives: after a restart whoever had it
    may get it a second time.
    """

    everybody: Sequence[str]
    _has: dict[int, set[str]] = field(default_factory=dict)

    def send(self, numbers: Sequence[int], hand_over: Callable[[list[int], list[str]], Refusals]) -> None:
        """Hand each recipient those of these things that they do not have, all who lack the same at once.

        `hand_over` takes numbers and recipients. Raises `OSError` while somebody has to be tried again, or
        nobody has it; `RefusedForSome` where that would be in vain.
        """
        for number in self._has.keys() - set(numbers):
            del self._has[number]
        refused: dict[str, tuple[int, bytes]] = {}
        for lacking, people in self._groups(numbers):
            refused |= self._hand_over(lacking, people, hand_over)
        if not refused:
            return
        told = ", ".join(
            f"{one} ({code} {text.decode(errors='replace')})" for one, (code, text) in refused.items()
        )
        is_in_vain = all(code >= FOR_GOOD for code, _ in refused.values())
        if is_in_vain and len(refused) < len(set(self.everybody)):
            raise RefusedForSome(f"refused for {told}; everybody else has it"[:300])
        raise OSError(f"refused for {told}"[:300])

    def _groups(self, numbers: Sequence[int]) -> list[tuple[list[int], list[str]]]:
        """Return who lacks the same things, with these; who lacks nothing is in no group."""
        found: dict[tuple[int, ...], list[str]] = {}
        for one in dict.fromkeys(self.everybody):
            if lacking := tuple(number for number in numbers if one not in self._has.get(number, ())):
                found.setdefault(lacking, []).append(one)
        return [(list(lacking), people) for lacking, people in found.items()]

    def _hand_over(
        self, lacking: list[int], people: list[str], hand_over: Callable[[list[int], list[str]], Refusals]
    ) -> Refusals:
        """Hand it over until nobody more takes it; return who did not."""
        left, refused = people, dict[str, tuple[int, bytes]]()
        while left:
            answers = hand_over(lacking, left)
            took = [one for one in left if one not in answers]
            for number in lacking:
                self._has.setdefault(number, set()).update(took)
            refused = {one: said for one, said in (refused | dict(answers)).items() if one not in took}
            # Many servers take a hundred recipients at once and ask for the others with the next mail (452).
            left = [one for one in left if one in answers and answers[one][0] < FOR_GOOD] if took else []
        return refused
