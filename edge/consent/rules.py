"""Rules of consent: nobody is matched without a record of it, and no minor enrolled without a guardian."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.consent.notice import CURRENT, VERSIONS
from edge.domain import Consent, Reason
from edge.errors import ConsentRefused
from edge.words import LANGUAGES, Message, message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from edge.domain import Template

PURPOSE = "door"

GREETING = "greeting"
"""The other purpose: the display at the gate may show the name when the door opens."""

FILING_LIMIT = 100_000
"""Stored faces from which an operator in China has to file with the authority (rules of 2025-06-01)."""

FILING_WARNING = 0.8


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person, or a guardian for a minor, declared before being enrolled."""

    resident_id: str
    agrees: bool
    language: str = "en"
    notice: str = CURRENT
    is_minor: bool = False
    guardian: str = ""
    purpose: str = PURPOSE
    doors: tuple[str, ...] = ()
    """Other doors that may know the face, too."""


def consent_from(
    statement: Statement, recorded_by: str, at: datetime, *, minors_allowed: bool = False
) -> Consent:
    """Return the consent to record. Raises `ConsentRefused` naming the rule that is broken."""
    who = statement.resident_id
    if not statement.agrees:
        raise ConsentRefused(message("error.consent_missing", who=who))
    if statement.notice not in VERSIONS or statement.language not in LANGUAGES:
        raise ConsentRefused(
            message("error.consent_notice", notice=statement.notice, language=statement.language)
        )
    guardian = statement.guardian.strip()
    if statement.is_minor and not minors_allowed:
        raise ConsentRefused(message("error.consent_minor", who=who))
    if statement.is_minor and not guardian:
        raise ConsentRefused(message("error.consent_guardian", who=who))
    return Consent(
        str(uuid.uuid4()),
        who,
        at,
        statement.notice,
        statement.language,
        statement.purpose,
        recorded_by,
        is_minor=statement.is_minor,
        guardian=guardian or None,
        doors=statement.doors,
    )


def objection_to_match(template: Template, in_force: Mapping[str, Consent]) -> Reason | None:
    """Return why this template must not be matched, or None. Asked where a gallery is filled.

    `in_force` holds the consents that were not withdrawn, by id. A consent of another person does not count.
    """
    if template.consent_id is None:
        return Reason.CONSENT_MISSING
    consent = in_force.get(template.consent_id)
    if consent is None or consent.withdrawn_at is not None:
        return Reason.CONSENT_WITHDRAWN
    if consent.resident_id != template.resident_id or consent.purpose != PURPOSE:
        return Reason.CONSENT_MISSING
    return None


def matchable(
    templates: Iterable[Template], in_force: Mapping[str, Consent]
) -> tuple[list[Template], dict[str, Reason]]:
    """Return the templates that may be matched, in their order, and who has none of them and why."""
    kept: list[Template] = []
    objections: dict[str, Reason] = {}
    for template in templates:
        reason = objection_to_match(template, in_force)
        if reason is None:
            kept.append(template)
        else:
            objections[template.resident_id] = reason
    # Somebody with one template under a consent in force is matched: their older ones are no objection.
    for template in kept:
        objections.pop(template.resident_id, None)
    return kept, objections


def filing_notice(people: int) -> Message | None:
    """Return what to tell the operator about the duty to file, or None while it is far off."""
    if people >= FILING_LIMIT:
        return message("panel.filing_due", people=people)
    if people >= FILING_WARNING * FILING_LIMIT:
        return message("panel.filing_soon", people=people)
    return None
