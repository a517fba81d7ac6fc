"""The notices people consent to. A version is never edited: a changed text is a new version."""

from __future__ import annotations

from dataclasses import dataclass

from edge.words import Message, message

CURRENT = "2026-2"
"""The notice about the face, as enrolment shows it now."""

GREETING_NOTICE = "greeting-2026-2"
"""The notice about showing the name on the display at the door."""

SHARED = "shared-2026-1"
"""The notice about the face where faces go to the other doors that a person names."""

VERSIONS = ("2026-1", "greeting-2026-1", CURRENT, GREETING_NOTICE, SHARED)
"""Every notice that was ever shown: consents of years ago name theirs."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who answers for the faces of this door, and what its notice therefore says.

    Empty where the settings do not tell; the notice then says where it can be learnt. `keep_days` is
    how long entry records are kept; `is_reporting` whether they also go to the property's system;
    `other_ways` are the methods (`card`, `pin`) that open the door without a face.
    """

    name: str = ""
    contact: str = ""
    office: str = ""
    child_rules: str = ""
    doors: str = ""
    keep_days: int = 90
    is_reporting: bool = False
    other_ways: tuple[str, ...] = ("card", "pin")

    @property
    def is_named(self) -> bool:
        """Whether the notice names who processes the faces and how to reach them, as laws ask."""
        return bool(self.name and self.contact)


def notice_text(
    version: str, language: str, operator: Operator | None = None, others: tuple[str, ...] = ()
) -> str:
    """Return what a person reads before agreeing to the notice of this version.

    `others` are the doors that a face can go to, as `SHARED` names them.
    """
    its = operator or Operator()
    ways = [Message(f"notice.way.{way}") for way in its.other_ways] or Message("notice.way.staff")
    return message(
        f"notice.{version}",
        operator=its.name or Message("notice.unnamed.operator"),
        contact=its.contact or Message("notice.unnamed.contact"),
        office=its.office or Message("notice.unnamed.office"),
        child_rules=its.child_rules or Message("notice.unnamed.child_rules"),
        doors=its.doors or Message("notice.unnamed.doors"),
        keep_days=its.keep_days,
        platform=Message("notice.platform") if its.is_reporting else "",
        ways=ways,
        others=", ".join(others) or Message("notice.no_others"),
    ).said(language)


def sign_text(language: str, operator: Operator | None = None) -> str:
    """Return what a sign beside the camera says."""
    its = operator or Operator()
    return message(
        "notice.sign",
        operator=its.name or Message("notice.unnamed.operator"),
        contact=its.contact or Message("notice.unnamed.contact"),
    ).said(language)
