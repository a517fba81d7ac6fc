"""No record, no match: what stands between the store's templates and any gallery."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.consent.rules import objection_to_match

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.domain import Template
    from edge.store.consents import ConsentLedger

logger = logging.getLogger(__name__)


class ConsentGate:
    """Lets those templates through whose consent is in force. Any thread.

    Asks the ledger each time: a withdrawal counts at the next filling of the gallery, and it is
    followed at once because it changes the resident store as well. Raises `StoreError` when the
    ledger cannot be read: then nothing may be matched.
    """

    def __init__(self, ledger: ConsentLedger) -> None:
        self._ledger = ledger

    def permitted(self, templates: Iterable[Template]) -> list[Template]:
        """Return the templates that may be matched, in their order; says who is left out, and why."""
        in_force = self._ledger.in_force()
        kept = []
        for template in templates:
            reason = objection_to_match(template, in_force)
            if reason is None:
                kept.append(template)
            else:
                logger.warning("resident %s is not matched: %s", template.resident_id, reason.value)
        return kept
