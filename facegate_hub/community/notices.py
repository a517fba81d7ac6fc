"""Notices as residents read them: the book's copy of what staff wrote and approved (`notice_desk`).

What doors, mails and web requests tell is not read here: whoever takes the residents' page over could write
into this copy.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.schema import FLATS, NOTICES, READS, TIES
from facegate_hub.database import insert_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.book import Book

DAY = 86_400
MOST_DAYS = 90
LEAST_SHOWN = 5
"""Readers of a building: fewer would tell of single people."""


class NoticeLevel(StrEnum):
    """How loud it is."""

    INFO = "info"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class NoticeState(StrEnum):
    """Where a notice is."""

    DRAFT = "draft"
    SHOWN = "shown"
    ENDED = "ended"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is read; a title that was not given is empty."""

    number: int
    state: NoticeState
    level: NoticeLevel
    buildings: tuple[str, ...]
    tie: str
    titles: dict[str, str]
    text: str
    begins: int
    ends: int
    drafted_by: str
    approved_by: str | None
    replaces: str | None

    def title(self, language: str) -> str:
        """Return the title in a language, else in the other one."""
        return self.titles.get(language) or next(filter(None, self.titles.values()), "")


class Notices:
    """The compound's notices for its residents. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def shown(self) -> list[Notice]:
        """Return what residents are to be shown now: the loudest first, then the newest."""
        now = self._book.now()
        current = (NOTICES.c.state == NoticeState.SHOWN.value, NOTICES.c.begins <= now, NOTICES.c.ends > now)
        with self._book.looking() as connection:
            rows = connection.execute(sa.select(NOTICES).where(*current)).all()
            return by_loudness(self._read(connection, rows))

    def for_person(self, person: str) -> list[Notice]:
        """Return what is shown to somebody now, by their flats and what they are to them."""
        with self._book.looking() as connection:
            join = TIES.join(FLATS, TIES.c.flat == FLATS.c.id)
            mine = (TIES.c.person == person, TIES.c.until.is_(None))
            query = sa.select(FLATS.c.building, TIES.c.kind).select_from(join).where(*mine)
            ties = [(row.building, row.kind) for row in connection.execute(query)]
        return [one for one in self.shown() if any(_is_for(one, *tie) for tie in ties)]

    def open(self, person: str, number: int) -> Notice:
        """Return a notice that is shown to somebody, and note that they opened it."""
        found = next((one for one in self.for_person(person) if one.number == number), None)
        if found is None:
            raise CommunityRefused(message("community.refused.notice"))
        mine = (READS.c.notice == str(number), READS.c.person == person)
        with self._book.looking() as connection:
            is_known = connection.execute(sa.select(READS.c.at).where(*mine)).first() is not None
        if not is_known:  # five thousand people open the same notice again and again: one write each
            row = {"notice": str(number), "person": person, "at": self._book.now()}
            with self._book.engine.begin() as connection:
                insert_missing(connection, READS, [row])
        return found

    def newest(self, person: str, number: int) -> int:
        """Return the correction of a notice that somebody is shown now, else the number itself.

        A link in a mail leads to what was corrected since.
        """
        here = self.for_person(person)
        if all(one.number != number for one in here):
            for one in here:
                if any(old.number == number for old in self.earlier(one)):
                    return one.number
        return number

    def earlier(self, notice: Notice) -> list[Notice]:
        """Return the versions that a notice corrected, the newest first; who may read it may read them."""
        found: list[Notice] = []
        with self._book.looking() as connection:
            wanted = notice.replaces
            while wanted is not None:  # a correction is always younger than what it corrects
                rows = connection.execute(sa.select(NOTICES).where(NOTICES.c.id == wanted)).all()
                found += (read := self._read(connection, rows))
                wanted = read[0].replaces if read else None
        return found

    def readers(self, number: int) -> dict[str, int]:
        """Return how many opened a notice, by building; buildings with fewer than five are left out."""
        join = READS.join(TIES, TIES.c.person == READS.c.person).join(FLATS, TIES.c.flat == FLATS.c.id)
        query = sa.select(FLATS.c.building, READS.c.person).select_from(join).distinct()
        with self._book.looking() as connection:
            rows = connection.execute(query.where(READS.c.notice == str(number), TIES.c.until.is_(None)))
            counts = Counter(row.building for row in rows)
        return {building: count for building, count in sorted(counts.items()) if count >= LEAST_SHOWN}

    def forget_reads(self) -> int:
        """Forget who opened what more than ninety days ago, and return how many marks went."""
        with self._book.engine.begin() as connection:
            old = READS.c.at < self._book.now() - MOST_DAYS * DAY
            return connection.execute(sa.delete(READS).where(old)).rowcount

    def _read(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Notice]:
        marks = {mark for row in rows for mark in (row.title_zh, row.title_en, row.text) if mark}
        texts = self._book.texts(connection, marks)
        return [
            Notice(
                number=row.number,
                state=NoticeState(row.state),
                level=NoticeLevel(row.level),
                buildings=tuple(filter(None, row.buildings.split(","))),
                tie=row.tie,
                titles={"zh": texts.get(row.title_zh or "", ""), "en": texts.get(row.title_en or "", "")},
                text=texts.get(row.text or "", ""),
                begins=row.begins,
                ends=row.ends,
                drafted_by=row.drafted_by,
                approved_by=row.approved_by,
                replaces=row.replaces,
            )
            for row in rows
        ]


def _is_for(notice: Notice, building: str, kind: str) -> bool:
    is_here = not notice.buildings or building in notice.buildings
    return is_here and notice.tie in {"", kind}


def by_loudness(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices, the loudest first, then the newest."""
    loudness = list(NoticeLevel)
    return sorted(notices, key=lambda one: (-loudness.index(one.level), -one.number))
