"""What doors, hub, signer and links say in English, for readers of other languages.

On the wire, in the hub's database and in journals it is English, as every program reads it. The sentences
are those of the catalogue, so that they are found there again, with what fills their gaps; what a door of
another version says is shown as it stands.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import Any

from edge.words import LANGUAGES, Message, catalogue, has, message

BEGINNINGS = ("order.", "signer.")
LINK = "link."
"""What a link to the broker says of itself: looked for alone, for much reads like an address and a cause."""
MODES, RIGHTS = "order.mode.", "signer.right."
PARTS = {"cause": "link_cause.", "reason": "link_reason.", "remedy": "link_remedy.", "link": LINK}
SENTENCES = {"mode": MODES, "right": RIGHTS, "where": "", "why": "", **PARTS}
"""Gaps that hold one of these in turn, and how its id begins; names of doors and people stay as they are."""
ALARMS = "alarms"
MOST_CHARACTERS = 500


def told_of(text: str, beginning: str = "") -> Message | str:
    """Return the message whose English this is, or the text where it is none.

    `beginning` is that of the ids to look among; "": what is said of commands.
    """
    if len(text) > MOST_CHARACTERS:
        return text
    for name, pattern in _patterns(beginning):
        if (found := pattern.fullmatch(text)) is not None:
            return Message(name, {gap: _filled(gap, value) for gap, value in found.groupdict().items()})
    return text


def _filled(gap: str, value: str) -> Any:
    if gap in SENTENCES:
        return told_of(value, SENTENCES[gap])
    if gap == ALARMS:
        known = [f"value.alarm.{one}" for one in value.split(", ")]
        return [message(one) for one in known] if all(map(has, known)) else value
    return value


@cache
def _patterns(beginning: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return how each sentence reads, those that say the most themselves first.

    Single words, such as a mode, are looked for alone.
    """
    found = {name: forms[-1] for name, forms in catalogue(LANGUAGES[0]).texts.items()}
    ours = {name: text for name, text in found.items() if _is_meant(name, beginning)}
    longest = sorted(ours.items(), key=lambda one: -len(re.sub(r"\{.*?\}", "", one[1])))
    return tuple((name, re.compile(_pattern(text), re.DOTALL)) for name, text in longest)


def _is_meant(name: str, beginning: str) -> bool:
    if beginning:
        return name.startswith(beginning)
    return name.startswith(BEGINNINGS) and not name.startswith((MODES, RIGHTS))


def _pattern(text: str) -> str:
    parts = Formatter().parse(text)
    return "".join(re.escape(plain) + (f"(?P<{gap}>.+?)" if gap else "") for plain, gap, _, _ in parts)
