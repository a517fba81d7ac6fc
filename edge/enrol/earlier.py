"""Is the face that comes the face that is there? Asked before one person's templates are replaced."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft
from edge.enrol.shots import AGREEMENT, mean_of
from edge.errors import EnrolmentRefused, KeyUnavailable, StoreError
from edge.events import Kind
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from edge.domain import Consent, Embedding
    from edge.ports import Clock
    from edge.store.consents import ConsentLedger
    from edge.store.residents import ResidentStore
    from edge.words import Message


SURELY_SAME = 0.6
"""From this similarity on nobody has to vouch for who stands there. Two photos of 95 people of LFW against
two of other days (SFace): 3 fell short of it and none of 0.45; nor did any of 8,930 pairs of different people
come to that. Of four pairs of twins and sisters three lay between 0.47 and 0.54, one at 0.66."""


class FaceRelation(StrEnum):
    """What a new face is to the one that is enrolled under the same id."""

    SAME = "same_person"
    OTHER = "another_person"
    UNSURE = "not_certain"
    """The person, or a close relative."""
    UNKNOWN = "not_compared"
    """The earlier face is of another model, or its templates cannot be read any more."""


@dataclass(frozen=True, slots=True)
class EarlierFace:
    """The face a person is enrolled with, beside one that is to replace it.

    `similarity` is that of the two means, `least` what one person's two faces have at least; both 0 where
    nothing could be compared.
    """

    resident_id: str
    enrolled_at: datetime
    relation: FaceRelation
    similarity: float = 0.0
    least: float = 0.0

    @property
    def objection(self) -> Message:
        """Why the new face must not replace this one."""
        numbers = {"similarity": f"{self.similarity:.2f}", "least": f"{self.least:.2f}"}
        return message(f"replacing.{self.relation}", who=self.resident_id, **numbers)

    @property
    def is_to_check(self) -> bool:
        """Whether somebody has to look who stands there before the face is replaced."""
        return self.relation in {FaceRelation.UNSURE, FaceRelation.UNKNOWN}

    def require_replaceable(self, *, is_checked: bool) -> None:
        """Raise `EnrolmentRefused` unless this is the same person.

        `is_checked`: somebody vouches for who stands there, which does not help somebody else's face.
        """
        if self.relation is FaceRelation.OTHER or (self.is_to_check and not is_checked):
            raise EnrolmentRefused(self.objection)


def earlier_face(
    store: ResidentStore, resident_id: str, rows: Sequence[Embedding], model_id: str, threshold: float
) -> EarlierFace | None:
    """Return the face that is enrolled under this id and how `rows` compare with it; None for none.

    `threshold` is the door's own similarity. Two faces of one person must also agree as shots of one
    person do: a small gallery's threshold alone would take a brother or a daughter for the person.
    """
    at = store.last_enrolled().get(resident_id)
    if at is None:
        return None
    try:
        stored = store.templates_of(resident_id)
    except KeyUnavailable:
        raise  # nothing could be stored either
    except StoreError:
        stored = ()
    known = [template.embedding for template in stored if template.model_id == model_id]
    if not known or known[0].shape != rows[0].shape:
        return EarlierFace(resident_id, at, FaceRelation.UNKNOWN)
    similarity, least = float(mean_of(known) @ mean_of(rows)), max(threshold, AGREEMENT)
    relation = FaceRelation.OTHER
    if similarity >= least:
        relation = FaceRelation.SAME if similarity >= max(least, SURELY_SAME) else FaceRelation.UNSURE
    return EarlierFace(resident_id, at, relation, similarity, least)


def replaced_facts(earlier: EarlierFace | None) -> dict[str, Any]:
    """Return what the event of an enrolment holds about the face it replaces; nothing for a first one."""
    if earlier is None:
        return {}
    compared = (
        {} if earlier.relation is FaceRelation.UNKNOWN else {"similarity": round(earlier.similarity, 3)}
    )
    return {"replaces": earlier.relation.value, **compared}


def end_older(
    ledger: ConsentLedger,
    consent: Consent,
    by: str,
    clock: Clock,
    record: Callable[[EventDraft], object],
) -> int:
    """End the consents that `consent` replaces, each with an event; return how many."""
    ended = ledger.supersede(consent, clock.now())
    for one in ended:
        told = {"by": by, "consent": one.id, "purpose": one.purpose, "replaced_by": consent.id}
        record(EventDraft.now(clock, Kind.CONSENT_ENDED, told, resident_id=one.resident_id))
    return len(ended)
