"""Failed attempts at a door: by reader, and by the person an attempt pointed at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.domain import Reason
from edge.events import Kind
from edge.policy.access import refused
from edge.policy.ceiling import DAY_SECONDS, FEW, MOST_OF_ONE, MOST_OF_READER, Ceilings
from edge.policy.lockout import FAILURES, Lockout, LockoutRule
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edge.domain import Authorisation

READERS = ("face", "pin", "card", "pass")
GUESSED = frozenset({"pin", "card"})
"""The readers at which somebody can try numbers."""
CAMERA = "face"
"""The reader that needs no action: everybody who walks past shows it a face, and claims no identity."""

BESIDE_PAUSE_SECONDS = 300.0
"""Between two tries beside somebody's face or card, once the first few of a day were wrong. A face that waits
for its PIN may be a picture (at night these are not told apart), and a card may have been found. 288 tries a
day against two PINs of six digits are 0.06 %. A resident who mistyped that often can still use the PIN alone,
after the pause of the keypad."""

ATTACKS = frozenset({Reason.PRESENTATION_ATTACK, Reason.CHALLENGE_FAILED})
"""What counts at the camera. An unknown face is a passer-by: it costs its own visit and the
camera's hourly budget (`edge.recognition.budget`), never anybody else's turn."""


def reader_of(method: str) -> str:
    """Return the reader of a method: a face with a PIN was seen by the camera first."""
    return method.partition("+")[0]


@dataclass(frozen=True, slots=True)
class WrongTry:
    """A wrong PIN (`pin`) or an unknown card (`card`) of the time before this start.

    `claim` is the number that was typed, where somebody has it.
    """

    reader: str
    claim: str | None
    age_seconds: float


class Attempts:
    """Counts refusals that may have been tries, and refuses while a pause lasts. Any thread.

    A reader only ever pauses. An identity pauses too, or is switched off where the rule says so.
    The camera does not even pause: who was recognised there has claimed nothing but proved it, and
    liveness judges each face for itself. Its attacks are alarmed about, by door and by resident.
    `mono` gives monotonic seconds; `on_alarm` gets `access.attempts`.
    """

    def __init__(
        self,
        rule: LockoutRule,
        mono: Callable[[], float],
        on_alarm: Callable[[Kind, dict[str, Any]], object] = lambda _kind, _data: None,
    ) -> None:
        self._readers = Lockout(replace(rule, switch_off=False))
        self._people = Lockout(rule)
        # Without a pause: whoever holds pictures up before the camera would keep every resident waiting.
        watched = replace(rule, pause_seconds=0.0)
        self._camera = Lockout(replace(watched, switch_off=False))
        self._faces = Lockout(watched)
        # Never switched off: it is about what others typed beside this person's face.
        slow = replace(rule, pause_seconds=BESIDE_PAUSE_SECONDS, forget_seconds=DAY_SECONDS)
        self._beside = Lockout(replace(slow, switch_off=False))
        self._ceilings = Ceilings()
        self._mono = mono
        self._on_alarm = on_alarm

    def refuse(
        self, reader: str, claim: str | None = None, *, is_proven: bool = False
    ) -> Authorisation | None:
        """Return the refusal of a reader, or of whom it was shown, or None.

        `claim` is the resident or the number; `is_proven` says that they were recognised and not just named.
        A number with hardly any wrong tries is not refused for wrong tries at other numbers.
        """
        now, proven = self._mono(), claim if is_proven else None
        # The day's ceiling before any pause: waiting does not help there, a second factor does.
        more = self._needs_more(reader, claim, now)
        if more is not None:
            return more
        subjects = self._subjects(reader, claim)
        if self._is_fresh(reader, claim, now):  # wrong tries at other numbers do not count against it
            subjects = subjects[1:]
        # Every subject is asked, so that its pause counts from now and not one after the other.
        refusals = [
            _refusal(reason, subject, lockout.seconds_left(subject, now))
            for lockout, subject in subjects
            if (reason := lockout.refuse(subject, now, proven)) is not None
        ]
        return refusals[0] if refusals else None

    def _needs_more(self, reader: str, claim: str | None, now: float) -> Authorisation | None:
        """Return the refusal of a PIN or card alone after a day's share of wrong ones, or None."""
        is_fresh = self._is_fresh(reader, claim, now)
        for subject, most in _with_ceilings(reader, claim):
            if self._ceilings.count_of(subject, now) >= most and not is_fresh:
                rule = message("rule.tries_in_a_day", subject=subject)
                return refused(Reason.SECOND_FACTOR_REQUIRED, rule)
        return None

    def _is_fresh(self, reader: str, claim: str | None, now: float) -> bool:
        """Return whether hardly anybody tried this number lately, so that it is always looked at."""
        if reader not in GUESSED or claim is None:  # a face and a signed pass are no guess
            return False
        return self._ceilings.count_of(f"{reader} {claim}", now) < FEW

    def seconds_left(self, reader: str, claim: str) -> float:
        """Return how long the pauses of `reader` and of this resident still last, 0 for none."""
        now = self._mono()
        return max(lockout.seconds_left(subject, now) for lockout, subject in self._subjects(reader, claim))

    def note(self, reason: Reason, reader: str, claim: str | None = None) -> bool:
        """Count a refusal at `reader`; return True when staff was alarmed.

        `claim` is whom the attempt pointed at: a photo of their face, the number of their PIN.
        """
        if reason not in (ATTACKS if reader == CAMERA else FAILURES):
            return False
        now = self._mono()
        # Each is counted; an alarm at one must not keep the other from being counted.
        due = [subject for lockout, subject in self._subjects(reader, claim) if lockout.fail(subject, now)]
        for subject in due:
            self._on_alarm(Kind.ACCESS_ATTEMPTS, {"subject": subject, "reason": str(reason)})
        for subject, most in _with_ceilings(reader, claim):
            if self._ceilings.count(subject, most, now):
                told = {"subject": subject, "reason": str(reason), "in_24_h": most}
                self._on_alarm(Kind.ACCESS_ATTEMPTS, told)
        return bool(due)

    def remember(self, tries: Iterable[WrongTry]) -> None:
        """Count what was tried before this start, oldest first: the day's share is one of the day."""
        now = self._mono()
        for one in tries:
            for subject, most in _with_ceilings(one.reader, one.claim):
                # Its answer is not asked for: the alarm was raised when it happened.
                self._ceilings.count(subject, most, now - one.age_seconds)

    def may_try_beside(self, resident_id: str) -> bool:
        """Return whether what is typed or held up beside this person's face or card is looked at by that."""
        return self._beside.refuse(resident_id, self._mono()) is None

    def note_beside(self, people: Iterable[str]) -> None:
        """Count a wrong PIN or card beside the faces or cards of these people."""
        now = self._mono()
        for resident_id in people:
            self._beside.fail(resident_id, now)

    def forgive(self, reader: str, resident_id: str) -> None:
        """End the run of failures, at every reader: this resident has proved who they are at `reader`."""
        # The last of the subjects is the reader itself where nobody is claimed, and else the person there.
        for other, claim in [(reader, None), *((one, resident_id) for one in READERS)]:
            lockout, subject = self._subjects(other, claim)[-1]
            lockout.clear(subject)
        self._beside.clear(resident_id)

    def _subjects(self, reader: str, claim: str | None) -> list[tuple[Lockout, str]]:
        at_camera = reader == CAMERA
        readers, people = (self._camera, self._faces) if at_camera else (self._readers, self._people)
        claimed = [] if claim is None else [(people, f"{reader} {claim}")]
        return [(readers, reader), *claimed]


def _with_ceilings(reader: str, claim: str | None) -> list[tuple[str, int]]:
    """Return what has a ceiling at this reader, with the ceiling: a face and a signed pass are no guess."""
    if reader not in GUESSED:
        return []
    return [(reader, MOST_OF_READER)] + ([] if claim is None else [(f"{reader} {claim}", MOST_OF_ONE)])


def _refusal(reason: Reason, subject: str, seconds_left: float) -> Authorisation:
    rule = message("rule.failures", subject=subject)
    if seconds_left:
        rule = message("rule.failures_pause", subject=subject, seconds=f"{seconds_left:.0f}")
    return refused(reason, rule)
