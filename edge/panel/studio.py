"""Enrolment mode: one person at a time, begun by somebody, limited in time, ended by itself."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge.errors import FacegateError, FrameRefused, PanelRefused
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.consent.rules import Statement
    from edge.domain import Resident
    from edge.enrol.session import EnrolmentOutcome, EnrolmentProgress, GuidedSession
    from edge.panel.feed import Feed
    from edge.ports import Clock

LOG = logging.getLogger(__name__)

WINDOW_SECONDS = 180.0
"""How long an enrolment may take from opening it to saving; then everything is forgotten."""

POLL_SECONDS = 0.02


class EnrolmentWindow(Protocol):
    """When staff may enrol; `edge.service.property.enrol_window.EnrolWindow` is one. Any thread."""

    @property
    def seconds_left(self) -> float:
        """How long staff may still enrol, 0 when they may not."""

    def open(self, seconds: float, by: str) -> float:
        """Let staff enrol for `seconds` from now, logged; return that."""

    def close(self, by: str) -> bool:
        """Close it now, logged; False when it was not open."""

    def require_open(self, by: str) -> None:
        """Raise `PanelRefused`, logged, unless it is open."""


@dataclass(slots=True, eq=False)
class Enrolment:
    """One enrolment under way. `progress` and `outcome` are written by the studio's thread."""

    statement: Statement
    name: str
    by: str
    begun: float
    known: Resident | None = None
    """Who had the id when it began."""
    progress: EnrolmentProgress | None = None
    outcome: EnrolmentOutcome | None = None


class EnrolmentRunner:
    """Runs one guided session over the feed. Any thread may ask; one thread observes.

    `new_session` (resident id) -> session: with the gallery as it is then. `window` is when staff
    may enrol, None for always.
    """

    def __init__(
        self,
        feed: Feed,
        new_session: Callable[[str], GuidedSession],
        clock: Clock,
        window: EnrolmentWindow | None = None,
    ) -> None:
        self.feed = feed
        self.window = window
        self._new_session = new_session
        self._clock = clock
        self._lock = threading.Lock()
        self._now: Enrolment | None = None

    @property
    def now(self) -> Enrolment | None:
        """The enrolment under way; None when there is none or its window has closed."""
        with self._lock:
            return self._under_way()

    def begin(self, statement: Statement, name: str, by: str, known: Resident | None = None) -> Enrolment:
        """Begin an enrolment of somebody who may be `known`; `PanelRefused` while none may be begun."""
        enrolment = self._take_place(statement, name, by, known)
        try:
            # With the place taken: this may read every face that is enrolled, and who begins meanwhile has to
            # be told.
            session = self._new_session(statement.resident_id)
        except FacegateError:
            self.end()
            raise
        self.feed.lease()
        threading.Thread(target=self._watch, args=(enrolment, session), daemon=True, name="studio").start()
        return enrolment

    def begin_judged(
        self,
        statement: Statement,
        name: str,
        by: str,
        outcome: EnrolmentOutcome,
        known: Resident | None = None,
    ) -> Enrolment:
        """Take in an outcome that came of photos; it is saved or dropped like that of a session."""
        enrolment = self._take_place(statement, name, by, known)
        enrolment.outcome = outcome
        return enrolment

    def end(self) -> None:
        """Forget the enrolment under way."""
        with self._lock:
            self._now = None

    def _forget(self, enrolment: Enrolment) -> None:
        with self._lock:
            if self._now is enrolment:
                self._now = None

    def _take_place(self, statement: Statement, name: str, by: str, known: Resident | None) -> Enrolment:
        if self.window is not None:
            self.window.require_open(by)
        enrolment = Enrolment(statement, name, by, self._clock.monotonic(), known)
        # Looked and taken in one step: of two people at two browsers one begins, and the other is told so.
        with self._lock:
            if (other := self._under_way()) is None:
                self._now = enrolment
        if other is not None:
            raise PanelRefused(message("error.enrolling", by=other.by, who=other.statement.resident_id))
        return enrolment

    def _under_way(self) -> Enrolment | None:
        """Return the enrolment under way, and forget one whose time is over. Call it with the lock."""
        enrolment = self._now
        if enrolment is not None and self._clock.monotonic() - enrolment.begun > WINDOW_SECONDS:
            self._now = enrolment = None
        return enrolment

    def _watch(self, enrolment: Enrolment, session: GuidedSession) -> None:
        pause = threading.Event()
        seen = -1
        while self.now is enrolment and enrolment.outcome is None:
            self.feed.lease()
            frame = self.feed.newest()
            if frame is None or frame.seq == seen:
                pause.wait(POLL_SECONDS)
                continue
            seen = frame.seq
            try:
                enrolment.progress = session.observe(frame)
                enrolment.outcome = session.outcome
            except FrameRefused:
                continue  # this picture is none; the next one may be
            except Exception:
                # The page would wait for this thread for three minutes, and nobody else could enrol.
                LOG.exception("the enrolment of %s ended", enrolment.statement.resident_id)
                self._forget(enrolment)
