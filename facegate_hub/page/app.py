"""The residents' page as one ASGI application: every page, and who may see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facegate_hub.page import (
    views_doors,
    views_dossier,
    views_entry,
    views_notices,
    views_rings,
    views_tickets,
    views_visitors,
    views_wall,
)
from facegate_hub.web import passkey_pages
from facegate_hub.web.application import PageRow, make_application
from facegate_hub.web.asking import ANYBODY, Who
from facegate_hub.web.office import WebOffice

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from facegate_hub.community.book import Book
    from facegate_hub.community.terms import Terms

COOKIE = "__Host-facegate-home"
RESIDENT = Who("/enter")
GET, POST, BOTH = ("GET",), ("POST",), ("GET", "POST")

PAGES: tuple[PageRow, ...] = (
    ("/", GET, RESIDENT, views_tickets.home),
    ("/enter", BOTH, ANYBODY, views_entry.enter),
    ("/enter/accept", POST, ANYBODY, views_entry.accept),
    ("/passkey", BOTH, ANYBODY, passkey_pages.login),
    ("/passkeys", BOTH, RESIDENT, passkey_pages.passkeys),
    ("/passkeys/remove", POST, RESIDENT, passkey_pages.remove),
    ("/slip", BOTH, ANYBODY, views_entry.slip),
    ("/slip/{number}", BOTH, ANYBODY, views_entry.slip_ticket),
    ("/me", GET, RESIDENT, views_entry.me),
    ("/me/device", POST, RESIDENT, views_entry.end_device),
    ("/me/language", POST, RESIDENT, views_entry.own_language),
    ("/leave", POST, RESIDENT, views_entry.leave),
    ("/new", BOTH, RESIDENT, views_tickets.new),
    ("/tickets/{number}", GET, RESIDENT, views_tickets.ticket),
    ("/tickets/{number}/step", POST, RESIDENT, views_tickets.step),
    ("/tickets/{number}/answer", POST, RESIDENT, views_tickets.answer),
    ("/tickets/{number}/photo/{mark}", GET, RESIDENT, views_tickets.photo),
    ("/tickets/{number}/dossier", GET, RESIDENT, views_dossier.dossier),
    ("/tickets/{number}/dossier.json", GET, RESIDENT, views_dossier.dossier_file),
    ("/notices/{number}", GET, RESIDENT, views_notices.notice),
    ("/visitors", BOTH, RESIDENT, views_visitors.visitors),
    ("/visitors/{pass_id}", BOTH, RESIDENT, views_visitors.one),
    ("/rings", BOTH, RESIDENT, views_rings.rings),
    ("/doors", GET, RESIDENT, views_doors.doors),
    ("/wall", GET, ANYBODY, views_wall.wall),
    ("/check", GET, ANYBODY, views_wall.check),
)


def make_page(book: Book, terms: Terms, url: str = "") -> Starlette:
    """Return the residents' page. `url` is where they reach it, for links that are handed on."""
    return make_application(
        WebOffice.of(book, terms, Path(__file__).parent / "templates", COOKIE, url), PAGES
    )
