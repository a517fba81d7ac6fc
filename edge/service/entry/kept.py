"""What a door keeps on its card beside the journal, and goes on without when the card is bad."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from edge.errors import StoreError
from edge.policy.desk import Register
from edge.policy.modes import DoorState, Mode
from edge.policy.pin import PinBook, PinEntry
from edge.store.credentials import CREDENTIALS_FILE, PIN_KEY_FILE, CredentialStore
from edge.store.sealer import file_key
from edge.store.small_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Resident
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)


class Credentials:
    """The credential file, opened when first needed and again after it failed. Any thread.

    Raises `StoreError` while it cannot be used; PINs and cards then answer as last read.
    """

    def __init__(self, data: Path, pass_keys: tuple[bytes, ...]) -> None:
        self._data = data
        self._pass_keys = pass_keys
        self._store: CredentialStore | None = None
        self._register: Register | None = None

    def register(self) -> Register:
        """Return who holds what, as it is now or, on a bad card, as it was last."""
        try:
            self._register = self._read()
        except (StoreError, OSError) as error:
            logger.error("PINs and cards answer as last read: %s", error)  # noqa: TRY400 - one clear line
        return self._register or Register(PinBook(bytes(32)), {}, self._pass_keys)

    def take(self, pass_id: bytes, max_uses: int, until: datetime) -> int | None:
        """Count one use of a pass; see `CredentialStore.take`."""
        return self._open().take(pass_id, max_uses, until)

    def give_back(self, pass_id: bytes) -> None:
        """Take one use of a pass back; see `CredentialStore.give_back`."""
        self._open().give_back(pass_id)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._store is not None:
            self._store.close()

    def _open(self) -> CredentialStore:
        if self._store is None:
            self._store = CredentialStore(self._data / CREDENTIALS_FILE)
        return self._store

    def _read(self) -> Register:
        store = self._open()
        entries = [PinEntry(row.number, row.resident_id, row.digest, row.is_duress) for row in store.pins()]
        pins = PinBook(file_key(self._data / PIN_KEY_FILE), entries)
        return Register(pins, store.cards(), self._pass_keys)


class EndedPasses:
    """The uses of visitor passes that ended: a chore. One thread at a time."""

    def __init__(self, data: Path) -> None:
        self._path = data / CREDENTIALS_FILE

    def prune(self, certain: datetime | None) -> int:
        """Forget uses that count for nothing any more; return how many. Raises `StoreError`."""
        if certain is None or not self._path.exists():
            return 0
        with closing(CredentialStore(self._path)) as store:
            return store.forget_uses(certain)


class Roster:
    """Residents by id; on a bad card as they were last read. Any thread."""

    def __init__(self, store: ResidentStore) -> None:
        self._store = store
        self._last: dict[str, Resident | None] = {}

    def find(self, resident_id: str) -> Resident | None:
        """Return the resident, or None when there is none of that id."""
        try:
            self._last[resident_id] = self._store.get(resident_id)
        except StoreError as error:
            logger.error("%s is taken from memory: %s", resident_id, error)  # noqa: TRY400 - one clear line
        return self._last.get(resident_id)


class ModeFile:
    """The mode that was commanded, kept on disk: a power cut must not end a lock-down. One thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> DoorState | None:
        """Return what was commanded last, None for nothing or nothing readable."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            until = kept["until"]
            return DoorState(
                Mode(kept["mode"]), datetime.fromisoformat(until) if until else None, str(kept["by"])
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.error("%s: the door's mode is lost (%s); command it again", self._path, error)  # noqa: TRY400
            return None

    def save(self, state: DoorState) -> None:
        """Keep `state`. A disk that cannot be written to is logged: the mode holds until a restart."""
        until = state.until.isoformat() if state.until else None
        kept = {"mode": str(state.mode), "until": until, "by": state.by}
        try:
            write_whole(self._path, json.dumps(kept).encode())
        except OSError as error:
            logger.error("%s: the door's mode will not survive a restart: %s", self._path, error)  # noqa: TRY400
