"""The visitor passes that this hub has signed: limits count here, and the guard's list is made of them.

Whoever takes the residents' page over writes every row of the community's database, and none of these.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.policy.passes import PassKind
from edge.wire.ended_passes import PassEnds
from facegate_hub.community.visits import DoorWord, PassState, VisitKind
from facegate_hub.database import insert_missing, reading
from facegate_hub.tables import DEVICES, GRANTED_PASSES, PASS_END_SETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from edge.policy.passes import Pass
    from facegate_hub.community.terms import Terms

DAY = 86_400
KEEP_SECONDS = 7.0 * DAY
"""How long a pass is remembered after its end."""
KINDS = {
    VisitKind.VISITOR: PassKind.VISITOR,
    VisitKind.COURIER: PassKind.COURIER,
    VisitKind.CLEANER: PassKind.CLEANER,
    VisitKind.WORKER: PassKind.WORKER,
}
_VISITS = {kind: visit for visit, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class GuestPass:
    """A signed pass as the guard sees it: never its code.

    `id` stands on the pass, `host` is its maker's number in the roster, `flat` the one it was made for;
    what an older version has not kept is None. `why` is the reason of staff who ended it.
    """

    id: str
    host: str | None
    flat: str | None
    kind: VisitKind | None
    begins: int | None
    ends: int
    state: PassState
    why: str | None
    told: Mapping[str, DoorWord] = field(default_factory=dict)
    """Of a pass that was ended before its time: what each of its doors knows of that."""

    @property
    def still_opens(self) -> tuple[str, ...]:
        """Doors that have not confirmed yet that it was ended."""
        return tuple(door for door, word in self.told.items() if word is not DoorWord.CONFIRMED)


class SignedPasses:
    """The table of signed passes in a hub's database. Any thread; times are seconds since 1970."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, granted: Pass, doors: Sequence[str], now: float, flat: str | None = None) -> None:
        """Remember a pass that is being signed, for whom and when; drop those that ended long ago."""
        begins, until = (int(at.timestamp()) for at in (granted.valid_from, granted.valid_until))
        row: dict[str, Any] = {"id": granted.id.hex(), "doors": ",".join(doors), "until": until}
        row |= {"host": granted.host_id, "granted_at": now, "begins": begins, "flat": flat}
        row["kind"] = _VISITS[granted.kind].value
        with self._engine.begin() as connection:
            insert_missing(connection, GRANTED_PASSES, [row])
            old = GRANTED_PASSES.c.until < now - KEEP_SECONDS
            connection.execute(sa.delete(GRANTED_PASSES).where(old))

    def breach(self, host: str, terms: Terms, now: float) -> str | None:
        """Return which limit one more pass of a resident would break; None: none.

        The page counts, too, in a table that whoever takes it over can write.
        """
        theirs = sa.select(sa.func.count()).where(GRANTED_PASSES.c.host == host)
        # Up to now and not beyond: what was granted while the clock was ahead is no pass of today.
        today = theirs.where(GRANTED_PASSES.c.granted_at.between(now - DAY, now))
        alive = theirs.where(GRANTED_PASSES.c.until > now, GRANTED_PASSES.c.ended_at.is_(None))
        limits = ((today, terms.passes_a_day, "today"), (alive, terms.passes_alive, "alive"))
        with reading(self._engine) as connection:
            for query, most, why in limits:
                if connection.execute(query).scalar_one() >= most:
                    return why
        return None

    def count_lately(self, now: float) -> int:
        """Return how many passes were signed within a minute, for whomever."""
        count = sa.select(sa.func.count()).where(GRANTED_PASSES.c.granted_at.between(now - 60, now))
        with reading(self._engine) as connection:
            return int(connection.execute(count).scalar_one())

    def expected(self, now: float, by_staff: Mapping[str, str]) -> list[GuestPass]:
        """Return passes that are good within a day, or were ended too early: the guard's list.

        `by_staff` is why staff have ended passes, by id: the hub may not have looked yet.
        """
        soon = GRANTED_PASSES.c.begins.is_(None) | (GRANTED_PASSES.c.begins < now + DAY)
        query = sa.select(GRANTED_PASSES).where(GRANTED_PASSES.c.until > now, soon)
        with reading(self._engine) as connection:
            rows = list(connection.execute(query.order_by(GRANTED_PASSES.c.begins, GRANTED_PASSES.c.id)))
            ended = {row.id: row.doors.split(",") for row in rows if row.ended_at or row.id in by_staff}
            by_door: dict[str, list[str]] = defaultdict(list)
            for one, doors in ended.items():
                for door in doors:
                    by_door[door].append(one)
            words = door_words(connection, by_door)
        return [_guest(row, ended, words, by_staff.get(row.id)) for row in rows]


def door_words(connection: Connection, ended: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], DoorWord]:
    """Return what each door knows of passes that were ended there, by pass and door."""
    sets = {row.device: row for row in connection.execute(sa.select(PASS_END_SETS))}
    query = sa.select(DEVICES.c.id, DEVICES.c.avail, DEVICES.c.state)
    doors = {row.id: row for row in connection.execute(query)}
    words: dict[tuple[str, str], DoorWord] = {}
    for door, ids in ended.items():
        row, told = doors.get(door), sets.get(door)
        confirmed: set[str] = set()
        # Only the newest list counts: a door that confirmed an older one may lack the passes added since.
        if row is not None and told is not None and _confirmed_rev(row.state) == told.rev:
            confirmed = {one.id for one in PassEnds.parse(told.body.encode()).ended}
        is_there = row is not None and row.avail == "online"
        for one in ids:
            word = DoorWord.WAITING if is_there else DoorWord.OFFLINE
            words[one, door] = DoorWord.CONFIRMED if one in confirmed else word
    return words


def _confirmed_rev(state: str | None) -> int | None:
    """Return which list a door says that it keeps; what it says is checked when it comes."""
    rev = json.loads(state).get("passes_ended") if state else None
    return rev if type(rev) is int else None


def _guest(
    row: Any, ended: Mapping[str, Sequence[str]], words: Mapping[tuple[str, str], DoorWord], why: str | None
) -> GuestPass:
    told = {door: words[row.id, door] for door in ended.get(row.id, ())}
    kind = VisitKind(row.kind) if row.kind else None
    state = PassState.ENDED if row.id in ended else PassState.GRANTED
    return GuestPass(row.id, row.host, row.flat, kind, row.begins, row.until, state, why, told)
