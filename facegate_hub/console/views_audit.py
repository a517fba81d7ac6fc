"""The page of the signer's audit: who asked what of the doors and of the roster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.words import Message, has, say
from edge.words.retold import told_of
from facegate_hub.console.views_doors import local_time, told

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.signer.audit import Record
    from facegate_hub.web.asking import PageAsk

NEWEST = 100


class AuditPages:
    """The page of the signer's audit, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def audit(self, ask: PageAsk) -> Response:
        """Return the newest records, and whether the chain holds."""
        if self._desk.known(ask.token) is None:
            return ask.page("audit.html", records=None, broken=None)
        try:
            with self._desk.acting(ask.token) as staff:
                records, broken = staff.audit(NEWEST)
        except SyncError as error:
            return told(ask, ask.say("menu.audit"), error, status=403)
        rows = [(one, _told(ask, one)) for one in records[::-1]]
        return ask.page("audit.html", records=rows, broken=broken)


def _told(ask: PageAsk, record: Record) -> str:
    """Return what a record says of itself in the reader's words, as far as they are known."""
    try:
        fields = json.loads(record.about)
        told = [_pair(ask, name, value) for name, value in fields.items() if _is_told(record, name, value)]
    except (ValueError, AttributeError):
        return record.about
    return ask.say("audit.between").join(told)


def _is_told(record: Record, name: str, value: object) -> bool:
    # Who acted stands beside it; they are named again only where somebody spoke for them.
    return value not in (None, {}, [], "") and not (name in {"principal", "by"} and value == record.by)


def _pair(ask: PageAsk, name: str, value: object) -> str:
    word = f"community.audit.field.{name}"
    label = say(word, ask.language) if has(word) else name
    return ask.say("pair", name=label, what=_plain(ask, name, value))


def _plain(ask: PageAsk, name: str, value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if name in {"since", "until"}:
        return local_time(ask, value)
    said = told_of(value) if name == "why" else value
    if isinstance(said, Message):
        return said.said(ask.language)
    known = {"type": "community.door.act", "what": "community.audit", "did": "community.audit.did"}
    word = f"{known.get(name, name)}.{value}"
    return say(word, ask.language) if name in known and has(word) else value
