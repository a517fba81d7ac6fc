"""Somebody gets another id, as when the flats are numbered anew: face, consents, PINs and cards go along."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.durable import write_whole
from edge.errors import EnrolmentRefused, JournalUnavailable, PanelRefused
from edge.events import Kind
from edge.identity import ResidentId
from edge.store.roster import SOURCE
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.enrol.ways_in import WaysIn
    from edge.policy.rulebook import RuleBook
    from edge.ports import Clock, EventWriter
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore

LOG = logging.getLogger(__name__)

NOTE_FILE = "renumbering.json"


@dataclass(frozen=True, slots=True)
class RenumberingDesk:
    """Where people get another id: one door's records.

    Three files change one after the other. What is to be done is noted before it is told and done, and
    `finish` makes it good after a power cut: it may be told twice, and is never told without being done.
    At no step in between do PIN and card lose their holder.
    """

    store: ResidentStore
    consents: ConsentLedger
    ways: WaysIn

    def renumber(self, was: str, now: ResidentId, by: str, clock: Clock, events: EventWriter) -> None:
        """Give a resident another id. Raises `JournalUnavailable` before anything is done."""
        self.finish(events)  # what an error has stopped before: its note must not be lost under this one
        if self.store.get(was) is None:
            return  # that was this very change, asked for once more
        draft = _draft(clock.now(), clock.monotonic(), was, now, by)
        noted = {"was": was, "now": now, "by": by, "at": draft.at.isoformat(), "mono": draft.mono}
        write_whole(self._note, json.dumps(noted).encode())
        try:
            events.commit(draft)
        except JournalUnavailable:
            self._note.unlink(missing_ok=True)
            raise
        self._move(was, now)

    def finish(self, events: EventWriter) -> None:
        """Carry out what was noted and not finished, if anything; where nothing of it was done, tell it."""
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            was, now, by = str(noted["was"]), ResidentId(str(noted["now"])), noted.get("by")
            # Without `by` it is of an older version, which told it before it noted it.
            untold = by and _draft(datetime.fromisoformat(noted["at"]), float(noted["mono"]), was, now, by)
        except FileNotFoundError:
            return
        except (ValueError, LookupError, TypeError, AttributeError):
            LOG.error("%s cannot be read: nobody gets another id by it", self._note)  # noqa: TRY400
            return
        if untold and self._is_new(was, now):
            events.record(untold)
        self._move(was, now)

    def _is_new(self, was: str, now: ResidentId) -> bool:
        return self.store.get(was) is not None and self.store.get(now) is None

    def _move(self, was: str, now: ResidentId) -> None:
        person, there = self.store.get(was), self.store.get(now)
        if person is not None and there not in {None, replace(person, id=now)}:
            # Nothing was done before an error, and since then the id was given to somebody else, or the
            # desk has changed who has it: PIN, card and face of the one are not the other's.
            LOG.error("%s: %s is not who was to get this id; nobody gets it", self._note, now)
            self._note.unlink(missing_ok=True)
            return
        if person is not None and there is None:
            # Before PIN and card move: they are refused while there is no resident of their id.
            self.store.put_people([replace(person, id=now)], {now: None})
        self.ways.renumber(was, now)
        self.consents.renumber(was, now)
        if person is not None:
            # Last: it takes away the former id, by which a second run sees what is left to do, and destroys
            # its key.
            self.store.renumber(was, now)
        # Kept where something above failed: the next start goes on.
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.store.folder / NOTE_FILE


def _draft(at: datetime, mono: float, was: str, now: ResidentId, by: str) -> EventDraft:
    return EventDraft(Kind.RESIDENT_RENUMBERED, at, mono, now, data={"by": by, "was": was})


def check_renumbering(
    store: ResidentStore, was: str, now: str, rules: RuleBook, reach: Callable[[str], object]
) -> None:
    """Raise `PanelRefused` or `EnrolmentRefused` where an id cannot become another one.

    `reach` (resident id) is truthy where the face goes to other doors. The rules may name people by their id:
    whoever is switched off or in a group by it would lose that without a word.
    """
    if store.get(now) is not None:
        raise EnrolmentRefused(message("error.person_there", who=now))
    if store.source_of(was) == SOURCE:
        raise PanelRefused(message("error.renumbered_by_property", who=was))
    if reach(was):
        raise PanelRefused(message("error.renumbered_elsewhere", who=was))
    named = {*rules.disabled, *(who for group in rules.groups.values() for who in group.members)}
    for who in (was, now):
        if who in named:
            raise PanelRefused(message("error.renumbered_in_rules", who=who))
