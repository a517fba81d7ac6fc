"""Ways in beside the face: what a keypad, a card reader and a shown pass come to.

Everything here works without camera, models, broker and network. Each call returns what to write
into the journal and then what to do, in that order; nothing here opens anything.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft, Reason
from edge.entry_facts import EntryFacts
from edge.events import Kind
from edge.policy.access import refused
from edge.policy.entries import Entry
from edge.policy.methods import Method
from edge.policy.passes import is_like_a_pass, read_pass
from edge.policy.showings import Showings
from edge.words import Message, message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from edge.domain import Authorisation
    from edge.policy.door import DoorPolicy, Passage
    from edge.policy.pass_gate import PassGate
    from edge.policy.passes import Pass
    from edge.policy.pin import PinBook, PinMatch
    from edge.ports import Clock

FACTOR_SECONDS = 20.0
"""How long a recognised face waits for its PIN: to read the prompt and type twelve keys."""

NEW_CARD_SECONDS = 120.0
"""How long staff who opened somebody's sheet have to hold the new card to the reader."""

SAME_CARD_SECONDS, MOST_UNKNOWN_CARDS = 86_400.0, 256
"""An unknown card that was read within a day does not count as another guess; so many are remembered."""

AGAIN_SECONDS = 3.0
"""When a pass that is still held up is read again after it opened nothing: a lost guard is back by then."""


@dataclass(frozen=True, slots=True)
class CredentialAnswer:
    """Commit `draft`, then unlock for `rights.unlock_seconds` if allowed. `silent` is a duress alarm.

    Nothing at the door may show that there is a `silent`.
    """

    rights: Authorisation
    draft: EventDraft
    silent: EventDraft | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Who holds which credential: PINs, cards by `Card.id`, and the public keys that sign passes."""

    pins: PinBook
    cards: Mapping[str, str]
    pass_keys: tuple[bytes, ...] = ()
    is_known: bool = True
    """False while the credentials cannot be read: no PIN is wrong then, and no card a stranger's."""
    owed: frozenset[str] = frozenset()
    """People whose former credentials are still to be taken back: passes of these hosts are over."""


class CredentialDesk:
    """Answers PINs, cards and passes at one door. Any thread.

    `register` returns the credentials as they are now.
    """

    def __init__(
        self, policy: DoorPolicy, register: Callable[[], Register], gate: PassGate, clock: Clock
    ) -> None:
        self._policy = policy
        self._register = register
        self._gate = gate
        self._clock = clock
        self._lock = threading.Lock()
        self._typing = threading.Lock()
        self._seen: dict[str, float] = {}
        self._carded: dict[str, float] = {}
        self._showings = Showings()
        self._unknown_cards: dict[str, float] = {}
        self._new_card_until = float("-inf")

    def expect_pin(self, resident_id: str) -> None:
        """Take note that this face was recognised and needs its PIN now (`SECOND_FACTOR_REQUIRED`)."""
        with self._lock:
            self._seen[resident_id] = self._clock.monotonic() + FACTOR_SECONDS

    def expect_no_pin(self, resident_id: str) -> None:
        """Take note that this resident came in by whatever way: their PIN is waited for no more."""
        with self._lock:
            self._seen.pop(resident_id, None)

    def check_timeouts(self) -> list[CredentialAnswer]:
        """Return the refusals of faces whose PIN never came, each once; ask every second."""
        now = self._clock.monotonic()
        with self._lock:
            over = [who for who, until in self._seen.items() if now >= until]
            for who in over:
                del self._seen[who]
            self._carded = {who: until for who, until in self._carded.items() if now < until}
        rule = message("rule.no_pin", seconds=f"{FACTOR_SECONDS:g}")
        rights = refused(Reason.AUTHENTICATION_FACTOR_TIMEOUT, rule)
        return [self._answer(rights, Method.FACE_PIN, who) for who in over]

    def type_pin(self, number: str, pin: str) -> CredentialAnswer:
        """Return the answer to `number * pin #`. Takes about 70 ms, whatever was typed.

        One at a time: what is looked at was counted before, however many type at once.
        """
        # One register for the whole try, and no PIN called wrong, or counted, that could not be looked up.
        register = self._register()
        if not register.is_known:
            return self._answer(_UNREADABLE, Method.PIN, None)
        # One PIN at a time: ten keypads at once would otherwise try ten before the first failure counts.
        with self._typing:
            return self._type_pin(register.pins, number, pin)

    def _type_pin(self, book: PinBook, number: str, pin: str) -> CredentialAnswer:
        attempts, owners = self._policy.attempts, book.owners_of(number)
        # A number nobody has is not written down: it may be a PIN typed in the wrong place.
        known = {"number": number} if owners else {}
        claim = number if owners else None
        # Somebody who also shows a face or card of this number is not held up by wrong tries of strangers.
        shown = self._shown(*owners)
        besides = {who for who in shown if attempts.may_try_beside(who)}
        refusal = attempts.refuse(Method.PIN, claim)
        if refusal is not None and not besides:
            return self._answer(refusal, Method.PIN, None, **known)
        match = book.match(number, pin)
        if match is None:
            attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, Method.PIN, claim)
        if match is None or (refusal is not None and match.resident_id not in besides):
            attempts.note_beside(shown)
            # During a pause a right PIN of another person is refused like a wrong one: the answer must not
            # tell.
            rights = refusal or refused(Reason.INCORRECT_AUTHENTICATION_FACTOR, Message("rule.wrong_pin"))
            return self._answer(rights, Method.PIN, None, **known)
        attempts.forgive(Method.PIN, number)
        return self._admit_pin(match, known)

    def present_card(self, card_id: str) -> CredentialAnswer:
        """Return the answer to a card. A card's number is no secret: it can be copied."""
        register = self._register()
        if not register.is_known:
            return self._answer(_UNREADABLE, Method.CARD, None)
        attempts, resident_id = self._policy.attempts, register.cards.get(card_id)
        seen = self._waiting(self._seen)
        besides = resident_id in seen and attempts.may_try_beside(resident_id or "")
        if resident_id is None:
            attempts.note_beside(seen)
        # During a pause every card is refused alike, known or not: another answer for a known one would tell
        # a forger which number to come back with.
        if not besides and (refusal := attempts.refuse(Method.CARD)) is not None:
            if refusal.reason is Reason.SECOND_FACTOR_REQUIRED and resident_id is not None:
                with self._lock:  # and the PIN of the same person opens now
                    self._carded[resident_id] = self._clock.monotonic() + FACTOR_SECONDS
            return self._answer(refusal, Method.CARD, None)
        if resident_id is None:
            # Not counted again: some readers repeat a card for as long as it lies there.
            if self._is_another_card(card_id) and not self._take_new_card():
                attempts.note(Reason.UNKNOWN_CREDENTIAL, Method.CARD)
            # Only a stranger's card is named: that of a resident is theirs, and the journal is plain text.
            rights = refused(Reason.UNKNOWN_CREDENTIAL, Message("rule.unknown_card"))
            return self._answer(rights, Method.CARD, None, card=card_id)
        rights = self._policy.authorise(resident_id, self._clock.now(), Method.CARD)
        if rights.allowed:
            attempts.forgive(Method.CARD, resident_id)
        return self._answer(rights, Method.CARD, resident_id)

    def expect_card(self) -> None:
        """Take note that staff are about to give somebody a new card: the next unknown one is no guess.

        One card for each call, within two minutes: twenty new cards must not make the door pause for
        everybody, and a page that stays open must not let anybody try cards uncounted.
        """
        with self._lock:
            self._new_card_until = self._clock.monotonic() + NEW_CARD_SECONDS

    def _is_another_card(self, card_id: str) -> bool:
        """Return whether this unknown card, which was looked at, was not looked at lately."""
        now = self._clock.monotonic()
        with self._lock:
            shown = self._unknown_cards.pop(card_id, float("-inf"))
            self._unknown_cards[card_id] = now
            while len(self._unknown_cards) > MOST_UNKNOWN_CARDS:
                del self._unknown_cards[next(iter(self._unknown_cards))]
            return now - shown >= SAME_CARD_SECONDS

    def _take_new_card(self) -> bool:
        with self._lock:
            until, self._new_card_until = self._new_card_until, float("-inf")
            return self._clock.monotonic() < until

    def _shown(self, *people: str) -> set[str]:
        """Return which of these people were seen, or held a card there, just now."""
        return (self._waiting(self._seen) | self._waiting(self._carded)) & set(people)

    def _waiting(self, shown: Mapping[str, float]) -> set[str]:
        now = self._clock.monotonic()
        with self._lock:
            return {who for who, until in shown.items() if now < until}

    def show_pass(self, text: str) -> CredentialAnswer | None:
        """Return the answer to a QR code's text, or None when it is no pass or still the same showing."""
        if not is_like_a_pass(text):
            return None
        register = self._register()
        shown = read_pass(text, register.pass_keys)
        # An unsigned code is marked by its text, cut short: it can be any QR code that begins so.
        mark, now = shown.id if shown else text.encode()[:128], self._clock.monotonic()
        if self._showings.is_still_shown(mark, now):
            return None
        pause = self._policy.attempts.refuse(Method.PASS)
        # Held up patiently it is answered once more when the pause is over: the visitor need not know of it.
        if pause is not None:
            left = self._policy.attempts.seconds_left(Method.PASS, mark.hex())
            self._showings.look_again(mark, now + left)
            return self._answer(pause, Method.PASS, None)
        if shown is None:
            self._policy.attempts.note(Reason.UNKNOWN_CREDENTIAL, Method.PASS)
            return self._answer(
                refused(Reason.UNKNOWN_CREDENTIAL, Message("rule.pass_unsigned")), Method.PASS, None
            )
        return self._admit_pass(shown, mark, is_ended=shown.host_id in register.owed)

    def _admit_pass(self, shown: Pass, mark: bytes, *, is_ended: bool) -> CredentialAnswer:
        at, who = self._clock.now(), f"pass {shown.id.hex()}"
        # All that may refuse it before the gate, which takes one of its uses.
        refusal = self._policy.refuse_by_mode(at) or self._policy.refuse_passed_back(who, Method.PASS)
        if is_ended and refusal is None:
            refusal = refused(
                Reason.CREDENTIAL_ENDED, message("rule.pass", pass_id=shown.id.hex(), host=shown.host_id)
            )
        rights = refusal or self._gate.authorise(shown, at)
        if rights.allowed:
            entry = Entry(who, at, Method.PASS)
            passage = self._policy.passage(entry, rights.unlock_seconds, shown.id.hex())
            rights = self._with_notes(rights, passage, mark, at)
        kind = shown.kind.name.lower()
        return self._answer(rights, Method.PASS, None, host=shown.host_id, pass_id=shown.id.hex(), kind=kind)

    def _with_notes(
        self, rights: Authorisation, passage: Passage, mark: bytes, at: datetime
    ) -> Authorisation:
        """Return `rights` that also note the entry, and have a pass that opened nothing looked at again."""

        def not_opened() -> None:
            rights.not_opened()
            passage.not_opened()
            self._showings.look_again(mark, self._clock.monotonic() + AGAIN_SECONDS)

        def ended() -> Reason | None:
            refusal = self._policy.refuse_by_mode(at)
            return None if refusal is None else refusal.reason

        return replace(rights, opened=passage.opened, not_opened=not_opened, ended=ended)

    def _admit_pin(self, match: PinMatch, known: dict[str, str]) -> CredentialAnswer:
        method = Method.FACE_PIN if self._take_awaited(match.resident_id) else Method.PIN
        rights = self._policy.authorise(match.resident_id, self._clock.now(), method)
        answer = self._answer(rights, method, match.resident_id, **known)
        # The answer is the same to the letter, with or without duress; only a second, silent entry differs.
        if not match.is_duress:
            return answer
        data = {"method": str(method), "opened": rights.allowed}
        alarm = self._draft(Kind.ALARM_DURESS, match.resident_id, None, data)
        return CredentialAnswer(answer.rights, answer.draft, alarm)

    def _take_awaited(self, resident_id: str) -> bool:
        """Return whether this person's face waits for the PIN, and stop waiting if so."""
        with self._lock:
            self._carded.pop(resident_id, None)
            return self._clock.monotonic() < self._seen.pop(resident_id, float("-inf"))

    def _answer(
        self, rights: Authorisation, method: Method, resident_id: str | None, **more: str
    ) -> CredentialAnswer:
        kind = Kind.ACCESS_GRANTED if rights.allowed else Kind.ACCESS_DENIED
        told = {**rights.rule.recorded("rule"), **more}
        facts = EntryFacts(str(method), rights.unlock_seconds, more=told)
        return CredentialAnswer(rights, self._draft(kind, resident_id, str(rights.reason), facts.stored()))

    def _draft(
        self, kind: Kind, resident_id: str | None, reason: str | None, data: dict[str, Any]
    ) -> EventDraft:
        return EventDraft.now(self._clock, kind, data, resident_id=resident_id, reason=reason)


_UNREADABLE = refused(Reason.AUTHENTICATION_UNAVAILABLE, Message("rule.credentials_unreadable"))
