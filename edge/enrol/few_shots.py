"""How many different pictures somebody is enrolled with, and what fewer than three cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Embedding

WANTED_SHOTS = 3
"""With three different pictures hardly anybody is missed; a fourth one gains little."""

SAME_PICTURE = 0.97
"""Two shots this alike are one picture: the same file twice, or two frames of a head that did not move.
Photos of one person on different days seldom reach 0.9."""

MISSED = ((10, 0.02, 0.002), (50, 0.04, 0.006), (100, 0.04, 0.006), (300, 0.06, 0.008), (700, 0.08, 0.011))
"""Residents, and the share of them whom a door's first look at the default rate misses, with one photo
enrolled and with three (SFace on LFW, docs/accuracy.md)."""


def different(rows: Sequence[Embedding]) -> int:
    """Return how many different pictures these unit embeddings are of."""
    kept: list[Embedding] = []
    for row in rows:
        if all(float(np.dot(row, one)) < SAME_PICTURE for one in kept):
            kept.append(row)
    return len(kept)


def missed(residents: int) -> tuple[float, float]:
    """Return the share (0 to 1) missed at first look with one photo and with three, at the nearest size."""
    _, one, three = min(MISSED, key=lambda row: abs(np.log(row[0] / max(residents, 1))))
    return one, three


def advice(pictures: int, residents: int) -> Message | None:
    """Return the warning for somebody enrolled with so many different pictures, None from three on."""
    if pictures >= WANTED_SHOTS:
        return None
    one, three = missed(residents)
    return message(
        "enrol.one_picture" if pictures <= 1 else "enrol.two_pictures",
        residents=residents,
        one=f"{one:.0%}",
        three=f"{three:.1%}",
    )
