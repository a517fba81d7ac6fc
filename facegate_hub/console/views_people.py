"""People: found by name or flat, moved in, moved out, invited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.identity import tidied
from edge.words import message
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.web.codes import qr_picture
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

TIES = tuple(TieKind)
MOST_SLIPS = 40


def people(ask: PageAsk) -> Response:
    """Return who was looked for."""
    wanted = tidied(ask.request.query_params.get("q", ""))[:64]
    found = ask.office.register.search(wanted)
    return ask.page("people.html", found=found, wanted=wanted, ties=TIES)


def person(ask: PageAsk) -> Response:
    """Return one person: flats and contact; that somebody looked is entered, and the person sees it."""
    found = ask.office.register.one(str(ask.request.path_params["person"]))
    ask.office.register.note_look(ask.asker.doer, found.id)
    has_doors = any(path == "/access" for path, _, _ in ask.office.menu)
    return ask.page("person.html", person=found, ties=TIES, has_doors=has_doors)


def new(ask: PageAsk) -> Response:
    """Return the form of somebody who moves in, or add them."""
    if ask.request.method == "GET":
        return ask.page("person_new.html", ties=TIES, flat=ask.request.query_params.get("flat", ""))
    form = ask.form
    kind = chosen(TieKind, form.get("kind", ""), TieKind.OWNER)
    language = form.get("language", "zh")
    somebody = NewPerson(
        *(form.get("name", ""), form.get("flat", "").strip(), kind, language),
        *(form.get("contact", ""), form.get("resident", "")),
    )
    return ask.to(f"/people/{ask.office.register.add(ask.asker.doer, somebody)}")


def change(ask: PageAsk) -> Response:
    """Change somebody's name or contact."""
    identity = str(ask.request.path_params["person"])
    values = {name: ask.form[name] for name in ("name", "contact", "resident") if name in ask.form}
    ask.office.register.change(ask.asker.doer, identity, **values)
    return ask.to(f"/people/{identity}")


def tie(ask: PageAsk) -> Response:
    """Tie somebody to one more flat."""
    identity, flat = str(ask.request.path_params["person"]), ask.form.get("flat", "").strip()
    kind = chosen(TieKind, ask.form.get("kind", ""), TieKind.FAMILY)
    ask.office.register.tie(ask.asker.doer, identity, flat, kind)
    return ask.to(f"/people/{identity}")


def end_tie(ask: PageAsk) -> Response:
    """Let somebody move out of a flat."""
    ask.office.register.end_tie(ask.asker.doer, ask.form.get("tie", ""))
    return ask.to(f"/people/{ask.request.path_params['person']}")


def invite(ask: PageAsk) -> Response:
    """Make an invitation and show it once, to be printed or scanned: for a person, or each of some flats."""
    kind = chosen(TieKind, ask.form.get("kind", ""), TieKind.OWNER)
    identity = ask.form.get("person") or None
    flats = [flat for flat in ask.form.get("flat", "").replace(",", " ").split() if flat][:MOST_SLIPS]
    if not flats:
        raise CommunityRefused(message("community.refused.flat", flat=""))
    slips = []
    for flat in flats:
        code = ask.office.invitations.invite(ask.asker.doer, flat, kind, identity)
        slips.append((flat, code, qr_picture(f"{ask.office.url}/enter#{code}")))
    return ask.page("invitations.html", slips=slips, url=f"{ask.office.url}/enter")
