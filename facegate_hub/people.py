"""People as a console shows them: who is in the roster, what the doors tell of them, and its erasure."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.spellings import Spellings, reads_like, spellings
from edge.words import message
from facegate_hub.database import in_parts, reading
from facegate_hub.faces import SharedFaces
from facegate_hub.reading import EventFilter, history, page
from facegate_hub.tables import ALARMS, EVENTS, GIVEN_WAYS, GRANTED_PASSES, ROSTER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Engine

    from facegate_hub.reading import EventPage

_NUMBER = re.compile(r"0*(\d+)(?:(\.\d*?)0*)?", re.ASCII)
"""A number, as a spreadsheet keeps it in its groups: without the zeros in front and behind."""

AT_ONCE = 500
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class RosterPerson:
    """Somebody in the roster: `record` as it was imported, `rev` when it last changed."""

    id: str
    rev: int
    record: Mapping[str, Any]


def require_whole_numbers(there: Collection[str], gone: Iterable[str], listed: Iterable[str]) -> None:
    """Refuse a list that would remove 0101 and adds 101 instead, or 5.1 for 5.10: a spreadsheet cut it.

    `there` are those in the roster. Everybody concerned would lose face, PIN and cards. Raises `SyncError`.
    """
    added = {as_kept: one for one in set(listed).difference(there) if (as_kept := _as_kept(one)) is not None}
    cut = [f"{added[number]} ({one})" for one in gone if (number := _as_kept(one)) in added]
    if cut:
        raise SyncError(message("property.numbers_cut", count=len(cut), ids=", ".join(cut[:10])))


def _as_kept(text: str) -> str | None:
    found = _NUMBER.fullmatch(text)
    return None if found is None else found[1] + (found[2] or "").rstrip(".")


class RosterPeople:
    """What is known of people. Any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, count: int = 50, after: str = "", beginning: str = "") -> list[RosterPerson]:
        """Return people by id, those after an id (the page before ended with), whose id begins so."""
        query = sa.select(ROSTER).where(ROSTER.c.id > after).order_by(ROSTER.c.id).limit(count)
        if beginning:
            query = query.where(ROSTER.c.id.startswith(beginning, autoescape=True))
        with reading(self._engine) as connection:
            return [_person(row) for row in connection.execute(query)]

    def levels(self) -> list[str]:
        """Return the access levels that people in the roster have."""
        with reading(self._engine) as connection:
            texts = connection.execute(sa.select(ROSTER.c.text)).scalars()
            return sorted({level for text in texts for level in json.loads(text).get("access_levels", ())})

    def holders(self, level: str) -> int:
        """Return how many people have an access level."""
        with reading(self._engine) as connection:
            texts = connection.execute(sa.select(ROSTER.c.text)).scalars()
            return sum(level in json.loads(text).get("access_levels", ["resident"]) for text in texts)

    def doubtful_levels(self, records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Return access levels that nobody has yet, each with the one that people have and it nearly is."""
        known = self.levels()
        given = {name for record in records for name in record.get("access_levels", ())} - set(known)
        near = {level: get_close_matches(level, known, 1, 0.8) for level in sorted(given)}
        return {level: found[0] for level, found in near.items() if found}

    def renamed(self, records: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
        """Return whose name these records change, by id: (the name now, the name then).

        A record keeps face, PIN and cards: under the number of a flat the next tenant would leave the former
        one's to open the door.
        """
        there = self.some([str(one["id"]) for one in records])
        names = {str(one["id"]): str(one["name"]) for one in records}
        return {
            one: (person.record["name"], names[one])
            for one, person in there.items()
            if person.record["name"] != names[one]
        }

    def meant(
        self, records: Sequence[dict[str, Any]], silent: Collection[str]
    ) -> tuple[list[dict[str, Any]], Spellings]:
        """Return a list's records as they are meant, and whom their numbers mean: 3栋1203 is kept as 3-1203.

        They have what the roster has of the fields that the list is `silent` about: a list of numbers and
        names would else take everybody's end, and make all of them residents.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(ROSTER.c.id, ROSTER.c.text)).all()
        there = {row.id: json.loads(row.text) for row in rows}
        named = {one: str(record.get("name", "")) for one, record in there.items()}
        whom = spellings({str(one["id"]): str(one["name"]) for one in records}, named)
        found = [{**one, "id": whom.kept.get(one["id"], one["id"])} for one in records]
        kept = {
            one: {name: there[one][name] for name in silent if name in there[one]}
            for one in (record["id"] for record in found)
            if one in there
        }
        return [{**kept.get(one["id"], {}), **one} for one in found], whom

    def search(self, wanted: str, count: int = 50, after: str = "") -> list[RosterPerson]:
        """Return people whose number or name contains `wanted`, by id, those after an id.

        Where there is nobody, the first whose number reads like it: 3-1203 for 3栋1203.
        """
        found = self._containing(wanted, count, after)
        like = None if found or after else self.reading_like(wanted)
        return found if like is None else [like]

    def reading_like(self, typed: str) -> RosterPerson | None:
        """Return somebody whose number is another one and reads like what was typed; None: nobody's does."""
        with reading(self._engine) as connection:
            ids = connection.execute(sa.select(ROSTER.c.id).order_by(ROSTER.c.id)).scalars().all()
        other = reads_like(typed, ids)
        return None if other is None else self.one(other)

    def _containing(self, wanted: str, count: int, after: str) -> list[RosterPerson]:
        query = sa.select(ROSTER).where(ROSTER.c.id > after).order_by(ROSTER.c.id)
        if wanted:
            quoted = json.dumps(wanted, ensure_ascii=False)[1:-1]
            has = (
                column.icontains(text, autoescape=True)
                for column, text in ((ROSTER.c.id, wanted), (ROSTER.c.text, quoted))
            )
            query = query.where(sa.or_(*has))
        found: list[RosterPerson] = []
        with reading(self._engine) as connection:
            for row in connection.execute(query):
                person = _person(row)
                # The database compares with the whole record as JSON, in which levels and certificates may
                # match as well.
                if wanted.lower() in f"{person.id}\n{person.record['name']}".lower():
                    found.append(person)
                if len(found) == count:
                    break
        return found

    def some(self, ids: list[str]) -> dict[str, RosterPerson]:
        """Return those of these people who are in the roster, by id."""
        found: dict[str, RosterPerson] = {}
        with reading(self._engine) as connection:
            for part in in_parts(ids):
                query = sa.select(ROSTER).where(ROSTER.c.id.in_(part))
                found |= {row.id: _person(row) for row in connection.execute(query)}
        return found

    def one(self, person: str) -> RosterPerson | None:
        """Return somebody who is in the roster; None: nobody of this id is."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(ROSTER).where(ROSTER.c.id == person)).first()
        return None if row is None else _person(row)

    def history(
        self, person: str, count: int = 50, then: tuple[str, str, str, int] | None = None
    ) -> EventPage:
        """Return what the doors tell of somebody, newest first, page by page."""
        return page(self._engine, EventFilter(resident=person), count, then)

    def everything(self, person: str) -> Iterator[dict[str, Any]]:
        """Yield all that is stored of somebody, as JSON values, oldest first within each kind.

        Their record, certificates of faces, PINs and cards that they were given (never what opens), passes of
        their visitors, events.

        This is what data protection lets them ask for. Faces are at the doors: `facegate resident export`.
        """
        found = self.one(person)
        if found is not None:
            yield {"record": dict(found.record)}
        for face in SharedFaces(self._engine).found(person=person):
            yield {"face": asdict(face)}
        with reading(self._engine) as connection:
            ways = [dict(row) for row in connection.execute(_ways_of(person)).mappings()]
            passes = [dict(row) for row in connection.execute(_passes_of(person)).mappings()]
        yield from ({"way": one} for one in ways)
        yield from ({"pass": one} for one in passes)
        for event in history(self._engine, EventFilter(resident=person)):
            yield {"event": json.loads(event.body)}

    def erase_events(self, person: str) -> int:
        """Take somebody out of all that is stored; return how many events that was.

        An event keeps its door, kind, time, number and hash, so that the journal's chain stays whole and no
        door sends it again; what it said is gone, also from the file. So do those that name them in passing.
        Whoever is still in the roster makes new ones: remove them first.
        """
        erased, place = 0, ("", "", -1)
        key = (EVENTS.c.device, EVENTS.c.stream, EVENTS.c.seq)
        quoted = json.dumps(person, ensure_ascii=False)
        mine = sa.or_(EVENTS.c.resident == person, EVENTS.c.body.contains(quoted, autoescape=True))
        while True:
            query = sa.select(*key, EVENTS.c.kind).where(mine, sa.tuple_(*key) > sa.tuple_(*place))
            with reading(self._engine) as connection:
                rows = connection.execute(query.order_by(*key).limit(AT_ONCE)).all()
            if not rows:
                break
            self._blank(rows)
            place, erased = (rows[-1].device, rows[-1].stream, rows[-1].seq), erased + len(rows)
        with self._engine.begin() as connection:
            gone = sa.update(ALARMS).where(ALARMS.c.resident == person).values(resident=None)
            connection.execute(gone)
            connection.execute(sa.delete(GIVEN_WAYS).where(GIVEN_WAYS.c.person == person))
            # The pass itself stays until it is over, so that doors go on to be told that it was ended.
            whose = sa.update(GRANTED_PASSES).where(GRANTED_PASSES.c.host == person)
            connection.execute(whose.values(host=None, flat=None))
        SharedFaces(self._engine).erase(person)
        self._leave_nothing_behind()
        return erased

    def _blank(self, rows: Any) -> None:
        changed = (
            sa.update(EVENTS)
            .where(EVENTS.c.device == sa.bindparam("d"), EVENTS.c.stream == sa.bindparam("s"))
            .where(EVENTS.c.seq == sa.bindparam("q"))
            .values(resident=None, reason=None, body=sa.bindparam("b"))
        )
        blanks = [
            {"d": row.device, "s": row.stream, "q": row.seq, "b": _blank_body(row, time.time())}
            for row in rows
        ]
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":  # what was there is overwritten, not only let go
                connection.connection.driver_connection.execute("PRAGMA secure_delete = ON")  # type: ignore[union-attr]
            with connection.begin():
                connection.execute(changed, blanks)

    def _leave_nothing_behind(self) -> None:
        """Have SQLite move what is in its log into the file; PostgreSQL does so in its own time."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                log = connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
                log.fetchall()


def _ways_of(person: str) -> sa.Select[Any]:
    """Return the query of what somebody was given: what opens is sealed for its door, and no part of it."""
    names = ("number", "device", "way", "by", "at", "status", "why")
    query = sa.select(*(GIVEN_WAYS.c[name] for name in names)).where(GIVEN_WAYS.c.person == person)
    return query.order_by(GIVEN_WAYS.c.number, GIVEN_WAYS.c.device)


def _passes_of(person: str) -> sa.Select[Any]:
    names = ("id", "doors", "flat", "kind", "begins", "until", "granted_at", "ended_at")
    query = sa.select(*(GRANTED_PASSES.c[name] for name in names)).where(GRANTED_PASSES.c.host == person)
    return query.order_by(GRANTED_PASSES.c.granted_at, GRANTED_PASSES.c.id)


def _person(row: Any) -> RosterPerson:
    return RosterPerson(row.id, row.rev, json.loads(row.text))


def _blank_body(row: Any, now: float) -> str:
    return json.dumps({"seq": row.seq, "stream": row.stream, "type": row.kind, ERASED: int(now)})
