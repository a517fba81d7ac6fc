"""One encrypted stream in one file: nothing of it can be read, changed, reordered or cut off.

A header (marker, version, cost, salt), then chunks of AES-256-GCM. Every chunk is bound to the
header, to its number and to whether it is the last one, so that a file cut between two chunks
is refused as well (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
"""

from __future__ import annotations

import secrets
import struct
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from edge.errors import StoreError
from edge.words import message

if TYPE_CHECKING:
    from pathlib import Path

MARKER, VERSION = b"FGBACKUP", 1
HEADER = struct.Struct(">8sBBB16s")  # marker, version, log2 of scrypt's N, scrypt's p, salt
NONCE = struct.Struct(">xxxQB")  # 12 bytes: the chunk's number, and 1 for the last one
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
SCRYPT_R = 8
LEAST_PASSPHRASE = 10
"""Characters. Guessing happens on the guesser's machines, without any back-off."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess of the passphrase costs: 2^`log_n` KiB of memory, `p` times over.

    The default is 64 MiB twice, one of the equal choices of OWASP's password storage cheat sheet
    that a board with 512 MiB can bear.
    """

    log_n: int = 16
    p: int = 2

    @property
    def is_bearable(self) -> bool:
        """Whether a file may ask for it: a damaged header must not claim gigabytes."""
        return 8 <= self.log_n <= 17 and 1 <= self.p <= 4


class SealedWriter:
    """Encrypts what is written to it into `file`. Call `finish` once, or the file is worthless."""

    def __init__(self, file: BinaryIO, passphrase: str, cost: Cost) -> None:
        if len(passphrase) < LEAST_PASSPHRASE:
            raise StoreError(message("error.passphrase", least=LEAST_PASSPHRASE))
        salt = secrets.token_bytes(16)  # also makes the key new, so that chunk numbers can be nonces
        self._header = HEADER.pack(MARKER, VERSION, cost.log_n, cost.p, salt)
        self._cipher = AESGCM(_key(_composed(passphrase), salt, cost))
        self._file = file
        self._waiting = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> int:
        """Take `data`; return its length."""
        self._waiting += data
        while len(self._waiting) > CHUNK_BYTES:  # the last chunk waits: only `finish` knows it
            self._seal(bytes(self._waiting[:CHUNK_BYTES]), is_last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk."""
        self._seal(bytes(self._waiting), is_last=True)

    def _seal(self, plain: bytes, *, is_last: bool) -> None:
        nonce = NONCE.pack(self._number, is_last)
        self._file.write(self._cipher.encrypt(nonce, plain, self._header))
        self._number += 1


class SealedReader:
    """Gives back what was written. Raises `StoreError` for another file, passphrase, or any damage.

    A chunk is handed out only after it was proven; that it was the last one is known when `read`
    returned b"", so act on nothing before that. `path` is for messages.
    """

    def __init__(self, file: BinaryIO, passphrase: str, path: Path) -> None:
        self.path = path
        self._file = file
        self._header = file.read(HEADER.size)
        self._cost, self._salt = _read_header(self._header, path)
        self._ready = bytearray()
        # One chunk ahead: only by what follows is it known whether a chunk should say that it is the last.
        self._sealed = file.read(CHUNK_BYTES + TAG_BYTES)
        self._following = file.read(CHUNK_BYTES + TAG_BYTES)
        self._number = 0
        self._is_done = False
        self._cipher = self._proven(passphrase)

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end, b"" after it."""
        while len(self._ready) < size and not self._is_done:
            self._ready += self._next()
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _proven(self, passphrase: str) -> AESGCM:
        """Return the cipher that opens the first chunk: keyboards type letters with accents in two ways."""
        for typed in dict.fromkeys((_composed(passphrase), passphrase)):
            cipher = AESGCM(_key(typed, self._salt, self._cost))
            with suppress(InvalidTag, ValueError):
                cipher.decrypt(NONCE.pack(0, not self._following), self._sealed, self._header)
                return cipher
        raise StoreError(
            f"{self.path}: the backup cannot be opened: the passphrase is wrong, or it is damaged"
        )

    def _next(self) -> bytes:
        sealed, self._sealed = self._sealed, self._following
        self._following = self._file.read(CHUNK_BYTES + TAG_BYTES) if self._sealed else b""
        self._is_done = not self._sealed
        try:
            plain = self._cipher.decrypt(NONCE.pack(self._number, self._is_done), sealed, self._header)
        except (InvalidTag, ValueError) as error:
            raise StoreError(f"{self.path}: the backup cannot be opened: damaged or cut short") from error
        self._number += 1
        return plain


def require_sealed(path: Path) -> None:
    """Raise `StoreError` for a file that is no backup of ours: before anybody is asked for its passphrase."""
    try:
        with path.open("rb") as file:
            _read_header(file.read(HEADER.size), path)
    except OSError as error:
        raise StoreError(f"{path}: the backup cannot be read: {error.strerror}") from error


def _read_header(header: bytes, path: Path) -> tuple[Cost, bytes]:
    if len(header) != HEADER.size or not header.startswith(MARKER):
        raise StoreError(f"{path}: this is not a facegate backup; name another file")
    _, version, log_n, p, salt = HEADER.unpack(header)
    cost = Cost(log_n, p)
    if version != VERSION:
        raise StoreError(
            f"{path}: backup version {version}, this program knows {VERSION}; install the newer facegate"
        )
    if not cost.is_bearable:
        raise StoreError(f"{path}: the backup is damaged in its first bytes; use another copy")
    return cost, salt


def _composed(passphrase: str) -> str:
    """Return a passphrase in the one form that is used for new files (NFC)."""
    return unicodedata.normalize("NFC", passphrase)


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**cost.log_n, r=SCRYPT_R, p=cost.p).derive(
        passphrase.encode("utf-8", "surrogateescape")
    )
