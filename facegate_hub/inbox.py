"""What somebody has to look at: alarms of doors, doubts about their journals; who took it, who closed it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.events import Tone, facts_of, tone_of
from edge.wire.shapes import printable
from edge.words import message
from facegate_hub.database import reading
from facegate_hub.tables import ALARMS, DOUBTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection, Engine

OTHER = "alarm.other"
"""Alarms of kinds that this version does not know: a door that makes kinds up has one line for them all."""

AGAIN_SECONDS = 3600.0
"""An alarm that comes again within it is the same one: a door that rings all night has one line, and its
guard one mail."""
LONGEST_SECONDS = 86_400.0
"""After so long it is told again all the same."""
MOST_LINES = 20
"""Of a door and kind that are not closed: a door that makes residents up fills no inbox."""


class InboxState(StrEnum):
    """Where an item is: nobody has seen it, somebody sees to it, it is over."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class InboxKind(StrEnum):
    """Which inbox."""

    ALARMS = "alarms"
    DOUBTS = "doubts"


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One item; times are seconds since 1970, None of what has not happened.

    `kind` is that of the event or doubt, `what` says more, `count` how often it came, `resident` who it is
    about; `holder` is who sees to it now. `seq` and `stream` name the entry in the door's journal.
    """

    id: int
    device: str
    stream: str
    seq: int
    kind: str
    what: str
    resident: str | None
    count: int
    at: float
    state: InboxState
    holder: str | None
    acknowledged_at: float | None
    closed_by: str | None
    closed_at: float | None
    note: str | None

    @property
    def is_silent(self) -> bool:
        """True of what must not be heard or seen at the door: whoever forces a resident stands there."""
        return facts_of(self.kind).is_silent


def note_alarms(connection: Connection, rows: Iterable[dict[str, Any]], now: float) -> None:
    """Put the alarms among doors' new events into the inbox; one that goes on is counted in its line.

    Few statements for each door, kind and resident, however many of them a door sends at once.
    """
    alike: dict[tuple[str, str, str | None], list[dict[str, Any]]] = {}
    for row in rows:
        if (kind := _alarm(row)) is not None:
            alike.setdefault((row["device"], kind, row["resident"]), []).append(row)
    for (device, kind, resident), some in alike.items():
        lines = _open_lines(connection, device, kind)
        line = next((one for one in lines if one.resident == resident and _goes_on(one, now)), None)
        again: dict[str, Any] = {"count": ALARMS.c.count + len(some), "last_at": now}
        if line is None and len(lines) >= MOST_LINES:
            line = lines[0]
            if not _goes_on(line, now):  # as if it had just come: whoever was told of it was told long ago
                again |= {"at": now, "told": None, "state": InboxState.OPEN, "holder": None}
        if line is not None:
            still = (ALARMS.c.id == line.id, ALARMS.c.state != InboxState.CLOSED)
            if connection.execute(sa.update(ALARMS).where(*still).values(**again)).rowcount:
                continue
        place = {name: some[0][name] for name in ("device", "stream", "seq", "resident")}
        first = {"kind": kind, "count": len(some), "at": now, "last_at": now, "state": InboxState.OPEN}
        connection.execute(sa.insert(ALARMS).values(**place, **first))


def _open_lines(connection: Connection, device: str, kind: str) -> list[Any]:
    """Return what is not closed of a door's alarms of a kind, the newest first."""
    mine = (ALARMS.c.device == device, ALARMS.c.kind == kind, ALARMS.c.state != InboxState.CLOSED)
    return list(connection.execute(sa.select(ALARMS).where(*mine).order_by(ALARMS.c.id.desc())))


def _goes_on(line: Any, now: float) -> bool:
    """Return whether an alarm that comes now is the one of this line: it came lately, and began lately.

    Also where nobody closes lines, so that whoever hears of alarms by mail hears of each.
    """
    began, last = float(line.at), float(line.last_at)
    return abs(now - last) < AGAIN_SECONDS and abs(now - began) < LONGEST_SECONDS


def _alarm(row: dict[str, Any]) -> str | None:
    """Return under which kind an event is an alarm, None: it is none."""
    kind: str = row["kind"]
    facts = facts_of(kind)
    if facts.group is None:
        # Of a newer door; what it calls `alarm.` is taken for a silent alarm (`facts_of`).
        return OTHER if facts.is_silent else None
    if not facts.well_states:
        return kind if facts.tone is Tone.ALARM else None
    return kind if tone_of(kind, _said_state(row)) is Tone.ALARM else None


class Inbox:
    """The inboxes of a site. Any thread; several desks may work on one: each step is taken once."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def items(
        self, inbox: InboxKind, states: Iterable[InboxState], count: int = 50, before: int | None = None
    ) -> list[InboxItem]:
        """Return items in these states, newest first; `before` is the id that the page before ended with."""
        table, wanted = _table(inbox), list(states)
        query = sa.select(table).where(_state(table).in_(wanted)).order_by(table.c.id.desc())
        if before is not None:
            query = query.where(table.c.id < before)
        with reading(self._engine) as connection:
            return [_item(row) for row in connection.execute(query.limit(count))]

    def item(self, inbox: InboxKind, item_id: int) -> InboxItem:
        """Return one item. Raises `SyncError` when there is none."""
        table = _table(inbox)
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == item_id)).first()
        if row is None:
            raise SyncError(message("property.no_item", inbox=str(inbox), number=item_id))
        return _item(row)

    def acknowledge(self, inbox: InboxKind, item_id: int, by: str) -> None:
        """Let somebody see to an open item. Raises `SyncError` naming who already does."""
        now = self._now()
        values = {"acknowledged_by": by, "acknowledged_at": now, "state": InboxState.ACKNOWLEDGED}
        self._step(inbox, item_id, (InboxState.OPEN,), {**values, "holder": by})

    def hand_over(self, inbox: InboxKind, item_id: int, to: str, note: str = "") -> None:
        """Let somebody else see to an item that is not closed, with a word for them."""
        not_closed = (InboxState.OPEN, InboxState.ACKNOWLEDGED)
        values = {"holder": printable(to)[:64], "state": InboxState.ACKNOWLEDGED, **_noted(note)}
        self._step(inbox, item_id, not_closed, {**values, "acknowledged_at": self._seen(inbox)})

    def take_over(self, inbox: InboxKind, item_id: int, by: str, of: str) -> None:
        """Let somebody see to an item that `of` sees to. Raises `SyncError` when somebody else does."""
        table = _table(inbox)
        # An older version noted only who had acknowledged an item.
        holder = sa.func.coalesce(sa.func.nullif(table.c.holder, ""), table.c.acknowledged_by)
        self._step(inbox, item_id, (InboxState.ACKNOWLEDGED,), {"holder": by}, holder == of)

    def close(self, inbox: InboxKind, item_id: int, by: str, note: str = "") -> None:
        """End an item, with what was found."""
        not_closed = (InboxState.OPEN, InboxState.ACKNOWLEDGED)
        values: dict[str, Any] = {"closed_by": by, "closed_at": self._now(), "state": InboxState.CLOSED}
        values |= {"acknowledged_at": self._seen(inbox)}
        self._step(inbox, item_id, not_closed, values | _noted(note))

    def _seen(self, inbox: InboxKind) -> sa.ColumnElement[float]:
        """Return when it was seen first: now, unless it was before."""
        return sa.func.coalesce(_table(inbox).c.acknowledged_at, self._now())

    def _step(
        self,
        inbox: InboxKind,
        item_id: int,
        states: tuple[InboxState, ...],
        values: dict[str, Any],
        *more: sa.ColumnElement[bool],
    ) -> None:
        table = _table(inbox)
        # The update itself checks the state: of two clerks who act at once one gets the item, and the other
        # is told who has it.
        mine = (table.c.id == item_id, _state(table).in_(states), *more)
        with self._engine.begin() as connection:
            if connection.execute(sa.update(table).where(*mine).values(**values)).rowcount:
                return
        found = self.item(inbox, item_id)
        who = found.closed_by if found.state is InboxState.CLOSED else found.holder
        told = {"inbox": str(inbox), "number": item_id, "state": message(f"property.item.{found.state}")}
        raise SyncError(message("property.item_taken", **told, who=who or message("property.nobody")))


def _noted(note: str) -> dict[str, str]:
    """Return what is set of a note: nothing without one, so that the word of the one before stays."""
    return {"note": printable(note)[:500]} if note else {}


def _table(inbox: InboxKind) -> sa.Table:
    return ALARMS if inbox is InboxKind.ALARMS else DOUBTS


def _state(table: sa.Table) -> sa.ColumnElement[str]:
    """Return an item's state; an older version knew of doubts only whether they were acknowledged."""
    if table is ALARMS:
        return table.c.state
    seen = sa.case((table.c.acknowledged_at.is_not(None), "acknowledged"), else_="open")
    return sa.func.coalesce(table.c.state, seen)


def _item(row: Any) -> InboxItem:
    fields = row._mapping  # noqa: SLF001 - how SQLAlchemy names it
    seen = InboxState.ACKNOWLEDGED if row.acknowledged_at is not None else InboxState.OPEN
    return InboxItem(
        row.id,
        row.device,
        row.stream,
        row.seq,
        row.kind or "",
        fields.get("what") or "",
        fields.get("resident"),
        row.count or 1,
        row.at or 0.0,
        InboxState(row.state) if row.state else seen,
        row.holder or row.acknowledged_by,
        row.acknowledged_at,
        row.closed_by,
        row.closed_at,
        row.note,
    )


def _said_state(row: dict[str, Any]) -> object:
    data = json.loads(row["body"]).get("data")
    return data.get("state") if isinstance(data, dict) else None
