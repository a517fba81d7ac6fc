"""Nothing typed is lost: a refused form comes back with the message at its field and the values kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.errors import FacegateError
    from edge.words import Message

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "error.resident_id": "resident_id",
        "error.resident_id_dots": "resident_id",
        "error.person_there": "resident_id",
        "error.resident_name": "name",
        "error.access_level": "levels",
        "error.consent_missing": "agrees",
        "error.consent_minor": "minor",
        "error.consent_guardian": "guardian",
        "error.photos": "photos",
        "error.upload": "photos",
        "photo.none": "photos",
        "photo.all_refused": "photos",
        "photo.two_people": "photos",
        "error.pin_number": "number",
        "error.pin_full": "number",
        "error.pin_digits": "pin",
        "error.pin_simple": "pin",
        "error.pin_taken": "pin",
        "error.card_name": "card",
        "error.card_taken": "card",
        "error.typed": "typed",
        "error.override": "reason",
        "error.account_name": "name",
        "error.password_length": "password",
        "error.password_name": "password",
        "error.role": "role",
        "error.passphrase": "passphrase",
        "panel.not_the_same": "again",
    }
)
"""Which field a refusal is about. What stands nowhere here is told above the form."""


@dataclass(frozen=True, slots=True)
class FormTrouble:
    """Why a form was refused. `field` is the name of the field it is about, "" for the whole form."""

    message: Message
    field: str = ""
    technical: str = ""

    @classmethod
    def of(cls, error: FacegateError, at: str = "") -> FormTrouble:
        """Return the trouble of an error that a view met, at the field `at` where the view knows it."""
        return cls(error.message, at or FIELDS.get(error.message.id, ""), error.technical)


@dataclass(frozen=True, slots=True)
class FormAgain:
    """What one form shows: as it is stored, or as it was typed before it was refused."""

    texts: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, list[str]] = field(default_factory=dict)
    at: str = ""
    told: str = ""
    is_refused: bool = False

    def kept(self, name: str, value: str = "") -> str:
        """Return what a field shows."""
        return self.texts.get(name, "") if self.is_refused else value

    def ticked(self, name: str, value: str = "yes", was: object = False) -> bool:
        """Return whether a box is ticked."""
        return value in self.lists.get(name, ()) if self.is_refused else bool(was)

    def fault(self, name: str) -> str:
        """Return what to say at a field, "" for nothing."""
        return self.told if self.is_refused and self.at == name else ""
