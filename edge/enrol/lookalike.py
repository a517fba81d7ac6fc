"""Is the new resident too much like somebody enrolled already? Asked before anything is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import EnrolmentRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Embedding
    from edge.ports import Identifier


def refuse_lookalike(identifier: Identifier, resident_id: str, rows: Sequence[Embedding]) -> None:
    """Raise `EnrolmentRefused` when one of `rows` would be taken for another resident.

    The line is the door's own threshold. Somebody enrolled again resembles themselves.
    """
    point = identifier.operating_point()
    for row in rows:
        match = identifier.identify(row)
        # The runner-up as well: for somebody who is enrolled again the best match is themselves.
        candidates = ((match.resident_id, match.similarity), (match.runner_up_id, match.runner_up_similarity))
        for other, similarity in candidates:
            if other is None or other == resident_id:
                continue
            if similarity >= point.threshold:
                raise EnrolmentRefused(
                    message(
                        "photo.look_alike",
                        who=resident_id,
                        other=other,
                        similarity=f"{similarity:.2f}",
                        threshold=f"{point.threshold:.2f}",
                    )
                )
