"""Whether a visitor pass opens this door now. Works offline; uses are counted on disk."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from edge.domain import Authorisation, Reason
from edge.errors import StoreError
from edge.words import Message, message

if TYPE_CHECKING:
    from datetime import datetime

    from edge.policy.access import AccessRules
    from edge.policy.passes import Pass

logger = logging.getLogger(__name__)


class PassLedger(Protocol):
    """Remembers how often each pass was used, across restarts. Any thread."""

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        """Count one use durably, at a trusted time, and return its number (1, 2, ...).

        None when none is left, or when the pass began before the last time at which the counts were lost.
        `max_uses` 0 means any number; the record may be dropped after `until`. Raises `StoreError` when it
        cannot be written down: a pass that is not counted would open without end.
        """

    def is_ended(self, pass_id: bytes, begins: datetime) -> bool:
        """Return whether a pass was taken back before its time. Raises `StoreError`."""

    def give_back(self, pass_id: bytes) -> None:
        """Take one use back: the door did not open. Raises `StoreError` when that cannot be written down."""


@dataclass(slots=True)
class PassGate:
    """Rules for passes at the door of `rules`, which may be replaced as a whole.

    A pass is bound to its times, so it waits while the clock is not trusted; it ends with its
    host's own right to be here.
    """

    rules: AccessRules
    ledger: PassLedger

    def authorise(self, shown: Pass, at: datetime) -> Authorisation:
        """Return whether `shown` (its signature was checked) opens at `at` (UTC).

        If so its use is taken durably, before the door opens: a power cut in between must not leave a
        pass that opens for ever. `not_opened` of the answer gives it back.
        """
        its = {"pass_id": shown.id.hex(), "host": shown.host_id}
        # Before a use is counted: a pass shown too early, or at another door, must not be used up.
        refusal = self._refuse_by_time(shown, at) or self._refuse_by_place(shown, at)
        if refusal is not None:
            return _answer(refusal, message("rule.pass", **its))
        try:
            use = self.ledger.take(shown.id, shown.max_uses, shown.valid_from, shown.valid_until, at)
            # Only asked where no use was given: a second look at the card for the few that are refused.
            is_ended = use is None and self.ledger.is_ended(shown.id, shown.valid_from)
        except StoreError as error:
            return _answer(
                Reason.AUTHENTICATION_UNAVAILABLE, message("rule.pass_uncounted", **its, error=str(error))
            )
        if is_ended:
            return _answer(Reason.CREDENTIAL_ENDED, message("rule.pass", **its))
        if use is None:
            return _answer(
                Reason.CREDENTIAL_MAX_USES, message("rule.pass_used_up", **its, uses=shown.max_uses)
            )
        rule = message("rule.pass_use", **its, use=use, uses=shown.max_uses)
        if not shown.max_uses:
            rule = message("rule.pass_use_free", **its, use=use)
        answer = _answer(Reason.GRANTED, rule, self.rules.book.unlock_seconds)
        return replace(answer, not_opened=lambda: self._give_back(shown))

    def _give_back(self, shown: Pass) -> None:
        try:
            self.ledger.give_back(shown.id)
        except StoreError as error:
            logger.error("a use of pass %s that opened nothing stays counted: %s", shown.id.hex(), error)  # noqa: TRY400

    def _refuse_by_time(self, shown: Pass, at: datetime) -> Reason | None:
        # As in `AccessRules`: expired only where it is so at each time that it may be, valid only likewise.
        floor, moments = self.rules.trust.floor, self.rules.trust.moments(at)
        if shown.valid_until <= max(min(moments, default=floor), floor):
            return Reason.CREDENTIAL_EXPIRED
        if not moments or shown.valid_until <= max(moments):
            return Reason.CLOCK_UNTRUSTED
        if max(moments) < shown.valid_from:
            return Reason.CREDENTIAL_NOT_YET_ACTIVE
        return Reason.CLOCK_UNTRUSTED if min(moments) < shown.valid_from else None

    def _refuse_by_place(self, shown: Pass, at: datetime) -> Reason | None:
        is_welcome = shown.opens(self.rules.door_id) and self.rules.is_current(shown.host_id, at)
        return None if is_welcome else Reason.NO_ACCESS_RIGHTS


def _answer(reason: Reason, rule: Message, unlock_seconds: float = 0.0) -> Authorisation:
    return Authorisation(reason is Reason.GRANTED, reason, unlock_seconds, rule)
