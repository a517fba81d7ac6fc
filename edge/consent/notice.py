"""The notices people consent to. A version is never edited: a changed text is a new version."""

from __future__ import annotations

from edge.words import say

CURRENT = "2026-1"
"""The notice about the face, as enrolment shows it now."""

GREETING_NOTICE = "greeting-2026-1"
"""The notice about showing the name on the display at the door."""

VERSIONS = (CURRENT, GREETING_NOTICE)


def notice_text(version: str, language: str) -> str:
    """Return what a person reads before agreeing to the notice of this version."""
    return say(f"notice.{version}", language)
