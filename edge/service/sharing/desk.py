"""Where faces are offered to other doors and taken back: what panel and commands ask."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.errors import ConfigError, SyncError
from edge.events import Kind
from edge.service.sharing.keys import signing_key
from edge.store.face_book import ERASING, FACE_BOOK_FILE, PENDING, FaceBook, HeldFace, Reach, by_door
from edge.store.roster import SqliteRoster
from edge.wire.faces.certificate import (
    SALT_BYTES,
    FaceCertificate,
    FaceRow,
    SignedCertificate,
    commitment_of,
    make_body,
)
from edge.wire.faces.door_list import ENROLS, RECEIVES, DoorList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from edge.domain import Consent, Template
    from edge.service.sharing.ties import SharingTies
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore


class SharingDesk:
    """Offers faces enrolled at this door to the doors a consent names, and ends such consents. Any thread."""

    def __init__(self, ties: SharingTies) -> None:
        self._ties = ties

    def doors(self) -> tuple[str, ...]:
        """Return the other doors that a face enrolled here can go to; none while this one may not enrol."""
        listed, device = self._listed(), self._ties.device
        if not listed.has_role(device, ENROLS):
            return ()
        return tuple(
            sorted(name for name in listed.doors if listed.has_role(name, RECEIVES) and name != device)
        )

    def offer(self, consent: Consent, templates: Sequence[Template], notice: str) -> None:
        """Offer a face to the doors of its consent; `notice` is the text that was read.

        It was stored here before. Raises `ConfigError` when a door of the consent cannot have it,
        `SyncError` for a face that is too large.
        """
        if not consent.doors:
            return
        if missing := set(consent.doors) - set(self.doors()):
            raise ConfigError(f"{', '.join(sorted(missing))}: not among the doors that share faces")
        ties = self._ties
        unsigned = self._certificate(consent, templates[0].model_id, notice)
        rows = [FaceRow(one.kind, one.embedding.astype("<f4").tobytes()) for one in templates]
        body = make_body(unsigned, rows, secrets.token_bytes(SALT_BYTES))
        certificate = replace(unsigned, commitment=commitment_of(body)).signed(signing_key(ties.book))
        held = HeldFace(consent.id, consent.resident_id, unsigned.model, certificate, None)
        # First where the face is to go, then the face: cut short in between, nothing is sent, and no face
        # lies here without its destinations.
        ties.book.expect(Reach(consent.id, door, held.person, PENDING) for door in consent.doors)
        ties.book.hold([(held, body)])
        ties.tell(Kind.FACE_OFFERED, held.person, consent=consent.id, doors=list(consent.doors))

    def reach(self, resident_id: str) -> Mapping[str, str]:
        """Return what is known of a person's face at each other door (see `Reach`), by door."""
        return by_door(self._ties.book.reach(person=resident_id))

    def end(self, resident_id: str, at: datetime) -> tuple[str, ...]:
        """See `SharedRecords.end`."""
        ties = self._ties
        return SharedRecords(ties.device, ties.roster, ties.consents, ties.book).end(resident_id, at)

    def _certificate(self, consent: Consent, model_id: str, notice: str) -> FaceCertificate:
        return FaceCertificate(
            self._ties.authority.site,
            consent.resident_id,
            consent.id,
            consent.notice,
            hashlib.sha256(notice.encode()).hexdigest(),
            consent.language,
            consent.is_minor,
            consent.doors,
            model_id,
            self._ties.device,
            consent.given_at.isoformat(),
        )

    def _listed(self) -> DoorList:
        kept = self._ties.book.doors()
        try:
            return DoorList(self._ties.authority.site) if kept is None else self._ties.authority.open(kept)
        except SyncError:
            return DoorList(self._ties.authority.site)


@dataclass(frozen=True, slots=True)
class SharedRecords:
    """What a door's folder knows of a person's consents at other doors."""

    device: str
    roster: SqliteRoster
    consents: ConsentLedger
    book: FaceBook

    def end(self, resident_id: str, at: datetime) -> tuple[str, ...]:
        """End what a person consented to at several doors; return the doors that are asked to erase.

        A running door writes to them within a second, and goes on until each has answered.
        """
        doors = self._consents_of(resident_id)
        if not doors:
            return ()
        self.consents.end_for_good(doors, at)
        asked = [
            Reach(consent, door, resident_id, ERASING)
            for consent, named in doors.items()
            for door in named
            if door != self.device
        ]
        self.book.expect(asked)
        return tuple(sorted({one.door for one in asked}))

    def _consents_of(self, resident_id: str) -> dict[str, tuple[str, ...]]:
        """Return the doors of every consent of a person that counts at several, by consent."""
        held = self.book.held().values()
        own = (one.certificate for one in held if one.person == resident_id and one.certificate)
        found = {}
        for text in (*self.roster.certificates_of(resident_id), *own):
            try:
                says = SignedCertificate.parse(text).says
            except SyncError:
                continue
            if says.person == resident_id:
                found[says.consent] = tuple(dict.fromkeys((says.by, *says.doors)))
        return found


@contextmanager
def opened_records(
    device: str, store: ResidentStore, consents: ConsentLedger
) -> Iterator[SharedRecords | None]:
    """Give the records of a folder to a command beside the running door; None where no face is shared."""
    path = store.folder / FACE_BOOK_FILE
    if not path.exists():
        yield None
        return
    with closing(FaceBook(path, store.sealer)) as book:
        yield SharedRecords(device, SqliteRoster(store), consents, book)
