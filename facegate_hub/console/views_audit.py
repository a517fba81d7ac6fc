"""The page of the signer's audit: who asked what of the doors and of the roster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.errors import SyncError
from facegate_hub.console.views_doors import told

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
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
        rows = [(one, _told(one.about)) for one in records[::-1]]
        return ask.page("audit.html", records=rows, broken=broken)


def _told(about: str) -> str:
    """Return what a record says of itself, without its brackets."""
    try:
        fields = json.loads(about)
        return ", ".join(
            f"{name}: {_plain(value)}" for name, value in fields.items() if value not in (None, {}, [])
        )
    except (ValueError, AttributeError):
        return about


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
