"""The door's own keys: one to sign, some to receive with, of which the old ones die."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.wire.faces.envelope import ReceivingKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.store.face_book import FaceBook

NEW_SECONDS = 30 * 86_400.0
OLD_SECONDS = 60 * 86_400.0
"""Of the door's running time: no clock that somebody sets ages a key or keeps it young."""


def signing_key(book: FaceBook) -> Ed25519PrivateKey:
    """Return the key this door signs with, made when there is none yet."""
    private = book.signing_key()
    if private is None:
        book.keep_signing_key(secrets.token_bytes(32))
        private = book.signing_key() or b""
    return Ed25519PrivateKey.from_private_bytes(private)


class ReceivingKeys:
    """The keys a door receives with: a new one every 30 days of running, none older than 60. One thread."""

    def __init__(self, book: FaceBook, ran_seconds: Callable[[], float]) -> None:
        self._book = book
        self._ran_seconds = ran_seconds
        self._keys: dict[int, tuple[float, ReceivingKey]] | None = None

    @property
    def keys(self) -> Mapping[int, ReceivingKey]:
        """Return the keys that still open envelopes, by number. Raises `StoreError`."""
        return {number: key for number, (_, key) in self._read().items()}

    @property
    def current(self) -> tuple[int, ReceivingKey]:
        """Return number and key that others are to seal for."""
        keys = self.keys
        number = max(keys)
        return number, keys[number]

    def look(self) -> bool:
        """Make a new key and destroy old ones when it is time; say whether there is a new one."""
        now = self._ran_seconds()
        # A running time that went back is that of a clock file which was lost: such keys have no age.
        old = {number for number, (made, _) in self._read().items() if not 0 <= now - made < OLD_SECONDS}
        newest = max((made for number, (made, _) in self._read().items() if number not in old), default=None)
        is_due = newest is None or now - newest >= NEW_SECONDS
        if is_due:
            self._add()
        return self.destroy(old) or is_due

    def destroy(self, numbers: Iterable[int]) -> bool:
        """Destroy these keys; return whether a new one had to be made for what comes next."""
        gone = set(numbers) & self._read().keys()
        if not gone:
            return False
        is_current = max(self._read()) in gone
        if is_current:
            self._add()  # first: its number has to be above the one that goes
        self._book.destroy_receiving_keys(sorted(gone))
        self._keys = None
        return is_current

    def _add(self) -> None:
        self._book.add_receiving_key(ReceivingKey.new().private, self._ran_seconds())
        self._keys = None

    def _read(self) -> dict[int, tuple[float, ReceivingKey]]:
        if self._keys is None:
            kept = self._book.receiving_keys()
            self._keys = {number: (made, ReceivingKey(private)) for number, (made, private) in kept.items()}
        return self._keys
