"""What people call each door: the name that the property gave it, told apart where two have the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.tables import DOORS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Engine


def door_names(engine: Engine) -> dict[str, str]:
    """Return what people call the doors that have a name, by id."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(DOORS.c.id, DOORS.c.name, DOORS.c.place)).all()
    return told_apart((row.id, row.name, row.place) for row in rows)


def told_apart(doors: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Return names by id, given (id, name, place): with the place, else the id, where names are the same."""
    named = [(door, name, place) for door, name, place in doors if name]
    names = Counter(name for _, name, _ in named)
    placed = Counter((name, place) for _, name, place in named)
    found = {}
    for door, name, place in named:
        is_told = place and placed[name, place] == 1
        found[door] = name if names[name] == 1 else f"{name} · {place if is_told else door}"
    return found
