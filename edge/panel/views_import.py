"""A list of people: uploaded, looked at row by row, and only then stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.column_names import PEOPLE_COLUMNS
from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.people_list import FIELDS, ListRules, read_people_list, require_unmoved
from edge.store.roster import SOURCE
from edge.web.guard import MOST_BODY_BYTES
from edge.words import message

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.panel.asking import Ask

SHOWN_ROWS = 20
ORDER = ("id", "name", "access_levels", "valid_from", "valid_until", "extended_unlock")
AROUND_BYTES = 64 * 1024
"""What the form sends around a file, with room to spare."""


def form(ask: Ask) -> Response:
    """Return the form for a list."""
    return ask.page(
        "import.html",
        levels=sorted(_levels(ask)),
        columns=_columns(ask.language),
        most=MOST_BODY_BYTES - AROUND_BYTES,
        most_told=ask.say_plain("error.request_size", most=f"{MOST_BODY_BYTES >> 20} MB"),
    )


def look(ask: Ask) -> Response:
    """Return what a list would change, and each row that is wrong; nothing is stored."""
    if not ask.files:
        raise PanelRefused(message("list.no_file"))
    there = {one.id: one for one in ask.desk.residents.list()}
    sources = ask.desk.residents.ids_of(SOURCE)
    found = read_people_list(ask.files[0][1], ListRules(there, sources, _levels(ask), ask.desk.zone))
    name = ask.office.tray.put(ask.session.user, found) if found.people else ""
    return ask.page(
        "import_look.html",
        found=found,
        name=name,
        file=ask.files[0][0],
        rows=found.people[:SHOWN_ROWS],
        alike=list(found.whom.alike.items())[:SHOWN_ROWS],
        kept=list(found.whom.kept.items())[:SHOWN_ROWS],
    )


def store(ask: Ask) -> Response:
    """Store the rows of a list that are right."""
    found = ask.office.tray.take(ask.form.get("list", ""), ask.session.user)
    there = {one.id: one for one in ask.desk.residents.list()}
    require_unmoved(found, there, ask.desk.residents.ids_of(SOURCE))
    new, changed = len(found.new), len(found.changed)
    told = {"by": ask.session.user, "new": new, "changed": changed, "left_out": len(found.bad)}
    with ask.desk.doing(Kind.RESIDENT_IMPORTED, about=None, **told):
        ask.desk.residents.put_people(
            found.people, {one.id: found.before.get(one.id) for one in found.people}
        )
    return ask.to("/residents", message("list.stored", new=new, changed=changed))


def _columns(language: str) -> list[str]:
    """Return the columns' names as a list in this language calls them."""
    names: dict[str, str] = {}
    for name, field in PEOPLE_COLUMNS.items():
        if field in FIELDS and name.isascii() == (language != "zh"):
            names.setdefault(field, name)
    return [names[field] for field in ORDER]


def _levels(ask: Ask) -> set[str]:
    book = ask.desk.rules()
    return {*book.levels, *book.groups}
