"""Where the key that wraps all the others comes from. Named by what it protects against.

`KeyFile` is obfuscation: whoever has the card has the key. `CredentialKey` is as good as what
systemd decrypts it with: `systemd-creds encrypt --with-key=tpm2` binds it to the board's TPM.
`edge.store.remote_key.RemoteKey` is handed over by the site's server. Any other source is a class
with these two members.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from edge.durable import sync_folder
from edge.errors import KeyUnavailable, StoreError
from edge.store.sealer import KEY_BYTES, file_key, file_key_if_there
from edge.store.system_credentials import CREDENTIAL_STORE, OF_THIS_PROCESS
from edge.words import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SITE_KEY_FILE = "residents.key"
"""Name of the key file inside the data folder."""

CREDENTIAL = "facegate.key"
NEW_CREDENTIAL = "facegate-new.key"
CREDENTIAL_NAMES = CREDENTIAL, NEW_CREDENTIAL


class SiteKey(Protocol):
    """A source of the wrapping key."""

    @property
    def protection(self) -> Message:
        """What it protects against, in one line for people."""

    def keys(self) -> Sequence[bytes]:
        """Return the keys that may be in use, 32 bytes each, the current one first.

        More than one while keys are being changed. Raises `StoreError` when there is none.
        """

    @property
    def is_remote(self) -> bool:
        """Whether they come over the network."""

    def at_hand(self) -> Sequence[bytes]:
        """Return the keys that can be had without asking the network, perhaps not the newest."""


class KeyFile:
    """A key in a file, made when there is none. Keep it on another medium when you can."""

    protection = Message("panel.protection.obfuscation")
    is_remote = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._staged = path.with_name(path.name + ".new")

    def keys(self) -> Sequence[bytes]:
        """Return the key in the file, and a staged one beside it."""
        # The staged one first: where it is settled in between, the file below has it. And never made here:
        # one that appeared after that would lie on the card until the next change took it for new.
        staged = file_key_if_there(self._staged)
        return [file_key(self._path), *([] if staged is None else [staged])]

    def at_hand(self) -> Sequence[bytes]:
        """Return the same."""
        return self.keys()

    def stage(self) -> bytes:
        """Make the next key durable beside the current one and return it."""
        return file_key(self._staged)

    def destroy(self) -> None:
        """Overwrite and remove the key; what a flash card keeps in worn blocks is out of reach."""
        for path in (self._path, self._staged):
            with suppress(FileNotFoundError), path.open("r+b") as file:
                file.write(bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
                path.unlink()
        sync_folder(self._path.parent)

    def settle(self) -> None:
        """Make the staged key the current one; safe to repeat after a power cut."""
        if self._staged.exists():
            os.replace(self._staged, self._path)  # noqa: PTH105 - one atomic step
            sync_folder(self._path.parent)


class CredentialKey:
    """A key that systemd hands over in `$CREDENTIALS_DIRECTORY`, or root opened; never written by us."""

    protection = Message("panel.protection.credential")
    is_remote = False

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def keys(self) -> Sequence[bytes]:
        """Return the credentials `facegate.key` and, while keys are changed, `facegate-new.key`.

        Raises `KeyUnavailable` outside a unit that is given them, where root did not open them either.
        """
        given = OF_THIS_PROCESS.opened if self._folder is None else _read_all(self._folder)
        keys = [given[name] for name in CREDENTIAL_NAMES if name in given]
        if self._folder is None and not keys:
            raise KeyUnavailable(
                "; ".join(OF_THIS_PROCESS.troubles)
                or f"the credential {CREDENTIAL} is handed to the unit and to root: run this with sudo"
            )
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise StoreError(
                f"{self._folder or CREDENTIAL_STORE}: no credential {CREDENTIAL} of {KEY_BYTES} bytes; see"
                " LoadCredentialEncrypted= in the unit"
            )
        return keys

    def at_hand(self) -> Sequence[bytes]:
        """Return the same."""
        return self.keys()


def _read_all(folder: Path) -> dict[str, bytes]:
    paths = [folder / name for name in CREDENTIAL_NAMES]
    try:
        return {path.name: path.read_bytes() for path in paths if path.exists()}
    except OSError as error:
        # No crash of the door: PINs and cards go on without this key.
        raise KeyUnavailable(f"{folder}: the credential cannot be read now ({error.strerror})") from error


class EitherKey:
    """Two sources of which one wrapped the keyring: used while the source is being changed."""

    def __init__(self, new: SiteKey, old: SiteKey) -> None:
        self._sources = new, old
        self.protection, self.is_remote = new.protection, new.is_remote

    def keys(self) -> Sequence[bytes]:
        """Return the keys of both, the new one's first. Raises `KeyUnavailable` when neither has any."""
        found: list[bytes] = []
        for source in self._sources:
            with suppress(StoreError):
                found += source.keys()
        if not found:
            raise KeyUnavailable("the key's source is being changed, and neither source gives a key")
        return found

    def at_hand(self) -> Sequence[bytes]:
        """Return what both have at hand, the new one's first."""
        found: list[bytes] = []
        for source in self._sources:
            with suppress(StoreError):
                found += source.at_hand()
        return found
