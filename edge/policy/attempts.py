"""Failed attempts at a door: by reader, and by the person an attempt pointed at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.domain import Authorisation, Reason
from edge.policy.lockout import FAILURES, Lockout, LockoutRule

if TYPE_CHECKING:
    from collections.abc import Callable

READERS = ("face", "pin", "card", "pass")


def reader_of(method: str) -> str:
    """Return the reader of a method: a face with a PIN was seen by the camera first."""
    return method.partition("+")[0]


class Attempts:
    """Counts refusals that may have been tries, and refuses while a pause lasts. Any thread.

    A reader only ever pauses. An identity pauses too, or is switched off where the rule says so.
    `mono` gives monotonic seconds; `on_alarm` gets `access.attempts`.
    """

    def __init__(
        self,
        rule: LockoutRule,
        mono: Callable[[], float],
        on_alarm: Callable[[str, dict[str, Any]], None] = lambda _kind, _data: None,
    ) -> None:
        self._readers = Lockout(replace(rule, switch_off=False))
        self._people = Lockout(rule)
        self._mono = mono
        self._on_alarm = on_alarm

    def refuse(
        self, reader: str, claim: str | None = None, *, is_proven: bool = False
    ) -> Authorisation | None:
        """Return the refusal of a reader, or of whom it was shown, or None.

        `claim` is the resident; `is_proven` says that he was recognised and not just named.
        """
        now, proven = self._mono(), claim if is_proven else None
        # Every subject is asked, so that its pause counts from now and not one after the other.
        refusals = [
            _refusal(reason, subject, lockout.seconds_left(subject, now))
            for lockout, subject in self._subjects(reader, claim)
            if (reason := lockout.refuse(subject, now, proven)) is not None
        ]
        return refusals[0] if refusals else None

    def seconds_left(self, reader: str, claim: str) -> float:
        """Return how long the pauses of `reader` and of this resident still last, 0 for none."""
        now = self._mono()
        return max(lockout.seconds_left(subject, now) for lockout, subject in self._subjects(reader, claim))

    def note(self, reason: Reason, reader: str, claim: str | None = None) -> bool:
        """Count a refusal at `reader`; return True when staff was alarmed.

        `claim` is whom the attempt pointed at: a photo of his face, the number of his PIN.
        """
        if reason not in FAILURES:
            return False
        now = self._mono()
        due = [subject for lockout, subject in self._subjects(reader, claim) if lockout.fail(subject, now)]
        for subject in due:
            self._on_alarm("access.attempts", {"subject": subject, "reason": str(reason)})
        return bool(due)

    def forgive(self, reader: str, resident_id: str) -> None:
        """End the run of failures: this resident has proved himself at `reader`, so for every reader."""
        self._readers.clear(reader)
        for other in READERS:
            self._people.clear(f"{other} {resident_id}")

    def _subjects(self, reader: str, claim: str | None) -> list[tuple[Lockout, str]]:
        people = [] if claim is None else [(self._people, f"{reader} {claim}")]
        return [(self._readers, reader), *people]


def _refusal(reason: Reason, subject: str, seconds_left: float) -> Authorisation:
    left = f", {seconds_left:.0f} s left" if seconds_left else ""
    rule = f"too many failures: {subject}{left}"
    return Authorisation(allowed=False, reason=reason, unlock_seconds=0.0, rule=rule)
