"""What the journal keeps of an entry and of a refusal (`access.granted`, `access.denied`), as a type.

Writers fill it in, readers ask its attributes. In the journal and on the wire it stays the flat JSON
object that it always was: `stored` and `read` are the only places that know its names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """How somebody came in, or was refused.

    `method` is `face`, `pin`, `card` ...; None only in entries that are not by this version.
    `unlock_seconds` is 0 for a refusal, None where the rules were not asked. `first_seen` is when the
    visit began, in monotonic seconds; faces only. `card` is what was held to the reader. `more` is
    everything else: numbers that explain the decision, which people read and no program.
    """

    method: str | None
    unlock_seconds: float | None = None
    first_seen: float | None = None
    card: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> EntryFacts:
        """Return what an entry's data says. Raises nothing: what has another type counts as not said."""
        more = {name: value for name, value in data.items() if name not in _NAMES}
        return cls(
            _text(data.get("method")),
            _number(data.get("unlock_seconds")),
            _number(data.get("first_seen")),
            _text(data.get("card")),
            more,
        )

    def stored(self) -> dict[str, Any]:
        """Return the data of an entry: what is known, under the names that the journal has always had."""
        known = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        return {**self.more, **known}

    @property
    def is_by_face(self) -> bool:
        """Whether the camera decided; the first versions had no other way in and did not say so."""
        return self.method in {None, "face"}


_NAMES = ("method", "unlock_seconds", "first_seen", "card")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    # bool is an int to Python; NaN and infinity are no time that anybody waited.
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number and isinstance(value, int | float) else None
