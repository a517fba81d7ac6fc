"""What roster and door list say of faces: read again where something changed, signatures checked once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.wire.faces.certificate import SignedCertificate
from edge.wire.faces.door_list import ENROLS, DoorList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.store.face_book import FaceBook
    from edge.store.roster import SqliteRoster
    from edge.wire.faces.certificate import FaceCertificate
    from edge.wire.faces.door_list import DoorListAuthority

logger = logging.getLogger(__name__)


class FaceRegister:
    """The faces that the property lists, by consent, and the doors that the authority lists. One thread.

    A certificate counts in the record of its own person, signed by a door that the newest list lets enrol.
    """

    def __init__(self, authority: DoorListAuthority, book: FaceBook, roster: SqliteRoster) -> None:
        self._authority = authority
        self._book = book
        self._roster = roster
        self.doors = DoorList(authority.site)
        self.listed: Mapping[str, FaceCertificate] = {}
        self._by_person: dict[str, tuple[FaceCertificate, ...]] = {}
        self._place: tuple[int, int, int] | None = None
        kept = book.doors()
        if kept is not None:
            try:
                self.doors = authority.open(kept)
            except SyncError as error:  # another site's: the door was moved, and begins anew
                logger.warning("the list of doors that is kept does not count: %s", error)

    def take_doors(self, payload: bytes) -> bool:
        """Take a list of doors; say whether it is newer. Raises `SyncError` unless the authority signed."""
        doors = self._authority.open(payload)
        if doors.number < self.doors.number:
            raise SyncError(f"doors: list {doors.number} is older than {self.doors.number}")
        if doors.number == self.doors.number:
            return False
        self._book.keep_doors(doors.number, payload)
        self.doors = doors
        return True

    def refresh(self) -> bool:
        """Read what changed; say whether anything did. Raises `StoreError`."""
        state = self._roster.state()
        place = state.epoch, state.rev, self.doors.number
        if place == self._place:
            return False
        # Same epoch and same door list: then only records after the last revision are read and their
        # signatures checked.
        is_same_log = self._place is not None and self._place[::2] == place[::2]
        after = self._place[1] if is_same_log and self._place is not None else 0
        there = self._roster.ids()
        known = self._by_person if is_same_log else {}
        found = {who: faces for who, faces in known.items() if who in there}
        for who, texts in self._roster.certificates(after).items():
            found[who] = tuple(one for text in texts if (one := self._counting(who, text)) is not None)
        self._by_person, self._place = found, place
        self.listed = _by_consent(found)
        return True

    def _counting(self, person: str, text: str) -> FaceCertificate | None:
        try:
            certificate = SignedCertificate.parse(text)
            self._require(person, certificate)
        except SyncError as error:
            logger.warning("a listed face does not count: %s", error)
            return None
        return certificate.says

    def _require(self, person: str, certificate: SignedCertificate) -> None:
        says = certificate.says
        if says.person != person or says.site != self.doors.site:
            raise SyncError(f"certificate: of {says.person[:64]!r}, in the record of {person!r}")
        if not self.doors.has_role(says.by, ENROLS):
            raise SyncError(f"certificate: {says.by!r} may not enrol by list {self.doors.number}")
        certificate.verify(self.doors.doors[says.by].keys)


def _by_consent(faces: Mapping[str, tuple[FaceCertificate, ...]]) -> dict[str, FaceCertificate]:
    """Return them by consent; a consent that stands for two people is none."""
    found: dict[str, FaceCertificate] = {}
    doubled = set()
    for certificate in (one for several in faces.values() for one in several):
        if certificate.consent in found:
            doubled.add(certificate.consent)
        found[certificate.consent] = certificate
    return {consent: one for consent, one in found.items() if consent not in doubled}
