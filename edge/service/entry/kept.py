"""What a door keeps on its card beside the journal, and goes on without when the card fails."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from edge.aside import Aside, TooSlow, monotonic
from edge.errors import JournalUnavailable, StoreDamaged, StoreError
from edge.events import Kind
from edge.floods import FloodLimit
from edge.policy.desk import Register
from edge.policy.modes import Mode, ModeState
from edge.policy.passes import pass_public_key
from edge.policy.pin import PinBook, PinEntry
from edge.store.credentials import PASS_KEY_FILE, CredentialStore
from edge.store.key_source import keyring_of
from edge.store.mode_rows import SHUTTING, is_mode_ours, read_mode, write_mode
from edge.store.reader import JOURNAL_FILE, JournalReader
from edge.store.sealer import kept_key
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.domain import Resident
    from edge.store.keyring import Keyring
    from edge.store.residents import ResidentStore

AGAIN_SECONDS = 5.0
"""Between two attempts to write down the mode on a card that fails."""

TOLD = "told"
"""Whether the journal has a kept mode: its key in the file, where earlier versions have none."""

T = TypeVar("T")

logger = logging.getLogger(__name__)

DAMAGED_SECONDS = 30.0
"""Between two looks at credentials of which nothing could be read: a person has to restore them."""


class Credentials:
    """The credential file, opened when first needed and again after it failed. Any thread.

    While it cannot be read PINs and cards answer as last read, and before that not at all; those of `owed`
    people, which are still to be taken back, count for nothing. `report` gets
    the data of a `health.credentials` event when that begins and when it is over, and when rows turn out to
    be somebody else's. `take` raises `StoreError` while the file cannot be used. A card that hangs counts as
    one that fails: it is asked aside. `news` is the data of a `health.edited` event, once: of passes.
    """

    def __init__(
        self,
        data: Path,
        pass_keys: tuple[bytes, ...],
        report: Callable[[dict[str, str]], object] = lambda _data: None,
        owed: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._data = data
        self._owed = owed
        self._pass_keys = pass_keys
        self._own_pass_key: bytes | None = None
        self._store: CredentialStore | None = None
        self._register: Register | None = None
        self._report = report
        self._problem = ""
        self._edited: tuple[str, ...] = ()
        self._are_passes_edited = False
        self.news: dict[str, str] | None = None
        self._aside = Aside("credentials")
        self._mark: tuple[int, int, int] | None = None
        self._damage: StoreDamaged | None = None
        self._again_at = 0.0

    @property
    def problem(self) -> str | None:
        """Why nothing can be changed now, None when it can as far as is known."""
        return None if self._store is None else self._store.problem

    @property
    def reads_passes(self) -> bool:
        """Whether there is a key that signs visitor passes: only then is a picture worth a look."""
        return bool(self._pass_keys) or self._own_pass_key is not None

    def register(self) -> Register:
        """Return who holds what, as it is now or, on a bad card, as it was last."""
        # Before and after what is held: either may change while the other is read.
        owed = self._owed()
        try:
            self._register = self._aside.ask(self._read)
        except (StoreError, OSError, sqlite3.Error, ValueError) as error:
            self._tell(str(error))
        else:
            self._tell("")
            self._tell_edited()
        nothing = Register(PinBook(bytes(32)), {}, self._pass_keys, is_known=False)
        return without(self._register or nothing, owed | self._owed())

    def follow(self) -> None:
        """Read what changed, for a card that fails later: it must not answer as long before. May wait."""
        try:
            mark = self._aside.ask(lambda: self._open().mark())
        except (StoreError, OSError, sqlite3.Error):
            return
        if mark != self._mark:
            self._mark = mark
            self.register()

    def _tell(self, problem: str) -> None:
        """Say once that the file cannot be read, and once that it can again."""
        was, self._problem = self._problem, problem
        if bool(was) == bool(problem):
            return
        if not problem:
            self._report({"state": "ok"})
            return
        answer = "as last read" if self._register is not None else "not at all"
        logger.error("PINs and cards answer %s: %s", answer, problem)
        way_out = f"restore {CREDENTIALS_FILE} and {PIN_KEY_FILE} from a backup, together"
        told = {"state": "unreadable", "error": problem[:200], "answer": answer, "way_out": way_out}
        self._report(told)

    def _tell_edited(self) -> None:
        """Say once whose PINs and cards somebody else wrote: they count for nothing."""
        edited = () if self._store is None else self._store.edited
        if edited != self._edited:
            people = {"edited": ", ".join(edited)[:200]} if edited else {}
            self._report({"state": "edited" if edited else "ok", **people})
        self._edited = edited

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        """Count one use of a pass; see `CredentialStore.take`."""
        use = self._soon(lambda: self._open().take(pass_id, max_uses, begins, until, at))
        are_edited = self._store is not None and self._store.are_passes_edited
        if are_edited != self._are_passes_edited:
            self._are_passes_edited = are_edited
            self.news = {"state": "edited" if are_edited else "ok", "why": "passes"}
        return use

    def is_ended(self, pass_id: bytes, begins: datetime) -> bool:
        """Return whether a pass was taken back; see `CredentialStore.is_ended`."""
        return self._soon(lambda: self._open().is_ended(pass_id, begins))

    def give_back(self, pass_id: bytes) -> None:
        """Take one use of a pass back; see `CredentialStore.give_back`."""
        self._soon(lambda: self._open().give_back(pass_id))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._store is not None:
            self._store.close()

    def _soon(self, call: Callable[[], T]) -> T:
        try:
            return self._aside.ask(call)
        except TooSlow as error:
            raise StoreError(f"{self._data / CREDENTIALS_FILE}: {error}") from error

    def _open(self) -> CredentialStore:
        if self._damage is not None and monotonic() < self._again_at:
            raise self._damage
        if self._store is None:
            try:
                self._store = CredentialStore(self._data / CREDENTIALS_FILE, is_patient=True)
            except StoreDamaged as damage:
                self._damage, self._again_at = damage, monotonic() + DAMAGED_SECONDS
                raise
        self._damage = None
        return self._store

    def _read(self) -> Register:
        store = self._open()
        entries = [PinEntry(row.number, row.resident_id, row.digest, row.is_duress) for row in store.pins()]
        pins = PinBook(kept_key(self._data / PIN_KEY_FILE), entries)
        self._own_pass_key = self._own_pass_key or self._read_pass_key()
        own = () if self._own_pass_key is None else (self._own_pass_key,)
        return Register(pins, store.cards(), (*self._pass_keys, *own))

    def _read_pass_key(self) -> bytes | None:
        """Return the public key of the passes that the door's page issues; None while it issued none."""
        path = self._data / PASS_KEY_FILE
        return pass_public_key(kept_key(path)) if path.exists() else None


def without(register: Register, people: frozenset[str]) -> Register:
    """Return what others hold than these people."""
    if not people:
        return register
    cards = {card: holder for card, holder in register.cards.items() if holder not in people}
    return replace(register, pins=register.pins.without(people), cards=cards, owed=people)


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


class KnownResidents:
    """Residents by id; on a card that fails or hangs as they were last read. Any thread."""

    def __init__(self, store: ResidentStore) -> None:
        self._store = store
        self._aside = Aside("roster")
        self._last: dict[str, Resident | None] = {}
        self._owed: frozenset[str] = frozenset()
        self._version = -1
        self._is_read = False
        self._lines = FloodLimit(1)
        try:
            self._aside.ask(self._read_all)
        except (StoreError, TooSlow) as error:
            logger.error("the residents cannot be read now: %s", error)  # noqa: TRY400 - one clear line

    @property
    def is_read(self) -> bool:
        """Whether the card ever gave the residents: before that nobody can be said to be missing."""
        return self._is_read

    def find(self, resident_id: str) -> Resident | None:
        """Return the resident, or None when there is none of that id."""
        try:
            return self._aside.ask(lambda: self._get(resident_id))
        except (StoreError, TooSlow) as error:
            if self._lines.tell(monotonic()) is not None:  # whoever stands there is looked up over and over
                logger.error("%s is taken from memory: %s", resident_id, error)  # noqa: TRY400 - one clear line
        return self._last.get(resident_id)

    def owed(self) -> frozenset[str]:
        """Return whose PINs, cards and passes are still to be taken back."""
        with suppress(StoreError, TooSlow):  # nobody is removed either while this file cannot be used
            self._owed = self._aside.ask(self._store.owed_ways)
        return self._owed

    def follow(self) -> None:
        """Read what changed: on a card that fails later whoever was removed must not be remembered."""
        with suppress(StoreError, TooSlow):
            self._aside.ask(self._follow)

    def _follow(self) -> None:
        if self._store.version() != self._version:
            self._read_all()

    def _get(self, resident_id: str) -> Resident | None:
        if not self._is_read:
            self._read_all()
        found = self._store.get(resident_id)
        # Here, where one call comes after the other: after a list that is newer this would be old.
        self._last[resident_id] = found
        return found

    def _read_all(self) -> None:
        """Read everybody, however late the card answers: they are known then, should it die."""
        # The version first: what changes meanwhile is read again.
        version = self._store.version()
        self._last = {one.id: one for one in self._store.list()}
        self._owed, self._version, self._is_read = self._store.owed_ways(), version, True


class ModeFile:
    """The mode that was commanded, kept on disk: a power cut must not end a lock-down. One thread at a time.

    A mode that is not proven to be written by this door unlocks nothing: of such a file, and of the journal,
    only a lock-down or `normal` is believed. `news` is the data of a `health.edited` event, given once;
    `untold` is the commanded mode while the journal may not have heard of it: call `told` once it has.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = Aside("mode")
        self._keyring: Keyring | None = None
        self._owed: ModeState | None = None
        self.untold: ModeState | None = None
        self._is_unread = self._is_edited = False
        self._again_at = 0.0
        self.news: dict[str, str] | None = None

    def load(self) -> ModeState | None:
        """Return what was commanded last, None for nothing.

        What cannot be read or proven is taken from the journal, which has every command, as far as it shuts
        the door; `retry` looks again. If neither tells, the door goes by its usual mode, and says so.
        """
        try:
            state, is_ours = self._aside.ask(self._read)
        except FileNotFoundError:
            return self._told(None, self._shut_by(None))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._look_again(isinstance(error, OSError))
            shut = self._shut_by(None)
            found = "its usual one" if shut is None else f"{shut.mode}, as the journal says"
            logger.error("%s: the door's mode cannot be read (%s); it is %s", self._path, error, found)  # noqa: TRY400
            return shut
        if is_ours:
            return state
        self._look_again(is_ours is None)
        return self._told(state, self._shut_by(state))

    def _look_again(self, is_wanted: bool) -> None:  # noqa: FBT001 - a plain answer
        self._is_unread, self._again_at = is_wanted, monotonic() + AGAIN_SECONDS

    def _told(self, said: ModeState | None, stands: ModeState | None) -> ModeState | None:
        """Say what became of a mode that nobody shows to be ours, or that is gone."""
        if self._is_unread:
            logger.error("%s: nobody can tell yet who wrote the door's mode", self._path)
        elif said is not None or (stands is not None and stands.mode is Mode.LOCKED_DOWN):
            now = "usual" if stands is None else str(stands.mode)
            logger.critical(
                "%s: edited or taken away on the card, not by this door; the mode is %s", self._path, now
            )
            self._is_edited = True
            self.news = {"state": "edited", "why": "mode", "mode": now}
        return stands

    def _shut_by(self, said: ModeState | None) -> ModeState | None:
        """Return the mode that shuts the door most, of what the file says and of what the journal does."""
        try:
            journaled = self._aside.ask(self._journaled)
        except OSError:
            journaled = None
        claims = [one for one in (said, journaled) if one is not None]
        for mode in SHUTTING:
            for claim in claims:
                if claim.mode == mode:
                    return claim
        return None

    def _journaled(self) -> ModeState | None:
        try:
            with closing(JournalReader(self._path.with_name(JOURNAL_FILE))) as journal:
                commands = journal.of_kind(Kind.DOOR_MODE, 1)
            return None if not commands else _state_of(commands[0].data)
        except (StoreError, JournalUnavailable, ValueError, KeyError, TypeError):
            return None

    def _read(self) -> tuple[ModeState, bool | None]:
        """Return what the file says, and whether this door wrote it; None while nobody can tell."""
        kept = read_mode(self._path)
        state = _state_of(kept)
        try:
            is_ours = is_mode_ours(kept, self._keys())
        except StoreError as error:
            logger.error("%s: %s", self._path, error)  # noqa: TRY400 - one clear line
            return state, None
        self.untold = state if is_ours and kept.get(TOLD) is False else None
        return state, is_ours

    def _keys(self) -> Keyring:
        if self._keyring is None:
            self._keyring = keyring_of(self._path.parent, is_patient=True)
        return self._keyring

    def save(self, state: ModeState) -> None:
        """Keep `state`. On a disk that cannot be written to soon it is logged, and tried again by `retry`."""
        self.untold = state
        self._save(state)

    def told(self, state: ModeState) -> None:
        """Note that the journal has this mode, if it is the last one, where that can be done soon."""
        if state == self.untold:
            self.untold = None
            if self._owed is None:
                self._save(state)

    def _save(self, state: ModeState) -> None:
        self._is_unread = False
        until = state.until.isoformat() if state.until else None
        kept = {"mode": str(state.mode), "until": until, "by": state.by, TOLD: self.untold is None}
        try:
            self._aside.ask(lambda: write_mode(self._path, kept, self._keys()))
        except (OSError, StoreError) as error:
            self._owed, self._again_at = state, monotonic() + AGAIN_SECONDS
            logger.error("%s: the door's mode would not survive a restart now: %s", self._path, error)  # noqa: TRY400
        else:
            self._owed = None
            if self._is_edited:
                self._is_edited, self.news = False, {"state": "ok", "why": "mode"}

    def retry(self) -> ModeState | None:
        """Keep or read what could not be so far, once in a while; call it every second.

        Returns the commanded mode when only now it could be read and proven.
        """
        if monotonic() < self._again_at:
            return None
        if self._owed is not None:
            self._save(self._owed)
        return self._read_late() if self._is_unread else None

    def _read_late(self) -> ModeState | None:
        try:
            state, is_ours = self._aside.ask(self._read)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._look_again(isinstance(error, OSError) and not isinstance(error, FileNotFoundError))
            return None
        self._look_again(is_ours is None)
        return state if is_ours else self._told(state, self._shut_by(state))

    def close(self) -> None:
        """Let go of the keys. Safe to call twice."""
        if self._keyring is not None:
            self._keyring.close()


def _state_of(kept: Mapping[str, Any]) -> ModeState:
    until = kept.get("until")
    by = str(kept["by"])
    return ModeState(Mode(kept["mode"]), datetime.fromisoformat(until) if until else None, by)
