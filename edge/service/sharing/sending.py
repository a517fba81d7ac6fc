"""Sending faces: those enrolled just now unasked, others to a door that asks and may have them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.errors import StoreError, SyncError
from edge.wire.faces.certificate import SignedCertificate
from edge.wire.faces.door_list import RECEIVES
from edge.wire.faces.envelope import MOST_RECEIVERS, EnvelopeHeader, FaceEnvelope
from edge.wire.faces.letters import Letter, LetterKind, envelope_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.service.sharing.register import FaceRegister
    from edge.service.sharing.ties import SharingTies
    from edge.store.face_book import HeldFace, Peer
    from edge.wire.faces.certificate import FaceCertificate

logger = logging.getLogger(__name__)

MOST_PUSHED = 10
"""Faces a minute that are sent without being asked for; of more, doors ask for a hundred at a time."""
MOST_UNLISTED = 300
"""Certificates on their way to the property: the next ones leave as these are listed, or a minute later."""
MOST_ANSWERED = 60
"""Questions of one door a minute."""
MINUTE = 60.0


class Sending:
    """Seals what may go where. One thread."""

    def __init__(self, ties: SharingTies, register: FaceRegister) -> None:
        self._ties = ties
        self._register = register
        self._place = 0
        self._open: dict[str, list[str]] = {}
        """Doors of faces that were offered and have not been sent."""
        self._pushed: list[float] = []
        self._sent_certificates: set[str] = set()
        self._ever_sent: set[str] = set()
        self._most_unlisted = MOST_UNLISTED
        self._answered: dict[str, list[float]] = {}
        self._asked: dict[str, dict[str, None]] = {}
        """Doors that ask for a face, by its consent."""

    def fresh(self, now: float) -> Iterator[Letter]:
        """Give the faces that were listed just now, sealed for the doors of their consents.

        Nothing leaves before the property lists it: until then no door may have it.
        """
        self._place, offered = self._ties.book.offered_after(self._place)
        for one in offered:
            self._open.setdefault(one.consent, []).append(one.door)
        listed = [consent for consent in self._open if consent in self._register.listed]
        if not listed:
            return
        held, peers = self._ties.book.held_of(listed), self._peers()
        for consent in listed:
            there = [door for door in self._open[consent] if door in peers and self._may_have(door)]
            if not there:
                continue
            # Removed even when this minute's share is used up: the doors see that the face is listed, and ask
            # for it.
            del self._open[consent]
            self._pushed = [at for at in self._pushed if now - at < MINUTE]
            own = held.get(consent)
            if own is not None and own.number is None and len(self._pushed) < MOST_PUSHED:
                self._pushed.append(now)
                yield from self._sealed(own, _says(own), there, peers)

    def unlisted(self, *, is_remembering: bool) -> Iterator[Letter]:
        """Give the certificates of faces enrolled here that the property does not list yet."""
        if is_remembering:
            self._sent_certificates = set()
        known = self._register.listed.keys() | self._sent_certificates
        origins = self._ties.book.origins()
        own = {consent for consent, (_, number) in origins.items() if number is None}
        missing = own - known
        room = self._most_unlisted - len(self._sent_certificates - self._register.listed.keys())
        if not missing or room <= 0:
            return
        open_ones = missing - self._ties.consents.ended()
        # Certificates that were never sent come first. Those that the property refuses to list stay missing,
        # and would otherwise take all the room every time.
        sent = sorted(open_ones, key=lambda one: (one in self._ever_sent, one))[:room]
        self._sent_certificates.update(sent)
        self._ever_sent.update(sent)
        for one in self._ties.book.held_of(sent).values():
            yield self._letter(LetterKind.CERTIFICATE, [], certificate=one.certificate)

    def asked(self, question: Letter, now: float) -> bool:
        """Note which faces a door asks for; False when its receiving key is not known."""
        door = question.sender
        times = [at for at in self._answered.get(door, []) if now - at < MINUTE]
        self._answered[door] = [*times, now]
        # True: nothing to do. False would make us send our key again, to a door that asks too often.
        if len(times) >= MOST_ANSWERED or not self._may_have(door):
            return True
        if door not in self._peers():
            return False
        for consent in question.content["consents"]:
            self._asked.setdefault(consent, {})[door] = None
        return True

    def answers(self, most: int) -> Iterator[Letter]:
        """Give up to `most` of the faces that doors ask for and may have, the oldest question first.

        Doors ask for the same faces at about the same time: each is sealed once for all of them.
        """
        consents = [consent for consent, _ in zip(self._asked, range(most), strict=False)]
        if not consents:
            return
        peers, held, ended = self._peers(), self._ties.book.held_of(consents), self._ties.consents.ended()
        for consent in consents:
            asking, face = self._asked.pop(consent), self._register.listed.get(consent)
            if face is None or consent not in held or consent in ended:
                continue
            doors = [one for one in asking if one in face.doors and one in peers and self._may_have(one)]
            yield from self._sealed(held[consent], face, doors, peers)

    def _sealed(
        self, one: HeldFace, face: FaceCertificate, doors: Sequence[str], peers: dict[str, Peer]
    ) -> Iterator[Letter]:
        try:
            body = self._ties.book.body_of(one)
        except StoreError as error:
            logger.warning("%s: cannot be sent: %s", one.person, error)
            return
        for start in range(0, len(doors), MOST_RECEIVERS):
            several = doors[start : start + MOST_RECEIVERS]
            header = EnvelopeHeader.of(
                face, self._ties.device, {door: peers[door].number for door in several}
            )
            try:
                envelope = FaceEnvelope.seal(header, body, {door: peers[door].public for door in several})
            except SyncError as error:
                logger.warning("%s: cannot be sealed for %s: %s", one.person, several, error)
                continue
            yield self._letter(LetterKind.ENVELOPE, several, **envelope_content(envelope))

    def _peers(self) -> dict[str, Peer]:
        """Return the receiving keys of doors that the newest list has with the very key that signed them."""
        listed = self._register.doors.doors
        return {
            door: one
            for door, one in self._ties.book.peers().items()
            if door in listed and listed[door].key == one.signer
        }

    def _may_have(self, door: str) -> bool:
        return self._register.doors.has_role(door, RECEIVES)

    def _letter(self, kind: LetterKind, to: Sequence[str], **content: object) -> Letter:
        return Letter(self._ties.authority.site, self._ties.device, tuple(to), kind, dict(content))


def _says(one: HeldFace) -> FaceCertificate:
    return SignedCertificate.parse(one.certificate).says
