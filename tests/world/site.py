"""The data folder of a simulated door, and the property that it tells of its events and hears of people."""

from __future__ import annotations

import json
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from edge.consent.rules import PURPOSE
from edge.domain import Consent, Resident, RosterChange, RosterState, Template
from edge.errors import FacegateError
from edge.policy.pin import PinBook
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.credentials import CredentialStore, PinRow
from edge.store.outbox import SqliteOutbox
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.store.way_rows import CREDENTIALS_FILE, PIN_KEY_FILE
from tests.world.gate import MODEL, face

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from tests.world.people import Person


PIN_KEY = b"the secret of a simulated site.."


def resident_of(person: Person) -> Resident:
    """Return this person as the roster has them."""
    groups = ("twins",) if person.is_twin else (person.level,)
    return Resident(person.id, person.id, groups, person.valid_from, person.valid_until)


def enrol(data: Path, people: Sequence[Person], at: datetime) -> None:
    """Put these people into the folder as its commands do: face, consent, card and PIN."""
    data.mkdir(exist_ok=True)
    (data / PIN_KEY_FILE).write_bytes(PIN_KEY)
    with (
        closing(ResidentStore(data / RESIDENTS_FILE)) as store,
        closing(ConsentLedger(data / CONSENTS_FILE)) as ledger,
        closing(CredentialStore(data / CREDENTIALS_FILE)) as credentials,
    ):
        for person in people:
            templates = []
            if person.has_face:
                consent = Consent(f"c-{person.id}", person.id, at, "n1", "en", PURPOSE, "desk")
                ledger.record(consent)
                templates = [Template(person.id, face(person.number), MODEL, at, consent_id=consent.id)]
            store.put(resident_of(person), templates)
            if person.card:
                credentials.put_card(person.card, person.id)
        for person in people:
            if person.pin:
                credentials.put_pin(_pin_row(person))


@cache
def _digest(number: str, pin: str) -> bytes:
    (entry,) = PinBook(PIN_KEY).with_pin(number, "anybody", pin).entries
    return entry.digest


def _pin_row(person: Person) -> PinRow:
    digest = _digest(person.door_number, person.pin or "")
    return PinRow(person.door_number, person.id, is_duress=False, digest=digest)


class Property:
    """The property's side: takes events while the link is up, and signs a roster that the door follows."""

    def __init__(self) -> None:
        self.is_reached = True
        self.received: dict[tuple[str, int], str] = {}
        """Every event that was acknowledged: its JSON text by stream and number."""
        self.doubts: list[str] = []
        self.wanted: dict[str, tuple[int, Resident]] = {}
        self.rev = 0
        self._outbox: SqliteOutbox | None = None

    def want(self, resident: Resident | None, identity: str) -> None:
        """Change the roster: this person as they are now, or nobody of that id."""
        self.rev += 1
        if resident is None:
            self.wanted.pop(identity, None)
        else:
            self.wanted[identity] = (self.rev, resident)

    def begin(self, data: Path) -> None:
        """Open the outbox of a door that has just started, when there is a journal."""
        self._outbox = SqliteOutbox(data / "journal.db")

    def drop(self) -> None:
        """Forget the connection: the door's process has ended."""
        if self._outbox is not None:
            self._outbox.close()
        self._outbox = None

    def exchange(self, data: Path, store: ResidentStore) -> bool:
        """Take what waits and hand the roster over; return whether the door has the whole roster now."""
        if not self.is_reached:
            return False
        try:
            self._take_events(data)
            return self._hand_roster(store)
        except FacegateError:
            return False

    def _take_events(self, data: Path) -> None:
        if self._outbox is None:
            self.begin(data)
        outbox = self._outbox
        assert outbox is not None
        while entries := outbox.pending(outbox.done_upto(), 200):
            for seq, text in entries:
                key = outbox.stream, seq
                before = self.received.setdefault(key, text)
                if before != text and "journal.damaged" not in text:
                    self.doubts.append(f"entry {seq} of {key[0][:8]} came twice with different content")
            outbox.mark_done(entries[-1][0])

    def _hand_roster(self, store: ResidentStore) -> bool:
        roster = SqliteRoster(store)
        if self.rev == 0 or roster.state().rev == self.rev:
            return True
        changes = [RosterChange(rev, who, one, _record(one)) for who, (rev, one) in self.wanted.items()]
        records = [(change.id, change.rev, change.text) for change in changes]
        roster.replace(changes, RosterState(1, self.rev, roster_digest(records), len(changes)))
        return True


def _record(resident: Resident) -> str:
    return json.dumps({"id": resident.id, "levels": resident.access_levels}, sort_keys=True)
