"""PINs: typed as a number (the flat, say) and a secret; scrypt-hashed, compared in constant time.

A PIN alone would have to be looked up among everybody's: with a thousand residents every
thousandth guess of six digits opens. So the keypad takes `number * PIN #`, and a guess is a guess
at one household. An unknown number costs the same work as a known one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.errors import EnrolmentRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
"""16 MiB and about 70 ms a try. At the keypad the pauses do the rest; a stolen list is guarded by
the site's key, because no amount of work makes six digits hard to try out."""

DIGEST_BYTES = 32
MIN_DIGITS, MAX_DIGITS = 6, 12
"""Six digits are what NIST SP 800-63B asks of an activation secret."""

MAX_PER_NUMBER = 16
"""PINs under one number, duress PINs included: a large household."""

_NUMBER = re.compile(r"[0-9]{1,8}", re.ASCII)
_EMPTY = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class PinEntry:
    """One stored PIN. `digest` is scrypt's 32 bytes; `is_duress` opens and raises a silent alarm."""

    number: str
    resident_id: str
    digest: bytes = field(repr=False)
    is_duress: bool = False


@dataclass(frozen=True, slots=True)
class PinMatch:
    """Whose PIN was typed."""

    resident_id: str
    is_duress: bool


def check_pin(number: str, pin: str) -> None:
    """Raise `EnrolmentRefused` when `number` or `pin` may not be used, saying why."""
    if not _NUMBER.fullmatch(number):
        raise EnrolmentRefused(message("error.pin_number", number=number[:40]))
    if not (pin.isascii() and pin.isdigit() and MIN_DIGITS <= len(pin) <= MAX_DIGITS):
        raise EnrolmentRefused(message("error.pin_digits", least=MIN_DIGITS, most=MAX_DIGITS))
    # The same step from each digit to the next: 111111 (0), 123456 (1), 987654 (9, one back modulo ten).
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise EnrolmentRefused(message("error.pin_simple"))


def random_pin(number: str) -> str:
    """Return a PIN that nobody chose, so nobody guesses it. Raises `EnrolmentRefused` for a wrong number."""
    while True:
        pin = f"{secrets.randbelow(10**MIN_DIGITS):0{MIN_DIGITS}}"
        try:
            check_pin(number, pin)
        except EnrolmentRefused as refusal:
            if refusal.message.id == "error.pin_number":
                raise
            continue
        return pin


class PinBook:
    """All PINs of a door. Immutable; replace it whole when a PIN changes. Any thread.

    `key` is the site's secret (at least 16 bytes, kept apart from the entries): without it a
    stolen list of digests cannot even be guessed at.
    """

    def __init__(self, key: bytes, entries: Iterable[PinEntry] = ()) -> None:
        if len(key) < 16:
            raise ValueError(f"the PIN key has {len(key)} bytes; it needs at least 16 random ones")
        self._key = key
        by_number: dict[str, tuple[PinEntry, ...]] = {}
        for entry in entries:
            by_number[entry.number] = (*by_number.get(entry.number, ()), entry)
        self._by_number: Mapping[str, tuple[PinEntry, ...]] = MappingProxyType(by_number)

    @property
    def entries(self) -> tuple[PinEntry, ...]:
        """All stored PINs."""
        return tuple(entry for entries in self._by_number.values() for entry in entries)

    def without(self, people: Collection[str]) -> PinBook:
        """Return a book without the PINs of these people."""
        return PinBook(self._key, [one for one in self.entries if one.resident_id not in people])

    def match(self, number: str, pin: str) -> PinMatch | None:
        """Return whose PIN this is, or None. Takes as long for a number that does not exist.

        About 70 ms on a small board; call it off the camera's thread.
        """
        return self._match(number, self._digest(number, pin))

    def _match(self, number: str, digest: bytes) -> PinMatch | None:
        entries = self._by_number.get(number, ())
        found: PinEntry | None = None
        # Always as many comparisons, so that the time tells nothing of how many PINs a number has.
        for n in range(MAX_PER_NUMBER):
            entry = entries[n] if n < len(entries) else None
            if hmac.compare_digest(digest, entry.digest if entry else _EMPTY):
                found = entry
        return PinMatch(found.resident_id, found.is_duress) if found else None

    def with_pin(self, number: str, resident_id: str, pin: str, *, is_duress: bool = False) -> PinBook:
        """Return the book with this PIN set, in place of the resident's former one of its kind.

        Raises `EnrolmentRefused` when the PIN is unfit, already used under this number, or one too many.
        """
        check_pin(number, pin)
        kept = [e for e in self.entries if (e.resident_id, e.is_duress) != (resident_id, is_duress)]
        book = PinBook(self._key, kept)
        under = book._by_number.get(number, ())
        if len(under) >= MAX_PER_NUMBER:
            raise EnrolmentRefused(message("error.pin_full", number=number, count=len(under)))
        digest = self._digest(number, pin)
        # Under one number a PIN means one person, and one of its two kinds: else duress would open without
        # alarm.
        if book._match(number, digest) is not None:
            raise EnrolmentRefused(message("error.pin_taken", number=number))
        return PinBook(self._key, [*kept, PinEntry(number, resident_id, digest, is_duress)])

    def owners_of(self, number: str) -> tuple[str, ...]:
        """Return the residents with a PIN under `number`, each once."""
        return tuple(dict.fromkeys(entry.resident_id for entry in self._by_number.get(number, ())))

    def _digest(self, number: str, pin: str) -> bytes:
        # The number is part of the salt: equal PINs of two flats have different digests.
        salt = hmac.digest(self._key, b"facegate pin " + number.encode(), "sha256")
        return hashlib.scrypt(pin.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=DIGEST_BYTES)
