"""The consent gate: only templates whose consent is in force get from the store into a gallery."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge.aside import monotonic
from edge.consent.rules import matchable
from edge.errors import StoreDamaged, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from edge.domain import Consent, Reason, Template
    from edge.store.consents import ConsentLedger

logger = logging.getLogger(__name__)

DAMAGED_SECONDS = 30.0
"""Between two looks at a ledger of which nothing could be read: a person has to restore it."""

MOST_NAMED = 20
"""Residents named in one event or line; the others are counted and listed by `facegate consent list`."""

WAY_OUT = "have each sign the notice, then: facegate consent record RESIDENT... --consent WHERE-IT-IS-KEPT"


class ConsentGate:
    """Lets those templates through whose consent is in force. Any thread.

    Asks the ledger each time. Raises `StoreError` when it cannot be read: then nothing may be matched.
    """

    def __init__(self, ledger: ConsentLedger, counting: Callable[[], frozenset[str]] = frozenset) -> None:
        self._ledger = ledger
        self._counting = counting

    def permitted(self, templates: Iterable[Template]) -> list[Template]:
        """Return the templates that may be matched, in their order; the log says who is left out."""
        kept, objections = matchable(templates, here_and(self._counting(), self._ledger.in_force()))
        if objections:
            logger.warning("%s", in_words(objections))
        return kept


class FollowedConsents:
    """The consents in force, kept up to date. One thread.

    `open_ledger` is called when the ledger is first needed, and again after it could not be read.
    `counting` says which consents given at other doors count here now; by default none does.
    """

    def __init__(
        self,
        open_ledger: Callable[[], ConsentLedger],
        counting: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.in_force: Mapping[str, Consent] = {}
        self.waiting: frozenset[str] = frozenset()
        """Consents given at other doors that do not count here now; nobody has to sign anything for that."""
        self._counting = counting
        self._counted: frozenset[str] = frozenset()
        self._open = open_ledger
        self._ledger: ConsentLedger | None = None
        self._mark: tuple[int, int, int] | None = None
        self._problem: str | None = None
        self._damage: StoreDamaged | None = None
        self._again_at = 0.0

    @property
    def problem(self) -> str | None:
        """Why the consents cannot be read, or not be changed, now; None for nothing known. Any thread."""
        ledger = self._ledger
        return self._problem or (None if ledger is None else ledger.problem)

    def follow(self) -> frozenset[str]:
        """Return the residents whose consents changed since the last call; cheap when none did.

        Raises `StoreError` while the ledger cannot be read; no consent is in force then.
        """
        if self._damage is not None and monotonic() < self._again_at:
            raise self._damage
        try:
            changed = self._read()
        except StoreError as error:
            self.close()
            self._problem = str(error)
            self._damage = error if isinstance(error, StoreDamaged) else None
            self._again_at = monotonic() + DAMAGED_SECONDS
            raise
        self._problem = None
        return changed

    def close(self) -> None:
        """Forget everything and close the file; the next `follow` begins anew."""
        self.in_force, self._mark = {}, None
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    def _read(self) -> frozenset[str]:
        if self._ledger is None:
            self._ledger = self._open()
        # The mark before the rows: what changes in between is then read once more at the next look.
        mark, counting = self._ledger.mark(), self._counting()
        if mark == self._mark and counting == self._counted:
            return frozenset()
        given = self._ledger.in_force()
        before, now = self.in_force, here_and(counting, given)
        self.waiting = frozenset(given.keys() - now.keys())
        changed = before.keys() ^ now.keys()
        self.in_force, self._mark, self._counted = now, mark, counting
        return frozenset((now.get(one) or before[one]).resident_id for one in changed)


def here_and(counting: frozenset[str], given: Mapping[str, Consent]) -> dict[str, Consent]:
    """Return the consents given at this door, and those of other doors that count here now."""
    return {one: consent for one, consent in given.items() if not consent.origin or one in counting}


def in_words(objections: Mapping[str, Reason]) -> str:
    """Return one line: who is not matched, why, and what to do about it."""
    named = ", ".join(f"{who} ({reason.value})" for who, reason in sorted(objections.items())[:MOST_NAMED])
    more = f" and {len(objections) - MOST_NAMED} more" if len(objections) > MOST_NAMED else ""
    return f"{len(objections)} resident(s) not matched because consent is missing: {named}{more}; {WAY_OUT}"


def health_data(objections: Collection[str]) -> dict[str, Any]:
    """Return the data of a `health.consent` event about residents who are not matched."""
    if not objections:
        return {"state": "ok"}
    named = sorted(objections)[:MOST_NAMED]
    return {"state": "missing", "residents": len(objections), "who": named, "way_out": WAY_OUT}
