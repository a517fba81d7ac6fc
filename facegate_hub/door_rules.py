"""What the property wants of its doors' access rules, and what they say of those that count."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.rules import DesiredRules, ReportedRules, digest_of
from facegate_hub.database import put, reading
from facegate_hub.door_wishes import DoorWishes
from facegate_hub.tables import RULE_SETS

if TYPE_CHECKING:
    from facegate_hub.signer.asking import ApproveWish


@dataclass(frozen=True, slots=True)
class RulesView:
    """One door's rules: `rev` and `wanted` as asked for last (None: never), and what the door says."""

    device: str
    rev: int
    wanted: str | None
    reported: ReportedRules

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

    def want(self, device: str, base: str, text: str, approve: ApproveWish) -> int:
        """Want these rules in place of those with the SHA-256 `base`; return the revision.

        `approve` is asked before anything is stored. Raises `SyncError` for a door whose rules are others,
        or that takes none, and what `approve` raises.
        """
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(RULE_SETS).where(RULE_SETS.c.device == device)).first()
            told = None if row is None or row.reported is None else _view(row).reported
            if row is None or told is None or not told.takes:
                raise SyncError(f"{device}: takes no rules from afar (access.remote_rules in its settings)")
            if digest_of(told.text) != base:
                raise SyncError(f"{device}: its rules have changed meanwhile; look at them first")
            rev = max((row.rev or 0) + 1, told.rev + 1, int(self._now()))
            body = DesiredRules(device, rev, base, text).encode()
            DesiredRules.parse(body)
            approve((device, rev, hashlib.sha256(body).hexdigest()))
            put(connection, RULE_SETS, {"device": device, "rev": rev, "wanted": body.decode()})
        return rev

    def body(self, device: str) -> bytes:
        """Return what is signed of a door's newest revision."""
        query = sa.select(RULE_SETS.c.wanted).where(RULE_SETS.c.device == device)
        with reading(self._engine) as connection:
            return str(connection.execute(query).scalar()).encode()


def _view(row: Any) -> RulesView:
    wanted = None if row.wanted is None else DesiredRules.parse(row.wanted.encode()).text
    return RulesView(row.device, row.rev or 0, wanted, ReportedRules.parse(row.reported.encode()))
