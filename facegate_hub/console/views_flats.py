"""The compound's flats: which there are, and new ones from a list, looked at before they are made."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from facegate_hub.community.flats import new_flats

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

SHOWN = 200
"""Of the flats that would be made, as many are named."""


def flats(ask: PageAsk) -> Response:
    """Return how many flats each building has; show what a list would add, or add it."""
    there = ask.office.register.flats()
    if ask.request.method == "GET":
        return _page(ask, there)
    text = ask.form.get("flats", "")
    fresh, bad = new_flats(there, text)
    # The page sends the whole list back, and it is read again: flats that somebody else has made meanwhile
    # are not among `fresh` any more.
    if "sure" not in ask.form or bad or not fresh:
        told = "" if bad or fresh else ask.say("flats_none_new")
        return _page(ask, there, text, [one for one, _, _ in fresh], bad, told)
    ask.office.register.put_flats(ask.asker.doer, fresh)
    return ask.to("/flats")


def remove(ask: PageAsk) -> Response:
    """Remove a flat that was made by mistake."""
    removed = ask.office.register.remove_flat(ask.asker.doer, ask.form.get("flat", "").strip())
    return _page(ask, ask.office.register.flats(), told=ask.say("flats_removed", flat=removed))


def _page(
    ask: PageAsk,
    there: dict[str, str],
    text: str = "",
    fresh: list[str] | None = None,
    bad: list[str] | None = None,
    told: str = "",
) -> Response:
    fresh, bad = fresh or [], bad or []
    return ask.page(
        "flats.html",
        422 if bad else 200,
        buildings=sorted(Counter(there.values()).items()),
        text=text,
        fresh=fresh[:SHOWN],
        fresh_count=len(fresh),
        bad=bad[:SHOWN],
        told=told,
    )
