"""The last change of an account, for ten minutes: a click on the wrong line is taken back by another."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.ports import Clock
    from edge.web.accounts import AccountRow

UNDO_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class AccountChange:
    """An account before and after somebody changed it; `after` is None where they removed it."""

    before: AccountRow
    after: AccountRow | None


@dataclass(slots=True)
class AccountUndo:
    """What each installer changed last, in memory only. Any thread."""

    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: dict[str, tuple[float, AccountChange]] = field(default_factory=dict)

    def keep(self, by: str, change: AccountChange) -> None:
        """Remember what `by` made of an account."""
        with self._lock:
            self._last[by] = (self.clock.monotonic(), change)

    def waiting(self, by: str) -> str:
        """Return the name of the account that `by` can put back, "" for none."""
        with self._lock:
            at, change = self._last.get(by, (0.0, None))
        is_there = change is not None and self.clock.monotonic() - at <= UNDO_SECONDS
        return change.before.name if change is not None and is_there else ""

    def take(self, by: str) -> AccountChange | None:
        """Return what is to be taken back, once; None when there is nothing (any more)."""
        is_there = bool(self.waiting(by))
        with self._lock:
            _, change = self._last.pop(by, (0.0, None))
        return change if is_there else None
