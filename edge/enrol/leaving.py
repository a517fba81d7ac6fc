"""Somebody moves out: ways in taken back, consents ended, the face erased, the person gone; in that order."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.durable import write_whole
from edge.errors import PanelRefused, StoreUnavailable
from edge.events import Kind
from edge.store.roster import SOURCE
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from edge.enrol.ways_in import WaysIn
    from edge.ports import Clock
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeavingDesk:
    """Where people move out: one door's records. `commit` writes it down first.

    `elsewhere` as in `edge.enrol.withdrawal.WithdrawalDesk`.
    """

    store: ResidentStore
    consents: ConsentLedger
    ways: WaysIn
    clock: Clock
    commit: Callable[[EventDraft], object]
    elsewhere: Callable[[str, datetime], object] = lambda _resident_id, _at: ()

    def move_out(self, resident_id: str, by: str) -> None:
        """Remove a person and everything they open the door with; what is left of them is the journal.

        The next person with the same id has none of it. After a power cut in between the next start goes on
        (`finish`). Raises `JournalUnavailable` before anything is done, and `PanelRefused` for somebody whom
        the property's roster would only bring back.
        """
        if self.store.source_of(resident_id) == SOURCE:
            raise PanelRefused(message("error.moved_by_property", who=resident_id))
        note = _note_of(self.store.folder, resident_id)
        try:
            _write(note, resident_id, by, is_told=False)
            self.commit(_told(self.clock, resident_id, by))
            _write(note, resident_id, by, is_told=True)
            self._take(resident_id)
        finally:
            # Also after an error: whoever ordered it is told of that, and may think better of it.
            note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Go on with whatever the power came in between of. Raises as `move_out` does.

        A note that the card does not give stays for the next call: else whom it names would get in for good.
        """
        for note in unfinished(self.store.folder):
            try:
                fields = json.loads(note.read_text(encoding="utf-8"))
                who, by, is_told = str(fields["who"]), str(fields["by"]), bool(fields["is_told"])
            except FileNotFoundError:
                continue  # somebody who works on it now was faster
            except OSError as error:
                raise StoreUnavailable(f"{note}: cannot be read now: {error}") from error
            except (ValueError, LookupError, TypeError):
                LOG.error("%s cannot be read: nobody is removed by it", note)  # noqa: TRY400
            else:
                # The person goes last: where there is nobody nothing is left to do.
                if self.store.source_of(who) not in {None, SOURCE}:
                    if not is_told:
                        self.commit(_told(self.clock, who, by))
                    self._take(who)
                    LOG.warning("%s: a removal that was cut short was finished", who)
            note.unlink(missing_ok=True)

    def _take(self, resident_id: str) -> None:
        # The person goes last: until then it can be seen that something is left to do, and done again.
        self.ways.take_all(resident_id)
        at = self.clock.now()
        self.elsewhere(resident_id, at)
        self.consents.withdraw(resident_id, at)
        self.store.remove(resident_id)


def unfinished(folder: Path) -> list[Path]:
    """Return the notes of removals in a data folder that did not come to their end."""
    return sorted(folder.glob("leaving-*.json"))


def _note_of(folder: Path, resident_id: str) -> Path:
    # A file for each person: page and command may remove two at once. An id need not be a file's name.
    return folder / f"leaving-{hashlib.sha256(resident_id.encode()).hexdigest()[:16]}.json"


def _write(note: Path, who: str, by: str, *, is_told: bool) -> None:
    try:
        write_whole(note, json.dumps({"who": who, "by": by, "is_told": is_told}).encode())
    except OSError as error:
        raise StoreUnavailable(f"{note}: nothing can be changed now: {error}") from error


def _told(clock: Clock, resident_id: str, by: str) -> EventDraft:
    return EventDraft.now(clock, Kind.RESIDENT_REMOVED, {"by": by}, resident_id=resident_id)
