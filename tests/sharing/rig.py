"""Doors that share faces: real stores, exchange and gallery; the wire is a list, or a real broker."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import numpy as np

from edge.consent.notice import SHARED
from edge.consent.rules import Statement, consent_from
from edge.domain import DoorEvent, EventDraft, Resident, RosterChange, RosterState
from edge.enrol.templates import templates_under
from edge.enrol.withdrawal import WithdrawalDesk
from edge.errors import EnrolmentRefused
from edge.matcher.gallery import LiveGallery
from edge.runtime.clock import ManualClock
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.roster import GalleryFollower
from edge.service.sharing.desk import SharingDesk
from edge.service.sharing.exchange import FaceExchange
from edge.service.sharing.keys import signing_key
from edge.service.sharing.ties import SharingTies
from edge.site.authority import Authority
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.face_book import FACE_BOOK_FILE, FaceBook
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.wire.faces.certificate import SignedCertificate
from edge.wire.faces.door_list import ENROLS, RECEIVES, DoorList, DoorListAuthority, ListedDoor
from edge.wire.faces.letters import Letter, LetterKind
from edge.wire.records import parse_record
from edge.wire.signing import TrustedKeys
from edge.words import message
from tests.sync import wire

MODEL, DIM = "m-1", 128
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Notes:
    """An event writer that remembers."""

    def __init__(self) -> None:
        self.drafts: list[EventDraft] = []

    def record(self, draft: EventDraft) -> DoorEvent | None:
        self.drafts.append(draft)
        return None

    def commit(self, draft: EventDraft) -> DoorEvent | None:
        return self.record(draft)

    def kinds(self):
        return [str(draft.kind) for draft in self.drafts]

    def why(self):
        return [draft.data.get("why") for draft in self.drafts if draft.kind == "face.not_taken"]


def vector(seed):
    found = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
    return found / np.linalg.norm(found)


class Nearby:
    """Everybody's face in one matrix that grows in place: a rig asks it at each of thousands of arrivals."""

    def __init__(self):
        self._rows, self._places = np.zeros((64, DIM), np.float32), {}

    def put(self, who, row):
        place = self._places.setdefault(who, len(self._places))
        if place == len(self._rows):
            self._rows = np.vstack([self._rows, np.zeros_like(self._rows)])
        self._rows[place] = row

    def forget(self, who):
        if who in self._places:
            self._rows[self._places[who]] = 0.0  # like nobody; its place is kept

    def like(self, who, rows):
        """Return who else is alike, None: nobody."""
        scores = (self._rows[: len(self._places)] @ rows.T).max(1)
        if who in self._places:
            scores[self._places[who]] = -1.0
        return list(self._places)[int(scores.argmax())] if scores.size and scores.max() > 0.9 else None


class SharingRig:
    """One door. `levels` says whose levels are about it; everybody's by default."""

    def __init__(self, folder, name, authority, clock=None, model=MODEL, events=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name, self.clock = folder, name, clock or ManualClock(AT)
        self.ran = 1000.0
        self.shut: set[str] = set()
        self._seen, self._nearby = 0, Nearby()
        self.events = events or Notes()
        self.store = ResidentStore(folder / RESIDENTS_FILE)
        self.ledger = ConsentLedger(folder / CONSENTS_FILE)
        self.book = FaceBook(folder / FACE_BOOK_FILE, self.store.sealer)
        self.roster = SqliteRoster(self.store)
        self.gallery = LiveGallery(model, DIM)
        self.ties = SharingTies(
            name,
            DoorListAuthority(authority.certificate_pem),
            self.store,
            self.roster,
            self.ledger,
            self.book,
            self.events,
            self.clock,
            lambda: self.ran,
            lambda people: frozenset(people) - self.shut,
            self._refuse_lookalike,
            model,
            lambda: signing_key(self.book),
        )
        self.begin()
        self.desk = SharingDesk(self.ties)

    def begin(self):
        """Start, or start again after a kill."""
        self.exchange = FaceExchange(self.ties)
        self.follower = GalleryFollower(
            self.store,
            self.gallery,
            FollowedConsents(lambda: ConsentLedger(self.folder / CONSENTS_FILE), self.exchange.counting),
        )

    def listed(self, roles=(ENROLS, RECEIVES)):
        return ListedDoor(self.name, frozenset(roles), signing_key(self.book).public_key().public_bytes_raw())

    def enrol(self, who, *doors, seed=None):
        """Enrol a face here under a consent that names `doors`, as the panel does; return the consent."""
        rows = [vector((seed or abs(hash(who))) % 2**31 + n) for n in range(3)]
        mean = np.sum(rows, 0)
        rows.append((mean / np.linalg.norm(mean)).astype(np.float32))
        wire.SECRETS.add(rows[-1].astype("<f4").tobytes())
        statement = Statement(who, agrees=True, notice=SHARED, doors=doors)
        consent = consent_from(statement, "staff", self.clock.now())
        assert self.ties.model_id is not None
        templates = templates_under(consent, rows, self.ties.model_id, self.clock.now())
        self.ledger.record(consent)
        known = self.store.get(who) or Resident(who, who)
        self.store.put(known, templates)
        self.desk.offer(consent, templates, "the notice")
        return consent

    def withdraw(self, who):
        office = WithdrawalDesk(
            self.name, self.store, self.ledger, self.ties.receipt_key, self.clock, self.events, self.desk.end
        )
        return office.withdraw(who, "staff")[0]

    def knows(self, who):
        self.follower.refresh()
        return who in self.gallery

    def templates_on_disk(self):
        return len(self.store.query("SELECT 1 FROM templates"))

    def close(self):
        for one in (self.book, self.ledger, self.store):
            one.close()

    def _refuse_lookalike(self, who, rows):
        """As the live gallery does: it follows what changed in the store."""
        changes = self.store.changes_since(self._seen)
        for one in (*changes.put, *changes.removed):
            mine = [row.embedding for row in self.store.templates_of(one)]
            self._nearby.forget(one)
            if mine and one not in changes.removed:
                self._nearby.put(one, mine[-1])
        self._seen = changes.version
        if (other := self._nearby.like(who, np.array(rows))) is not None:
            told = {"who": who, "other": other, "similarity": "0.95", "threshold": "0.50"}
            raise EnrolmentRefused(message("photo.look_alike", **told))


class Compound:
    """A site in memory: its authority, doors, and a property that lists faces and carries letters.

    `carry` hands on what doors wrote; a test may keep, drop, repeat or change it in `mail`.
    """

    def __init__(self, folder, *names):
        self.authority = Authority.create(folder / "ca", "site")
        self.clock = ManualClock(AT)
        self.doors = {name: SharingRig(folder / name, name, self.authority, self.clock) for name in names}
        self.number = 0
        self.people = {}
        self.rev = 0
        self.certificates = {}
        self.ended = set()
        self.mail = []
        self.roster_log = []
        self.lists_faces = True

    def list_doors(self, *without):
        self.number += 1
        site = next(iter(self.doors.values())).ties.authority.site
        listed = {name: door.listed() for name, door in self.doors.items() if name not in without}
        payload = self.authority.sign_doors(DoorList(site, self.number, listed))
        for door in self.doors.values():
            door.exchange.take_doors(payload)
        return payload

    def put(self, *people):
        for who in people:
            self.people.setdefault(who, {"id": who, "name": who})
        self.spread()

    def remove(self, who):
        del self.people[who]
        self.spread()

    def faces_of(self, who):
        listed = [
            text
            for text, (person, consent) in self.certificates.items()
            if person == who and consent not in self.ended
        ]
        return listed[-2:] if self.lists_faces else []

    def spread(self, *only):
        """Bring every door's roster to what the property has."""
        self.rev += 1
        records = []
        for fields in self.people.values():
            faces = self.faces_of(fields["id"])
            resident, text = parse_record(fields | ({"faces": faces} if faces else {}))
            records.append(RosterChange(self.rev, resident.id, resident, text))
        digest = roster_digest((one.id, one.rev, one.text) for one in records)
        state = RosterState(1, self.rev, digest, len(records))
        self.roster_log.append((records, state))
        for door in only or self.doors:
            self.give(self.doors[door], records, state)

    def give(self, door, records, state):
        door.roster.replace(records, state)
        door.roster.confirm(self.clock.now())

    def look(self, *only):
        """Let doors do what is due, and collect what they write."""
        for name in only or self.doors:
            self.doors[name].exchange.look(lambda payload: self.mail.append(self.read(payload)), 1000)

    def read(self, payload):
        name = json.loads(payload)["kid"]
        key = self.doors[name].listed().key
        letter = Letter.parse(TrustedKeys({name: key}).open(payload, "letter"))
        return letter, payload

    def carry(self, *, to=None):
        """Hand on the mail: to the property what is for it, to each door its letters."""
        mail, self.mail = self.mail, []
        for letter, payload in mail:
            self.property_reads(letter)
            for name in letter.to:
                if to is None or name in to:
                    self.doors[name].exchange.take([payload])

    def property_reads(self, letter):
        if letter.kind is LetterKind.CERTIFICATE:
            text = letter.content["certificate"]
            says = SignedCertificate.parse(text).says
            self.certificates.setdefault(text, (says.person, says.consent))
            self.spread()
        elif letter.kind is LetterKind.END and not set(letter.content["consents"]) <= self.ended:
            self.ended.update(letter.content["consents"])
            self.spread()

    def settle(self, turns=8, seconds=2.0):
        """Let time pass until nothing moves any more."""
        for _ in range(turns):
            self.look()
            self.carry()
            self.clock.advance(seconds)
        self.look()

    def knowing(self, who):
        return {name for name, door in self.doors.items() if door.knows(who)}

    def close(self):
        for door in self.doors.values():
            door.close()


def opened(folder, *names):
    """Return a compound whose doors are listed and know each other's keys."""
    compound = Compound(folder, *names)
    compound.list_doors()
    compound.settle(3)
    return closing(compound)
