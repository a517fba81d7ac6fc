"""From the rows that an enrolment kept to what is stored: templates under a consent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.domain import Template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from edge.domain import Consent, Embedding


def templates_under(
    consent: Consent, rows: Sequence[Embedding], model_id: str, enrolled_at: datetime
) -> list[Template]:
    """Return the rows as templates of who consented: shots, then their mean when there are several."""
    last = len(rows) - 1
    return [
        Template(
            consent.resident_id, row, model_id, enrolled_at, "mean" if 0 < last == n else "shot", consent.id
        )
        for n, row in enumerate(rows)
    ]
