"""Notices as staff write them: drafted by one person, approved by another, shown until they end.

An emergency needs one person only, so that nobody waits for a second one during a flood. A notice that was
shown stays readable in the book; corrections are new versions. Everything is stored in the staff's own
database, which the residents' page cannot write: whoever approves sees what goes out, and doors, mails and
web requests take their text from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.duties import Right, may
from facegate_hub.community.flats import buildings_in
from facegate_hub.community.notices import (
    DAY,
    MOST_DAYS,
    Notice,
    NoticeLevel,
    NoticeState,
    by_loudness,
)
from facegate_hub.community.schema import FLATS, NOTICES, PEOPLE
from facegate_hub.community.shaming import require_no_debtor
from facegate_hub.community.staff_store import NOTICE_TEXTS, STAFF_NOTICES, Contents

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.accounts import Account
    from facegate_hub.community.staff_store import StaffStore

MOST_TITLE = 120
"""Letters: three lines of big type on a display at a door."""
MOST_TEXT = 4000
MOST_BUILDINGS = 200
"""Characters of all buildings that are named, with commas: as many as the book's column takes. PostgreSQL
refuses more, and then the book would be told nothing any more of what staff do."""


@dataclass(frozen=True, slots=True)
class NoticeDraft:
    """What is to be shown: at least one title, one line each. Times are UTC seconds.

    `buildings` empty: all; `tie` empty: everybody, else owners or tenants alone; `replaces` is the notice
    that this one corrects, which may have ended: who read it learns of the correction all the same.
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


class NoticeDesk:
    """The compound's notices for the property's own processes. Any thread."""

    def __init__(self, store: StaffStore) -> None:
        self._store = store

    def draft(self, by: Account, draft: NoticeDraft) -> int:
        """Write a draft down and return its number. Raises `CommunityRefused`."""
        if not may(by.duty, Right.WRITE_NOTICES):
            raise CommunityRefused(message("community.refused.not_yours"))
        buildings, names = self._known()
        draft = replace(draft, buildings=tuple(buildings_in(buildings, draft.buildings)))
        with self._store.writing() as writing:
            _require_sound(draft, writing.at, buildings)
            if draft.replaces is not None:
                _require_newest(writing.connection, int(draft.replaces))
            require_no_debtor("\n".join([draft.title_zh, draft.title_en, draft.text]), names)
            last = writing.connection.execute(sa.select(sa.func.max(STAFF_NOTICES.c.number))).scalar()
            number = 1 + (last or 0)
            values = _row(draft) | {"drafted_by": by.name}
            texts = {name: getattr(draft, name).strip() for name in NOTICE_TEXTS}
            writing.connection.execute(sa.insert(STAFF_NOTICES).values(number=number, **values, **texts))
            copied = Change(NOTICES, str(number), values | {"number": number})
            writing.tell(by.doer, "notice.drafted", f"notice:{number}", (copied,), Contents(texts))
        return number

    def approve(self, by: Account, number: int) -> None:
        """Show a draft. Except for an emergency, another person than its writer has to approve it."""
        with self._store.writing() as writing:
            row = _require(writing.connection, number, NoticeState.DRAFT)
            is_own = row.drafted_by == by.name and row.level != NoticeLevel.EMERGENCY.value
            if not may(by.duty, Right.APPROVE_NOTICES) or is_own:
                raise CommunityRefused(message("community.refused.second_eyes"))
            if row.ends <= writing.at:
                raise CommunityRefused(message("community.refused.ended"))
            shown: dict[str, str | int | None] = {"state": NoticeState.SHOWN.value, "approved_by": by.name}
            changes = [Change(NOTICES, str(number), shown | {"approved_at": writing.at})]
            if row.replaces:
                # Looked for before this one is shown, which is a correction of it then.
                old = _require_newest(writing.connection, int(row.replaces))
                replaced = _giving_way(old, row.begins, writing.at)
                _set(writing.connection, old.number, replaced)
                changes.append(Change(NOTICES, row.replaces, replaced))
            _set(writing.connection, number, shown)
            writing.tell(by.doer, "notice.approved", f"notice:{number}", tuple(changes))

    def end(self, by: Account, number: int) -> None:
        """End a notice now, or throw a draft away."""
        with self._store.writing() as writing:
            row = _require(writing.connection, number, NoticeState.DRAFT, NoticeState.SHOWN)
            is_own_draft = row.state == NoticeState.DRAFT.value and row.drafted_by == by.name
            if not (may(by.duty, Right.APPROVE_NOTICES) or is_own_draft):
                raise CommunityRefused(message("community.refused.not_yours"))
            ended: dict[str, str | int | None] = {"state": NoticeState.ENDED.value, "ends": writing.at}
            _set(writing.connection, number, ended)
            changed = (Change(NOTICES, str(number), ended),)
            writing.tell(by.doer, "notice.ended", f"notice:{number}", changed)

    def all(self, most: int = 60) -> list[Notice]:
        """Return the newest notices of every state, and all that somebody may still have to end."""
        columns = STAFF_NOTICES.c
        last = sa.select(columns.number).order_by(columns.number.desc()).limit(most)
        alive = (columns.state != NoticeState.ENDED.value) & (columns.ends > self._store.now())
        query = sa.select(STAFF_NOTICES).where(sa.or_(columns.number.in_(last), alive))
        with self._store.looking() as connection:
            return [_notice(row) for row in connection.execute(query.order_by(columns.number.desc()))]

    def shown(self) -> list[Notice]:
        """Return what is to be shown now, wherever: the loudest first, then the newest."""
        return self._approved(self._store.now())

    def for_doors(self) -> list[Notice]:
        """Return what doors are to be told: what is shown now or within a day, to everybody of a building.

        A display is read by whoever passes, so what is for owners or tenants alone is on the page only.
        """
        return [one for one in self._approved(self._store.now() + DAY) if not one.tie]

    def _approved(self, until: int) -> list[Notice]:
        columns, now = STAFF_NOTICES.c, self._store.now()
        current = (columns.state == NoticeState.SHOWN.value, columns.begins <= until, columns.ends > now)
        with self._store.looking() as connection:
            rows = connection.execute(sa.select(STAFF_NOTICES).where(*current)).all()
        return by_loudness(map(_notice, rows))

    def _known(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the compound's buildings, and the names of its people."""
        book = self._store.book
        with book.looking() as connection:
            buildings = frozenset(connection.execute(sa.select(FLATS.c.building)).scalars())
            marks = {row.name for row in connection.execute(sa.select(PEOPLE.c.name)) if row.name}
            return buildings, frozenset(book.texts(connection, marks).values())


def _row(draft: NoticeDraft) -> dict[str, str | int | None]:
    return {
        "state": NoticeState.DRAFT.value,
        "level": draft.level.value,
        "buildings": ",".join(draft.buildings),
        "tie": draft.tie,
        "begins": draft.begins,
        "ends": draft.ends,
        "replaces": draft.replaces,
    }


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        number=row.number,
        state=NoticeState(row.state),
        level=NoticeLevel(row.level),
        buildings=tuple(filter(None, row.buildings.split(","))),
        tie=row.tie,
        titles={"zh": row.title_zh, "en": row.title_en},
        text=row.text,
        begins=row.begins,
        ends=row.ends,
        drafted_by=row.drafted_by,
        approved_by=row.approved_by,
        replaces=row.replaces,
    )


def _require_sound(draft: NoticeDraft, now: int, buildings: frozenset[str]) -> None:
    titles = [title.strip() for title in (draft.title_zh, draft.title_en)]
    if not any(titles) or any(len(one) > MOST_TITLE or not _is_line(one) for one in titles):
        raise CommunityRefused(message("community.refused.title", most=MOST_TITLE))
    if len(draft.text) > MOST_TEXT:
        raise CommunityRefused(message("community.refused.text", most=MOST_TEXT))
    if not max(now, draft.begins) < draft.ends <= now + MOST_DAYS * DAY:
        raise CommunityRefused(message("community.refused.ends", days=MOST_DAYS))
    if unknown := set(draft.buildings) - buildings:
        raise CommunityRefused(message("community.refused.building", building=min(unknown)[:16]))
    if len(",".join(draft.buildings)) > MOST_BUILDINGS:
        raise CommunityRefused(message("community.refused.buildings"))
    if draft.tie not in {"", "owner", "tenant"}:
        raise CommunityRefused(message("community.refused.field"))


def _is_line(text: str) -> bool:
    return text.replace("\u3000", " ").isprintable()


def _require(connection: Connection, number: int, *states: NoticeState) -> Row[Any]:
    row = connection.execute(sa.select(STAFF_NOTICES).where(STAFF_NOTICES.c.number == number)).first()
    if row is None or row.state not in {state.value for state in states}:
        raise CommunityRefused(message("community.refused.notice"))
    return row


def _require_newest(connection: Connection, number: int) -> Row[Any]:
    """Return a notice that was shown and has no correction yet. Raises `CommunityRefused`."""
    row = _require(connection, number, NoticeState.SHOWN, NoticeState.ENDED, NoticeState.REPLACED)
    columns = STAFF_NOTICES.c
    corrections = sa.select(columns.number).where(
        columns.replaces == str(number), columns.approved_by.is_not(None)
    )
    newer = connection.execute(corrections.order_by(columns.number.desc())).scalar()
    if newer is not None:
        raise CommunityRefused(message("community.refused.corrected", number=number, by=newer))
    if row.approved_by is None:  # a draft that was thrown away
        raise CommunityRefused(message("community.refused.notice"))
    return row


def _giving_way(old: Row[Any], begins: int, now: int) -> dict[str, str | int | None]:
    """Return how a notice makes room for its correction: one that begins later leaves it until then."""
    if old.state == NoticeState.SHOWN.value and max(old.begins, now) < begins:
        return {"ends": min(old.ends, begins)}
    return {"state": NoticeState.REPLACED.value}


def _set(connection: Connection, number: int, values: dict[str, str | int | None]) -> None:
    connection.execute(sa.update(STAFF_NOTICES).where(STAFF_NOTICES.c.number == number).values(**values))
