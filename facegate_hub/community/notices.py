"""Notices: drafted, seen by a second pair of eyes, shown until they end. Corrections are new versions.

An emergency needs one person, so that a flood does not wait for another one. What was shown stays readable
in the book; a draft that nobody approved is just ended.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.duties import Right, may
from facegate_hub.community.schema import FLATS, NOTICES, PEOPLE, READS, TIES
from facegate_hub.community.shaming import require_no_debtor
from facegate_hub.database import insert_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.accounts import Account
    from facegate_hub.community.book import Book, Writing

DAY = 86_400
MOST_TITLE = 120
"""Letters: three lines of big type on a display at a door."""
MOST_TEXT = 4000
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
class NoticeDraft:
    """What is to be shown: at least one title, one line each. Times are UTC seconds.

    `buildings` empty: all; `tie` empty: everybody, else owners or tenants alone; `replaces` is the notice
    that this one corrects.
    """

    level: NoticeLevel
    title_zh: str
    title_en: str
    text: str
    begins: int
    ends: int
    buildings: tuple[str, ...] = ()
    tie: str = ""
    replaces: str | None = None


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
    """The compound's notices. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def draft(self, by: Account, draft: NoticeDraft) -> int:
        """Write a draft down and return its number. Raises `CommunityRefused`."""
        if not may(by.duty, Right.WRITE_NOTICES):
            raise CommunityRefused(message("community.refused.not_yours"))
        with self._book.writing() as writing:
            _require_sound(writing, draft, self._names(writing.connection))
            last = writing.connection.execute(sa.select(sa.func.max(NOTICES.c.number))).scalar()
            number = 1 + (last or 0)
            values = _row(writing, draft, f"notice:{number}") | {"number": number, "drafted_by": by.name}
            drafted = Change(NOTICES, str(number), values)
            writing.enter(by.doer, "notice.drafted", f"notice:{number}", drafted)
        return number

    def approve(self, by: Account, number: int) -> None:
        """Let a draft be shown: by somebody else than who wrote it, but for an emergency."""
        with self._book.writing() as writing:
            row = _require(writing.connection, number, NoticeState.DRAFT)
            is_own = row.drafted_by == by.name and row.level != NoticeLevel.EMERGENCY.value
            if not may(by.duty, Right.APPROVE_NOTICES) or is_own:
                raise CommunityRefused(message("community.refused.second_eyes"))
            if row.ends <= writing.at:
                raise CommunityRefused(message("community.refused.ended"))
            shown: dict[str, str | int | None] = {
                "state": NoticeState.SHOWN.value,
                "approved_by": by.name,
                "approved_at": writing.at,
            }
            changes = [Change(NOTICES, row.id, shown)]
            if row.replaces:
                _require(writing.connection, int(row.replaces), NoticeState.SHOWN)
                changes.append(Change(NOTICES, row.replaces, {"state": NoticeState.REPLACED.value}))
            writing.enter(by.doer, "notice.approved", f"notice:{number}", *changes)

    def end(self, by: Account, number: int) -> None:
        """End a notice now, or throw a draft away."""
        with self._book.writing() as writing:
            row = _require(writing.connection, number, NoticeState.DRAFT, NoticeState.SHOWN)
            is_own_draft = row.state == NoticeState.DRAFT.value and row.drafted_by == by.name
            if not (may(by.duty, Right.APPROVE_NOTICES) or is_own_draft):
                raise CommunityRefused(message("community.refused.not_yours"))
            ended = Change(NOTICES, row.id, {"state": NoticeState.ENDED.value, "ends": writing.at})
            writing.enter(by.doer, "notice.ended", f"notice:{number}", ended)

    def all(self, most: int = 60) -> list[Notice]:
        """Return notices of every state, the newest first."""
        with self._book.looking() as connection:
            query = sa.select(NOTICES).order_by(NOTICES.c.number.desc()).limit(most)
            return self._read(connection, connection.execute(query).all())

    def shown(self) -> list[Notice]:
        """Return what is to be shown now, wherever: the loudest first, then the newest."""
        return self._approved(self._book.now())

    def for_doors(self) -> list[Notice]:
        """Return what doors are to be told: what is shown now or within a day, to everybody of a building.

        A display is read by whoever passes, so what is for owners or tenants alone is on the page only.
        """
        return [one for one in self._approved(self._book.now() + DAY) if not one.tie]

    def _approved(self, until: int) -> list[Notice]:
        now = self._book.now()
        current = (
            NOTICES.c.state == NoticeState.SHOWN.value,
            NOTICES.c.begins <= until,
            NOTICES.c.ends > now,
        )
        with self._book.looking() as connection:
            rows = connection.execute(sa.select(NOTICES).where(*current)).all()
            found = self._read(connection, rows)
        loudness = list(NoticeLevel)
        return sorted(found, key=lambda one: (-loudness.index(one.level), -one.number))

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

    def _names(self, connection: Connection) -> frozenset[str]:
        marks = {row.name for row in connection.execute(sa.select(PEOPLE.c.name)) if row.name}
        return frozenset(self._book.texts(connection, marks).values())

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


def _row(writing: Writing, draft: NoticeDraft, owner: str) -> dict[str, str | int | None]:
    marks: dict[str, str | int | None] = {
        name: writing.keep(text.strip(), owner) if text.strip() else None
        for name, text in (("title_zh", draft.title_zh), ("title_en", draft.title_en), ("text", draft.text))
    }
    return marks | {
        "state": NoticeState.DRAFT.value,
        "level": draft.level.value,
        "buildings": ",".join(draft.buildings),
        "tie": draft.tie,
        "begins": draft.begins,
        "ends": draft.ends,
        "replaces": draft.replaces,
    }


def _require_sound(writing: Writing, draft: NoticeDraft, names: frozenset[str]) -> None:
    titles = [title.strip() for title in (draft.title_zh, draft.title_en)]
    if not any(titles) or any(len(one) > MOST_TITLE or not _is_line(one) for one in titles):
        raise CommunityRefused(message("community.refused.title", most=MOST_TITLE))
    if len(draft.text) > MOST_TEXT:
        raise CommunityRefused(message("community.refused.text", most=MOST_TEXT))
    if not max(writing.at, draft.begins) < draft.ends <= writing.at + MOST_DAYS * DAY:
        raise CommunityRefused(message("community.refused.ends", days=MOST_DAYS))
    known = set(writing.connection.execute(sa.select(FLATS.c.building)).scalars())
    if unknown := set(draft.buildings) - known:
        raise CommunityRefused(message("community.refused.building", building=min(unknown)[:16]))
    if draft.tie not in {"", "owner", "tenant"}:
        raise CommunityRefused(message("community.refused.field"))
    if draft.replaces is not None:
        _require(writing.connection, int(draft.replaces), NoticeState.SHOWN)
    require_no_debtor("\n".join([*titles, draft.text]), names)


def _is_line(text: str) -> bool:
    return text.replace("\u3000", " ").isprintable()


def _require(connection: Connection, number: int, *states: NoticeState) -> Row[Any]:
    row = connection.execute(sa.select(NOTICES).where(NOTICES.c.id == str(number))).first()
    if row is None or row.state not in {state.value for state in states}:
        raise CommunityRefused(message("community.refused.notice"))
    return row
