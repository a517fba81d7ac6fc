"""People: found by name or flat, changed, invited; moving in and out is `views_moving`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.identity import tidied
from edge.words import message
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.people import TieKind
from facegate_hub.community.slips import Slips
from facegate_hub.web.codes import qr_picture
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

TIES = tuple(TieKind)
MOST_SLIPS = 40
MOST_FOUND = 50


def people(ask: PageAsk) -> Response:
    """Return who was looked for."""
    wanted = tidied(ask.request.query_params.get("q", ""))[:64]
    found = ask.office.register.search(wanted, MOST_FOUND + 1)
    more = MOST_FOUND if len(found) > MOST_FOUND else 0
    return ask.page("people.html", found=found[:MOST_FOUND], more=more, wanted=wanted, ties=TIES)


def change(ask: PageAsk) -> Response:
    """Change somebody's name or contact."""
    identity = str(ask.request.path_params["person"])
    values = {name: ask.form[name] for name in ("name", "contact", "resident") if name in ask.form}
    ask.office.register.change(ask.asker.doer, identity, ask.form.get("seen"), **values)
    return ask.to(f"/people/{identity}")


def tie(ask: PageAsk) -> Response:
    """Tie somebody to one more flat."""
    identity, flat = str(ask.request.path_params["person"]), ask.form.get("flat", "").strip()
    kind = chosen(TieKind, ask.form.get("kind", ""), TieKind.FAMILY)
    ask.office.register.tie(ask.asker.doer, identity, flat, kind)
    return ask.to(f"/people/{identity}")


def end_phones(ask: PageAsk) -> Response:
    """Log all of somebody's phones out: one was lost, and whoever has it sees what its owner saw."""
    found = ask.office.register.one(str(ask.request.path_params["person"]))
    Devices(ask.office.book).forget(ask.asker.doer, Doer("person", found.id))
    return ask.to(f"/people/{found.id}")


def invite(ask: PageAsk) -> Response:
    """Make an invitation and show it once, to be printed or scanned: for a person, or each of some flats."""
    kind = chosen(TieKind, ask.form.get("kind", ""), TieKind.OWNER)
    identity = ask.form.get("person") or None
    made = ask.office.invitations.invite_flats(ask.asker.doer, _flats(ask), kind, identity)
    return printed(ask, made)


def slips(ask: PageAsk) -> Response:
    """Return what was printed lately, or new codes for all of a print that was lost."""
    kept = Slips(ask.office.book)
    if ask.request.method == "GET":
        return ask.page("slips.html", prints=kept.prints())
    named = ask.form.get("print", "")
    until = int(named) if named.isascii() and named.isdecimal() and len(named) < 12 else 0
    made = kept.renew(ask.asker.doer, until)
    return printed(ask, [(f"{one.flat} · {one.name}" if one.name else one.flat, one.code) for one in made])


def printed(ask: PageAsk, made: Sequence[tuple[str, str]]) -> Response:
    """Return slips to be printed, each (whom it is for, code)."""
    # The code stands behind the #: browsers do not send that part, so no server or proxy logs it.
    place = f"{ask.office.url}/enter"
    shown = [(whom, code, qr_picture(f"{place}#{code}")) for whom, code in made]
    return ask.page("invitations.html", slips=shown, url=place)


def withdraw(ask: PageAsk) -> Response:
    """Withdraw the open invitations of some flats: a slip that was lost lets nobody in."""
    flats = _flats(ask)
    count = ask.office.invitations.withdraw(ask.asker.doer, flats)
    return ask.page("withdrawn.html", count=count, flats=flats)


def _flats(ask: PageAsk) -> list[str]:
    """Return the flats that a form names. Raises `CommunityRefused` for none, and for too many."""
    flats = ask.office.register.flats_in(ask.form.get("flat", ""))
    if not flats:
        raise CommunityRefused(message("community.refused.flat", flat=""))
    if len(flats) > MOST_SLIPS:
        raise CommunityRefused(message("community.refused.slips", most=MOST_SLIPS, count=len(flats)))
    return flats
