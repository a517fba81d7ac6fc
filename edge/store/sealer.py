"""Templates at rest: sealed before they touch the disk, opened into memory only.

What this protects against, and what not: a copied or backed-up database file alone is useless
without the key. A stolen card that carries the key file as well is *not* protected; for that
the key must come from elsewhere (a TPM, a systemd credential bound to one, a site server).
"""

from __future__ import annotations

import hmac
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.durable import write_first
from edge.errors import KeyUnavailable, StoreError
from edge.store.bound_rows import row_key, row_mac

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 12  # what AES-GCM is specified for (NIST SP 800-38D, section 8.2)
FORMAT_AES_GCM = b"\x01"


class Sealer(Protocol):
    """Turns template bytes into something worthless without a key, and back."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return `plain` encrypted and bound to `context` (whose template this is)."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes. Raises `StoreError` for another key, context or damage."""

    def bind(self, row: bytes) -> bytes:
        """Return the mark that shows that we wrote this row (see `edge.store.bound_rows`)."""

    def is_ours(self, row: bytes, mark: bytes | None) -> bool:
        """Return whether we wrote this row, or nobody can tell yet. Raises `KeyUnavailable`."""

    def forget(self, person: str) -> str | None:
        """Destroy what only this person's templates are sealed with; return its fingerprint, or None."""

    def forget_all(self, people: Iterable[str]) -> None:
        """Do the same for several people at once."""

    def people(self) -> tuple[str, ...]:
        """Return whose templates are sealed with a key of their own, ordered by id."""

    def close(self) -> None:
        """Let go of files. Safe to call twice."""


class AesGcmSealer:
    """AES-256-GCM with one key: a format byte, a nonce, then ciphertext with its tag. Any thread.

    Adds 29 bytes. Random nonces are safe for 2^32 templates under one key (same standard, 8.3).
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        if len(key) != KEY_BYTES:
            raise StoreError(f"the template key has {len(key)} bytes; it must have {KEY_BYTES}")
        self._cipher = AESGCM(key)
        self._row_key = row_key(key)
        self._random = random

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return format byte, fresh nonce and ciphertext."""
        nonce = self._random(NONCE_BYTES)
        return FORMAT_AES_GCM + nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes, or raise `StoreError`."""
        if sealed[:1] != FORMAT_AES_GCM:
            raise StoreError("a template is sealed in a format this program does not know")
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, context)
        except (InvalidTag, ValueError) as error:
            raise StoreError("a template cannot be opened: damaged, or sealed with another key") from error

    def bind(self, row: bytes) -> bytes:
        """Return the row's mark under this key."""
        return row_mac(self._row_key, row)

    def is_ours(self, row: bytes, mark: bytes | None) -> bool:
        """Return whether this key gave the row its mark."""
        return mark is not None and hmac.compare_digest(self.bind(row), mark)

    def forget(self, person: str) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Return None: one key for all cannot be destroyed for one."""
        return None

    def forget_all(self, people: Iterable[str]) -> None:
        """Do nothing: one key for all cannot be destroyed for some."""

    def people(self) -> tuple[str, ...]:
        """Return nobody."""
        return ()

    def close(self) -> None:
        """Nothing is held open."""


def file_key(path: Path) -> bytes:
    """Return the key kept in `path`, made (mode 0600) when there is none yet.

    Raises `StoreError` when the file is not a key, `KeyUnavailable` when it cannot be read or made now.
    Keep it on another medium than the database when you can; losing it means enrolling everybody again.
    """
    try:
        with suppress(FileNotFoundError):
            return _read_key(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_first(path, secrets.token_bytes(KEY_BYTES))
        return _read_key(path)
    except OSError as error:
        raise KeyUnavailable(f"{path}: the key cannot be had now ({error.strerror})") from error


def file_key_if_there(path: Path) -> bytes | None:
    """Return the key kept in `path`, None where there is none; makes none. Raises as `file_key` does."""
    try:
        return _read_key(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyUnavailable(f"{path}: the key cannot be had now ({error.strerror})") from error


def kept_key(path: Path) -> bytes:
    """Return the key kept in `path`, where one was kept before: a lost one is never made anew.

    Raises `StoreError` when it is gone or not a key, `KeyUnavailable` when it cannot be read now.
    """
    try:
        return _read_key(path)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: the key is gone; restore the file") from error
    except OSError as error:
        raise KeyUnavailable(f"{path}: the key cannot be had now ({error.strerror})") from error


def _read_key(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path}: {len(key)} bytes are not a template key ({KEY_BYTES}); restore the file")
    return key
