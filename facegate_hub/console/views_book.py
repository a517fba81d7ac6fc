"""The book and its counts: what anybody who answers for the property's work must be able to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.scores import METHOD
from facegate_hub.community.verify import verify
from facegate_hub.community.wall import share_done_silently

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

NEWEST = 60


def counts(ask: PageAsk) -> Response:
    """Return the counts that the public wall shows, too."""
    found = ask.office.wall.read()
    return ask.page(
        "counts.html",
        wall=found,
        silently=share_done_silently(found),
        satisfied=ask.office.surveys.satisfaction(),
        months=ask.office.scores.read(),
        method=METHOD,
    )


def book(ask: PageAsk) -> Response:
    """Return the newest entries without texts, and on demand whether the whole book holds."""
    check = None
    with ask.office.book.looking() as connection:
        if "verify" in ask.request.query_params:
            check = verify(connection, ask.office.book.sealer)
        entries = ask.office.book.newest(connection, NEWEST)
        head = ask.office.book.head(connection)
    return ask.page(
        "book.html", entries=entries, head=head, check=check, subject=lambda one: _subject(ask, one)
    )


def _subject(ask: PageAsk, subject: str) -> str:
    """Return what an entry is about, in the reader's words; of people it says nothing."""
    kind, _, name = subject.partition(":")
    return "" if kind == "person" else f"{ask.known(f'subject.{kind}')} {name}"
