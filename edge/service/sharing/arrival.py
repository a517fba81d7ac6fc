"""A face arrives: everything that is asked before it counts, and how it is kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from edge.consent.rules import PURPOSE
from edge.domain import Consent, Template
from edge.errors import EnrolmentRefused, FacegateError, SyncError, TemplateRefused
from edge.events import Kind
from edge.store.face_book import HeldFace
from edge.store.vectors import checked_vector
from edge.wire.faces.certificate import open_body
from edge.wire.faces.door_list import RECEIVES
from edge.wire.faces.letters import envelope_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.service.sharing.register import FaceRegister
    from edge.service.sharing.ties import SharingTies
    from edge.wire.faces.certificate import FaceCertificate, FaceRow
    from edge.wire.faces.envelope import FaceEnvelope, ReceivingKey
    from edge.wire.faces.letters import Letter

logger = logging.getLogger(__name__)

MOST_NAMED = 20
"""Faces told of one by one; of more at once, one event tells how many."""


class FaceRefused(SyncError):
    """A face that was sent does not count. `reason` is one word for programs."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ArrivedFace:
    """A face that passed: its certificate, body and templates, and the receiving key it came by."""

    face: FaceCertificate
    body: bytes
    templates: tuple[Template, ...]
    number: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Says whether a face that was sent counts here. One thread.

    `register` has the faces that the property lists and the authority's doors signed; `ended` are the
    consents that never count again.
    """

    ties: SharingTies
    register: FaceRegister
    ended: frozenset[str]
    keys: Mapping[int, ReceivingKey]

    def admit(self, letter: Letter) -> ArrivedFace:
        """Return the face in an envelope, or raise `FaceRefused`; the letter's signature was checked."""
        envelope = envelope_of(letter)
        face = self._entitled(envelope)
        # Any door that has the face may send it, not only the one that enrolled.
        if letter.sender not in {face.by, *face.doors}:
            raise FaceRefused("sender", f"{letter.sender} is not among the doors of the consent")
        body, rows = self._opened(envelope, face)
        self.require_model(face)
        templates = tuple(_template(face, row) for row in rows)
        self._require_sound(face, templates)
        return ArrivedFace(face, body, templates, envelope.header.receivers[self.ties.device])

    def require_model(self, face: FaceCertificate) -> None:
        """Raise `FaceRefused` for a face of another model: it is never compared, and never converted."""
        if face.model != self.ties.model_id:
            raise FaceRefused("model", f"enrolled with {face.model}, here is {self.ties.model_id}")

    def require_place(self, face: FaceCertificate) -> None:
        """Raise `FaceRefused` unless the face may be here now."""
        self.require_named(face)
        if not self.ties.opens([face.person]):
            raise FaceRefused("levels", f"no access level of {face.person!r} is about {self.ties.device}")

    def require_named(self, face: FaceCertificate) -> None:
        """Raise `FaceRefused` unless list and consent let the face be here; levels are another question."""
        device = self.ties.device
        if not self.register.doors.has_role(device, RECEIVES):
            raise FaceRefused("doors", f"{device} may not receive by list {self.register.doors.number}")
        if device not in face.doors:
            raise FaceRefused("doors", f"the consent does not name {device}")
        if face.consent in self.ended:
            raise FaceRefused("ended", "the consent has ended")

    def _entitled(self, envelope: FaceEnvelope) -> FaceCertificate:
        header = envelope.header
        face = self.register.listed.get(header.consent)
        if face is None or (face.person, face.commitment) != (header.person, header.commitment):
            raise FaceRefused(
                "unlisted", f"the property's roster does not list this face of {header.person!r}"
            )
        self.require_place(face)
        return face

    def _opened(self, envelope: FaceEnvelope, face: FaceCertificate) -> tuple[bytes, tuple[FaceRow, ...]]:
        try:
            body = envelope.open(self.ties.device, self.keys)
            return body, open_body(body, face)
        except SyncError as error:
            raise FaceRefused("envelope", str(error)) from error

    def _require_sound(self, face: FaceCertificate, templates: Sequence[Template]) -> None:
        try:
            for template in templates:
                checked_vector(face.person, template)
            self.ties.refuse_lookalike(face.person, [template.embedding for template in templates])
        except EnrolmentRefused as error:
            raise FaceRefused("look_alike", str(error)) from error
        except TemplateRefused as error:
            raise FaceRefused("template", str(error)) from error


def keep(ties: SharingTies, arrivals: Sequence[ArrivedFace]) -> None:
    """Keep faces that passed: consent, templates, and last that they are held.

    Cut short at any step nothing counts that is not held, and it is asked for again. Raises `StoreError`.
    """
    ties.consents.record_all(_consent(one.face) for one in arrivals)
    strangers = ties.store.put_faces({one.face.person: one.templates for one in arrivals})
    # Somebody removed since the roster was read: their face is not kept, and their key is destroyed again.
    there = [one for one in arrivals if one.face.person not in strangers]
    ties.book.hold((_held(one), one.body) for one in there)
    if len(there) > MOST_NAMED:
        ties.tell(Kind.FACE_RECEIVED, faces=len(there), doors=sorted({one.face.by for one in there}))
        return
    for one in there:
        ties.tell(Kind.FACE_RECEIVED, one.face.person, consent=one.face.consent, door=one.face.by)


def refused(ties: SharingTies, letter: Letter, error: FacegateError) -> None:
    """Write down that a face was not taken, and why."""
    reason = error.reason if isinstance(error, FaceRefused) else "letter"
    logger.warning("a face that %s sent is not taken: %s", letter.sender, error)
    person = str(letter.content.get("person", "")) or None
    consent = str(letter.content.get("consent", ""))
    ties.tell(
        Kind.FACE_NOT_TAKEN, person, door=letter.sender, consent=consent, why=reason, detail=str(error)[:200]
    )


def _held(arrival: ArrivedFace) -> HeldFace:
    face = arrival.face
    return HeldFace(face.consent, face.person, face.model, "", arrival.number)


def _consent(face: FaceCertificate) -> Consent:
    return Consent(
        face.consent,
        face.person,
        datetime.fromisoformat(face.at),
        face.notice,
        face.language,
        PURPOSE,
        f"door {face.by}",
        is_minor=face.is_minor,
        doors=face.doors,
        origin=face.by,
    )


def _template(face: FaceCertificate, row: FaceRow) -> Template:
    vector = np.frombuffer(row.vector, dtype="<f4").astype(np.float32)
    at = datetime.fromisoformat(face.at)
    return Template(face.person, vector, face.model, at, row.kind, face.consent)
