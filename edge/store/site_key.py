"""Where the key that wraps all the others comes from. Named by what it protects against.

`KeyFile` is obfuscation: whoever has the card has the key. `CredentialKey` is as good as what
systemd decrypts it with: `systemd-creds encrypt --with-key=tpm2` binds it to the board's TPM,
and a board without one can be handed the credential at start by the site's server. Any other
source is a class with these two members.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from edge.errors import StoreError
from edge.store.sealer import KEY_BYTES, file_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CREDENTIAL = "facegate.key"
NEW_CREDENTIAL = "facegate-new.key"


class SiteKey(Protocol):
    """A source of the wrapping key."""

    @property
    def protection(self) -> str:
        """What it protects against, in one line for people."""

    def keys(self) -> Sequence[bytes]:
        """Return the keys that may be in use, 32 bytes each, the current one first.

        More than one while keys are being changed. Raises `StoreError` when there is none.
        """


class KeyFile:
    """A key in a file, made when there is none. Keep it on another medium when you can."""

    protection = "obfuscation: a copied database is useless, a stolen card is not protected"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._staged = path.with_name(path.name + ".new")

    def keys(self) -> Sequence[bytes]:
        """Return the key in the file, and a staged one beside it."""
        staged = [file_key(self._staged)] if self._staged.exists() else []
        return [file_key(self._path), *staged]

    def stage(self) -> bytes:
        """Make the next key durable beside the current one and return it."""
        return file_key(self._staged)

    def settle(self) -> None:
        """Make the staged key the current one; safe to repeat after a power cut."""
        if self._staged.exists():
            os.replace(self._staged, self._path)  # noqa: PTH105 - one atomic step
            _sync_folder(self._path.parent)


class CredentialKey:
    """A key that systemd hands over in `$CREDENTIALS_DIRECTORY`, never written by us."""

    protection = "systemd credential: as strong as what encrypted it (a TPM: a stolen card is useless)"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keys(self) -> Sequence[bytes]:
        """Return the credentials `facegate.key` and, while keys are changed, `facegate-new.key`."""
        paths = [self._folder / name for name in (CREDENTIAL, NEW_CREDENTIAL)]
        keys = [path.read_bytes() for path in paths if path.exists()]
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise StoreError(
                f"{self._folder}: no credential {CREDENTIAL} of {KEY_BYTES} bytes; see"
                " LoadCredentialEncrypted= in the unit"
            )
        return keys


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
