"""Refuses texts that say that a flat or a person owes money.

Courts have ruled that such lists infringe the rights of those named. The database has no column for debts;
this check keeps them out of the free texts that others can read.
"""

from __future__ import annotations

import re

from edge.errors import CommunityRefused
from edge.words import message

DEBT = re.compile(
    r"欠费|欠缴|欠交|拖欠|未缴|未交|催缴|逾期.{0,4}(?:费|款)|滞纳|老赖"
    r"|\barrears\b|\boverdue (?:fee|payment|charge)s?\b|\bowes?\b|\bin debt\b|\bdebtors?\b|\bunpaid\b",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"\d{1,3}\s*(?:-|－|—|#|栋|幢|号楼|单元)\s*\d{1,5}|\d{2,5}\s*(?:室|户)|\b(?:flat|apartment|unit|room)\s*\S*\d",
    re.IGNORECASE,
)


def speaks_of_debts(text: str, names: frozenset[str] = frozenset()) -> bool:
    """Return whether a text speaks of debts and names a flat, or one of `names`."""
    is_named = PLACE.search(text) is not None or any(name and name in text for name in names)
    return is_named and DEBT.search(text) is not None


def require_no_debtor(text: str, names: frozenset[str] = frozenset()) -> None:
    """Raise `CommunityRefused` for a text that `speaks_of_debts`."""
    if speaks_of_debts(text, names):
        raise CommunityRefused(message("community.refused.debtor"))
