"""Who is logged in: random tokens in memory, short-lived, gone at a restart."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.ports import Clock
    from edge.web.accounts import AccountRow, Role
    from edge.words import Message

IDLE_SECONDS = 15 * 60.0
LONGEST_SECONDS = 8 * 3600.0
MOST_SESSIONS = 1024
"""Every visitor of the login page gets one; the oldest goes first."""


@dataclass(slots=True)
class LoginSession:
    """One browser. `user` is empty before the login; `csrf` is what its forms must bring along."""

    token: str
    born: float
    used: float
    user: str = ""
    role: Role | None = None
    account: AccountRow | None = None
    """What the account was like at the login: the session ends when it is not so any more."""
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    news: Message | None = None
    """What came of the last form, told once, at the top of the next page."""


class Sessions:
    """All open sessions. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, LoginSession] = OrderedDict()

    def get(self, token: str | None, *, is_use: bool = True) -> LoginSession | None:
        """Return the session of a cookie while it lives, and count this as use.

        What a page asks by itself is no use: else a page left open would keep its session to the last.
        """
        now = self._clock.monotonic()
        with self._lock:
            session = self._open.get(token or "")
            if session is None:
                return None
            if now - session.used > IDLE_SECONDS or now - session.born > LONGEST_SECONDS:
                del self._open[session.token]
                return None
            if is_use:
                session.used = now
            return session

    def left(self, session: LoginSession) -> tuple[float, bool]:
        """Return in how many seconds a session ends, and whether use puts that off."""
        now = self._clock.monotonic()
        idle, whole = session.used + IDLE_SECONDS - now, session.born + LONGEST_SECONDS - now
        return max(min(idle, whole), 0.0), idle < whole

    def begin(
        self, user: str = "", role: Role | None = None, account: AccountRow | None = None
    ) -> LoginSession:
        """Return a new session; a login always gets a new token."""
        now = self._clock.monotonic()
        session = LoginSession(secrets.token_urlsafe(32), now, now, user, role, account)
        with self._lock:
            self._open[session.token] = session
            while len(self._open) > MOST_SESSIONS:
                self._drop_one()
        return session

    def end(self, token: str) -> None:
        """End one session."""
        with self._lock:
            self._open.pop(token, None)

    def end_all(self, user: str) -> None:
        """End every session of an account: its password or role changed."""
        with self._lock:
            for token in [token for token, session in self._open.items() if session.user == user]:
                del self._open[token]

    def _drop_one(self) -> None:
        """Drop the oldest session without a user: strangers at the login page throw nobody out."""
        oldest = next(iter(self._open))
        anonymous = next((token for token, session in self._open.items() if not session.user), oldest)
        del self._open[anonymous]
