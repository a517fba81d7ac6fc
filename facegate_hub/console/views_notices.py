"""Notices: drafted by one, approved by another, ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.flats import BETWEEN_FLATS
from facegate_hub.community.notice_desk import NoticeDesk, NoticeDraft
from facegate_hub.community.notices import NoticeLevel, NoticeState
from facegate_hub.web.ticket_pages import chosen, number_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def notices(ask: PageAsk) -> Response:
    """Return all notices and the form of a new one, or write a draft down."""
    assert ask.account is not None  # noqa: S101 - the table lets nobody else in
    desk = NoticeDesk(ask.office.staff)
    if ask.request.method == "POST":
        desk.draft(ask.account, _draft(ask))
        return ask.to("/notices")
    found = desk.all()
    readers = {
        one.number: ask.office.notices.readers(one.number) for one in found if one.state is NoticeState.SHOWN
    }
    return ask.page("notices.html", notices=found, levels=list(NoticeLevel), readers=readers)


def decide(ask: PageAsk) -> Response:
    """Approve a draft, or end a notice."""
    assert ask.account is not None  # noqa: S101 - the table lets nobody else in
    desk = NoticeDesk(ask.office.staff)
    if ask.form.get("do") == "approve":
        desk.approve(ask.account, number_of(ask))
    else:
        desk.end(ask.account, number_of(ask))
    return ask.to("/notices")


def _draft(ask: PageAsk) -> NoticeDraft:
    form = ask.form
    replaces = form.get("replaces", "").strip().lstrip("#")
    if replaces and not (replaces.isascii() and replaces.isdecimal() and len(replaces) < 12):
        raise CommunityRefused(message("community.refused.notice"))
    return NoticeDraft(
        level=chosen(NoticeLevel, form.get("level", ""), NoticeLevel.INFO),
        title_zh=form.get("title_zh", ""),
        title_en=form.get("title_en", ""),
        text=form.get("text", ""),
        begins=_moment(ask, "begins") or ask.now,
        ends=_moment(ask, "ends") or 0,
        buildings=tuple(filter(str.strip, BETWEEN_FLATS.split(form.get("buildings", "")))),
        tie=form.get("tie", ""),
        replaces=replaces or None,
    )


def _moment(ask: PageAsk, name: str) -> int | None:
    """Return a moment that a form gives in the compound's time."""
    text = ask.form.get(name, "").strip()
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
        return int(given.replace(tzinfo=given.tzinfo or ask.office.terms.zone).astimezone(UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise CommunityRefused(message("community.refused.until")) from error
