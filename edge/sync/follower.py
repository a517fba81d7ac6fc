"""Keeps the door's roster equal to the property's: compare with the head, ask, apply, compare again."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

from edge.broker.clerk import TopicWorker
from edge.domain import EventDraft, RosterChange, RosterState
from edge.errors import FacegateError, RosterDrift, StoreError, SyncError
from edge.events import Kind
from edge.floods import FloodLimit
from edge.wire.records import FACES
from edge.wire.roster import (
    CONFIRMED,
    DELTA,
    HEAD,
    SNAPSHOT,
    Confirmation,
    Delta,
    Head,
    Question,
    SnapshotManifest,
    parse_part,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.ports import Clock, Roster
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys

LOG = logging.getLogger(__name__)

CONFIRMED_SECONDS = 600.0
"""How old the property's last answer may be before a head makes us ask for another one."""
FIRST_PATIENCE_SECONDS = 10.0
MOST_PATIENCE_SECONDS = 300.0
"""Wait for an answer, doubled each time; also after a change that had to be refused."""


class RosterFollower(TopicWorker):
    """The part of sync that follows the roster; has a thread of its own (see `TopicWorker`).

    A change is applied whole or not at all, and only if it starts at our revision. What is signed but older
    than what we have is refused. Where the digest does not fit, a full snapshot is asked for.
    `doors_number` is that of the newest door list that the property said there is.
    A recording is as well signed as a true message: only what the property said in answer to a nonce
    of ours confirms the roster, and nothing is applied that is older than that answer.
    `changed` is called after each change, on this thread, so that the gallery can follow.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        roster: Roster,
        record: Callable[[EventDraft], object],
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
        new_nonce: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._head_topic = settings.topic("sync", "head")
        self._delta_topic = settings.topic("sync", "delta")
        self._parts_topic = settings.topic("sync", "snap", "+", "+")
        self._confirmed_topic = settings.topic("sync", "confirmed")
        topics = (self._head_topic, self._confirmed_topic, self._delta_topic, self._parts_topic)
        super().__init__("roster", topics)
        self._device = settings.device_id
        self._request_topic = settings.topic("sync", "req")
        self._keys = keys
        self._roster = roster
        self._record = record
        self._clock = clock
        self._changed = changed
        self._new_nonce = new_nonce
        self.doors_number = 0
        self._nonce: str | None = None
        self._fresh: RosterState | None = None
        self._fresh_at: datetime | None = None
        self._fresh_mono = 0.0
        """The last answer to a nonce of ours: what was said, and when it had been asked for."""
        self._is_new = False
        self._is_answer_owed = False
        """Whether only the property knows where its roster is: what we know of it may be too old."""
        self._head: RosterState | None = None
        self._manifest: SnapshotManifest | None = None
        self._parts: dict[int, list[RosterChange]] = {}
        self._asked_at: float | None = None
        self._patience = FIRST_PATIENCE_SECONDS
        self._refused = ""
        self._refusals = FloodLimit()

    @property
    def behind(self) -> int:
        """How many revisions the last known head is ahead of us. Any thread."""
        head = self._head
        return max(0, head.rev - self._roster.state().rev) if head else 0

    def handle(self, message: Message) -> None:
        """Take a head, a delta or a piece of a snapshot."""
        try:
            self._take(message)
        except StoreError as error:
            self._missed(error)

    def _take(self, message: Message) -> None:
        try:
            # The one topic on which something retained is expected, and even that proves nothing until it is
            # confirmed.
            if message.topic == self._head_topic:
                self._take_head(message)
            elif message.retained:
                raise SyncError(f"{message.topic}: retained; only the head is kept at the broker")
            elif message.topic == self._confirmed_topic:
                self._take_confirmation(message.payload)
            elif message.topic == self._delta_topic:
                self._take_delta(message.payload)
            else:
                self._take_piece(message)
        except RosterDrift as error:
            self._refuse(error)
            self._ask("snapshot", str(error))
        except StoreError:
            raise
        except FacegateError as error:
            self._refuse(error)

    def _missed(self, error: StoreError) -> None:
        """Have what a full or failing card did not take told again, soon.

        The head that told of it may be lost with it, so the property is asked, whatever head we know.
        """
        self._refuse(error)
        self._is_answer_owed = True
        self._asked_at, self._patience = self._clock.monotonic(), FIRST_PATIENCE_SECONDS

    def opened(self, session: BrokerSession, now: float) -> None:
        """Ask at once where the property's roster is: what the broker kept may be old."""
        super().opened(session, now)
        self._is_new = True

    def idle(self) -> None:
        """Ask on a new connection, and again when an answer is overdue; do what an earlier change left."""
        try:
            self._ask_when_due()
        except StoreError as error:
            self._missed(error)
        # Without any news, too: PINs and cards of people who left may wait for a file that works again.
        self._roster.catch_up()

    def _ask_when_due(self) -> None:
        if self._is_new:
            self._is_new, self._is_answer_owed = False, True
            self._ask("delta")
        elif self._asked_at is not None and self._clock.monotonic() - self._asked_at > self._patience:
            self._patience = min(MOST_PATIENCE_SECONDS, 2 * self._patience)
            is_unknown = self._is_answer_owed or self._head is None
            self._ask("delta") if is_unknown else self._compare()

    def _take_head(self, message: Message) -> None:
        head = Head.parse(self._keys.open(message.payload, HEAD))
        self._require_device(head.device)
        self._require_not_older(head.state)
        # Called for what it raises: a head that is older than the property's last answer is a recording.
        if self._fresh is not None:
            self._is_fresh(head.state)
        self._head = head.state
        self._patience = FIRST_PATIENCE_SECONDS
        self._compare()

    def _take_confirmation(self, payload: bytes) -> None:
        confirmation = Confirmation.parse(self._keys.open(payload, CONFIRMED))
        self._require_device(confirmation.device)
        if confirmation.nonce != self._nonce:
            return  # the answer to an earlier question of ours, or a recording
        self._require_not_older(confirmation.state)
        # Used up: the same answer played back later has a nonce that is not ours any more.
        self._nonce = None
        self._is_answer_owed = False
        self.doors_number = max(self.doors_number, confirmation.doors or 0)
        self._head = self._fresh = confirmation.state
        self._fresh_at, self._fresh_mono = self._clock.now(), self._clock.monotonic()
        self._patience = FIRST_PATIENCE_SECONDS
        self._confirm()
        # While we are behind, the changes behind this answer may still get lost: they are asked for again.
        if self._is_at(confirmation.state):
            self._asked_at = None

    def _take_delta(self, payload: bytes) -> None:
        body = self._keys.open(payload, DELTA)
        try:
            delta = Delta.parse(body)
        except SyncError as error:  # signed, but with something in it that must not get in
            self._patience = MOST_PATIENCE_SECONDS
            self._ask("delta", str(error))
            raise
        self._require_device(delta.device)
        have = self._roster.state()
        if (delta.target.epoch, delta.start) != (have.epoch, have.rev):
            # Ahead of us: changes in between were lost. What ends where we are, or before, was doubled or
            # late.
            if delta.target.rev > have.rev or delta.target.epoch > have.epoch:
                self._compare()
            return
        if self._is_fresh(delta.target):
            self._apply(delta)

    def _apply(self, delta: Delta) -> None:
        self._roster.apply(delta.changes, delta.target)
        self._arrived(len(delta.changes))

    def _take_piece(self, message: Message) -> None:
        rev, _, number = message.topic.removeprefix(self._parts_topic[:-3]).partition("/")
        # Part 0 is the manifest, and the only one that is signed; it names the SHA-256 of the others.
        if number == "0":
            self._take_manifest(message.payload)
        elif self._manifest and rev == str(self._manifest.state.rev) and number.isdecimal():
            self._take_part(int(number), message.payload)

    def _take_manifest(self, payload: bytes) -> None:
        manifest = SnapshotManifest.parse(self._keys.open(payload, SNAPSHOT))
        self._require_device(manifest.device)
        self._require_not_older(manifest.state)
        if manifest.state == self._roster.state():
            return  # already there: storing the same roster again would only wear out the card
        if not self._is_fresh(manifest.state):
            return
        self._manifest, self._parts = manifest, {}
        self._asked_at = self._clock.monotonic()

    def _take_part(self, number: int, payload: bytes) -> None:
        manifest = self._manifest
        if manifest is None or not 1 <= number <= len(manifest.parts):
            raise SyncError(f"snapshot: there is no part {number}")
        self._parts[number] = parse_part(payload, manifest.parts[number - 1])
        # Checked part by part, so that an impossible snapshot is dropped before all of it is in memory.
        if sum(map(len, self._parts.values())) > manifest.state.count:
            self._manifest, self._parts = None, {}
            raise SyncError("snapshot: more records than announced")
        if len(self._parts) == len(manifest.parts):
            records = [record for place in sorted(self._parts) for record in self._parts[place]]
            self._manifest, self._parts = None, {}
            self._roster.replace(records, manifest.state)
            self._arrived(len(records))

    def _arrived(self, count: int) -> None:
        state = self._roster.state()
        LOG.info("roster: %d records changed, now revision %d with %d people", count, state.rev, state.count)
        self._refused = ""
        self._note(Kind.ROSTER_CHANGED, None, {"rev": state.rev, "count": state.count, "changed": count})
        self._changed()
        self._compare()

    def _compare(self) -> None:
        """Be content when we are where the head is and the property said so lately, else ask."""
        have, head = self._roster.state(), self._head
        if head is None or (have.epoch, have.rev) > (head.epoch, head.rev):
            self._asked_at = None
        elif self._is_at(head):
            self._asked_at = None
            if not self._confirm():
                self._ask("delta")
        else:
            # The same revision with another digest: changes cannot lead from one to the other, only all
            # records can.
            same_place = (have.epoch, have.rev) == (head.epoch, head.rev)
            self._ask("snapshot" if same_place or have.epoch != head.epoch else "delta")

    def _is_at(self, state: RosterState) -> bool:
        have = self._roster.state()
        return (have.epoch, have.rev, have.digest) == (state.epoch, state.rev, state.digest)

    def _confirm(self) -> bool:
        """Have the lease count from the property's last word, where our roster is what it spoke of.

        Return whether that word is a recent one.
        """
        if self._fresh is None or self._fresh_at is None:
            return False
        if self._is_at(self._fresh):
            self._roster.confirm(self._fresh_at)
        return self._clock.monotonic() - self._fresh_mono < CONFIRMED_SECONDS

    def _is_fresh(self, state: RosterState) -> bool:
        """Return whether this is not a recording: not older than the property's answer to a nonce of ours.

        Without such an answer we ask for one. What was sent is asked for again after it.
        """
        fresh = self._fresh
        if fresh is None:
            if self._nonce is None:
                self._ask("delta")
            return False
        if (state.epoch, state.rev) < (fresh.epoch, fresh.rev):
            raise SyncError(
                f"roster: epoch {state.epoch} revision {state.rev} is older than what the property told us "
                f"({fresh.epoch}, {fresh.rev}); somebody may be playing back an old roster"
            )
        return True

    def _ask(self, want: str, problem: str | None = None) -> None:
        have = self._roster.state()
        self._asked_at = self._clock.monotonic()
        self._nonce = self._new_nonce()
        told = problem[:200] if problem else None
        question = Question(have.epoch, have.rev, have.digest, want, told, self._nonce, (FACES,))
        self.send(self._request_topic, question.encode())

    def _require_device(self, device: str) -> None:
        if device != self._device:
            raise SyncError(f"roster: signed for {device[:64]!r}, not for this door")

    def _require_not_older(self, state: RosterState) -> None:
        have = self._roster.state()
        if (state.epoch, state.rev) < (have.epoch, have.rev):
            raise SyncError(
                f"roster: epoch {state.epoch} revision {state.rev} is older than ours "
                f"({have.epoch}, {have.rev}); somebody may be playing back an old roster"
            )

    def _refuse(self, error: FacegateError) -> None:
        """Journal a refusal once until something else happens: the same one may come every minute."""
        if str(error) == self._refused:
            return
        self._refused = str(error)
        unreported = self._refusals.tell(self._clock.monotonic())
        if unreported is not None:
            LOG.warning("roster message refused: %s", error)
            self._note(Kind.ROSTER_REFUSED, None, {"detail": str(error)[:200], "unreported": unreported})

    def _note(self, kind: Kind, reason: str | None, data: dict[str, Any]) -> None:
        self._record(EventDraft.now(self._clock, kind, data, reason=reason))
