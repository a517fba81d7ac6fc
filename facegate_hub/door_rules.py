"""What the property wants of its doors' access rules, and what they say of those that count."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.rules import DesiredRules, ReportedRules, digest_of
from edge.words import message
from facegate_hub.database import one_at_a_time, put, reading
from facegate_hub.door_wishes import DoorWishes
from facegate_hub.tables import RULE_SETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    ApproveRules = Callable[[tuple[str, int, str]], bool]
    """Asks for (door, revision, SHA-256); False: a second person has to agree."""


@dataclass(frozen=True, slots=True)
class RulesView:
    """One door's rules: `rev` and `wanted` as asked for last (None: never), and what the door says."""

    device: str
    rev: int
    wanted: str | None
    reported: ReportedRules
    asked: DesiredRules | None = None
    """What somebody wants and a second person has to agree with."""
    asked_by: str = ""

    @property
    def is_waiting(self) -> bool:
        """Say whether the door has not looked at the newest wish yet."""
        return self.reported.rev < self.rev


class SentRules(DoorWishes):
    """The access rules of a site's doors."""

    table, word = RULE_SETS, ReportedRules

    def views(self) -> list[RulesView]:
        """Return every door that told its rules, by id."""
        query = sa.select(RULE_SETS).where(RULE_SETS.c.reported.is_not(None)).order_by(RULE_SETS.c.device)
        with reading(self._engine) as connection:
            return [_view(row) for row in connection.execute(query)]

    def want(self, device: str, base: str, text: str, approve: ApproveRules, by: str = "") -> bool:
        """Want these rules in place of those with the SHA-256 `base`; False: a second person has to agree.

        `approve` is asked before anything is stored. Raises `SyncError` for a door whose rules are others,
        or that takes none, and what `approve` raises.
        """
        with self._engine.begin() as connection:
            one_at_a_time(connection, self.table)
            row = _row_of(connection, device)
            told = None if row is None or row.reported is None else _view(row).reported
            if row is None or told is None or not told.takes:
                raise SyncError(
                    message("property.takes_no_rules", door=device, setting="access.remote_rules")
                )
            _require_same(device, told, base)
            # Above what the door has seen and above the time: a database that was lost or restored begins
            # anew there.
            rev = max((row.rev or 0) + 1, told.rev + 1, int(self._now()))
            wish = DesiredRules(device, rev, base, text)
            DesiredRules.parse(wish.encode())
            return _granted(connection, wish, approve, by)

    def agree(self, device: str, digest: str, approve: ApproveRules) -> bool:
        """Want the rules that somebody else asked for, to the letter; False: it still waits for a second.

        `digest` is that of the rules that were looked at. Raises `SyncError` when others are asked for now.
        """
        with self._engine.begin() as connection:
            one_at_a_time(connection, self.table)
            row = _row_of(connection, device)
            view = None if row is None or row.reported is None else _view(row)
            if view is None or view.asked is None or digest_of(view.asked.text) != digest:
                raise SyncError(message("property.rules_gone", door=device))
            _require_same(device, view.reported, view.asked.base)
            return _granted(connection, view.asked, approve, view.asked_by)

    def body(self, device: str) -> bytes:
        """Return what is signed of a door's newest revision."""
        query = sa.select(RULE_SETS.c.wanted).where(RULE_SETS.c.device == device)
        with reading(self._engine) as connection:
            return str(connection.execute(query).scalar()).encode()


def _row_of(connection: Connection, device: str) -> Any:
    return connection.execute(sa.select(RULE_SETS).where(RULE_SETS.c.device == device)).first()


def _require_same(device: str, told: ReportedRules, base: str) -> None:
    if digest_of(told.text) != base:
        raise SyncError(message("property.rules_changed", door=device))


def _granted(connection: Connection, wish: DesiredRules, approve: ApproveRules, by: str) -> bool:
    body = wish.encode()
    is_agreed = approve((wish.device, wish.rev, hashlib.sha256(body).hexdigest()))
    row: dict[str, Any] = {"device": wish.device, "asked": None, "asked_by": None}
    if is_agreed:
        row |= {"rev": wish.rev, "wanted": body.decode()}
    else:
        row |= {"asked": body.decode(), "asked_by": by}
    put(connection, RULE_SETS, row)
    return is_agreed


def _view(row: Any) -> RulesView:
    wanted = None if row.wanted is None else DesiredRules.parse(row.wanted.encode()).text
    asked = None if row.asked is None else DesiredRules.parse(row.asked.encode())
    reported = ReportedRules.parse(row.reported.encode())
    return RulesView(row.device, row.rev or 0, wanted, reported, asked, row.asked_by or "")
