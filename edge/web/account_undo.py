"""The last change of an account, for ten minutes: a click on the wrong line is taken back by another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.ports import Clock
    from edge.web.accounts import AccountRow

UNDO_SECONDS = 600.0


@dataclass(slots=True)
class AccountUndo:
    """What each installer changed last, in memory only. Any thread."""

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: dict[str, tuple[float, AccountRow]] = field(default_factory=dict)

    def keep(self, by: str, before: AccountRow) -> None:
        """Remember how an account was before `by` changed or removed it."""
        with self._lock:
            self._last[by] = (self.clock.monotonic(), before)

    def waiting(self, by: str) -> str:
        """Return the name of the account that `by` can put back, "" for none."""
        with self._lock:
            at, row = self._last.get(by, (0.0, None))
        return row.name if row is not None and self.clock.monotonic() - at <= UNDO_SECONDS else ""

    def take(self, by: str) -> AccountRow | None:
        """Return the account as it was, once; None when there is nothing to put back (any more)."""
        is_there = bool(self.waiting(by))
        with self._lock:
            _, row = self._last.pop(by, (0.0, None))
        return row if is_there else None
