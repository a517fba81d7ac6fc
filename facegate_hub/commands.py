"""Commands of staff: carried to the door in two steps, and answered once for each request."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.commands import MODES, VOIDED_BY_LOCKDOWN, CommandType
from edge.wire.messages import CommandAnswer
from edge.wire.names import ROOT, device_of
from edge.wire.shapes import printable
from edge.words import say
from facegate_hub.clerk import HubClerk
from facegate_hub.database import reading
from facegate_hub.requests import PENDING, Requests
from facegate_hub.tables import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.requests import Request
    from facegate_hub.signer.client import SignerClient

TICK_SECONDS = 0.2
NONCE_SECONDS = 20.0
"""How long a request may wait for the door's nonce; it fails for good when it gets none."""
ANSWER_SECONDS = 45.0
"""A door answers an unlock when it was opened, at the latest 3 s after the longest opening (30 s),
which begins while its nonce is good (10 s); the rest is for a slow network."""
UNKNOWN = say("order.unknown")


class Commander(HubClerk):
    """The part that carries requests to doors and their answers back. Has a thread of its own.

    Nothing that moves a door leaves without a nonce which that door handed out after the request was
    made, nor once the request has ended: what staff were told failed never happens later. What leaves is
    what the signer granted under the request's id, whatever the database says of it.
    """

    def __init__(self, engine: Engine, signer: SignerClient, now: Callable[[], float] = time.time) -> None:
        super().__init__(engine, "hub-commands", (f"{ROOT}/+/cmd/ack",), TICK_SECONDS)
        self._requests = Requests(engine)
        self._signer = signer
        self._now = now
        self._challenges: dict[str, Request] = {}

    def begin_again(self) -> None:
        """Ask doors anew for what was under way."""
        self._challenges = {}
        self._requests.ask_again()

    def handle(self, message: Message) -> None:
        """Take a door's answer: to a challenge, or the physical outcome."""
        device = device_of(message.topic)
        try:
            answer = CommandAnswer.parse(message.payload)
        except SyncError:
            return
        challenged = self._challenges.get(answer.id)
        if challenged is None:
            if answer.status != "duplicate":  # somebody played it back; the first one is answered too
                self._requests.end(answer.id, device, answer.status, answer.reason, answer.data)
        elif challenged.device == device and not message.retained:
            self._challenge_answered(challenged, answer)
            # A door's answer to one challenge counts once.
            del self._challenges[answer.id]

    def idle(self) -> None:
        """Take up what was asked for meanwhile, and end what was never answered."""
        super().idle()
        requests = self._requests.open()
        pending = {one.id: one for one in requests if one.status in PENDING}
        # A request that ended meanwhile, withdrawn or out of time, has no use for a nonce that still comes.
        self._challenges = {key: one for key, one in self._challenges.items() if one.id in pending}
        now, turn = self._now(), time.monotonic()
        link, waits = self.link_problem(turn), self.seems_lost(turn)
        # On both sides of now: after the clock went back, nobody knows how long a request has waited.
        fresh = [one for one in pending.values() if abs(now - one.asked_at) <= NONCE_SECONDS]
        if late := [one for one in pending.values() if one not in fresh]:
            self._fail(late, link)
        if len(requests) > len(pending):
            self._requests.give_up(now - ANSWER_SECONDS, now + ANSWER_SECONDS, UNKNOWN)
        if not waits:
            self._take_up(fresh)

    def _take_up(self, pending: list[Request]) -> None:
        """Ask doors for nonces, the last word of each door first of all."""
        for request in [one for one in pending if one.status == "asked"]:
            before = [one for one in pending if one.device == request.device and _is_before(one, request)]
            if overtaken := [one for one in before if _voids(request, one)]:
                self._void(overtaken, say("order.overtaken", act=str(request.type)))
            # One statement in the database: of several hubs one takes a request up.
            if self._requests.claim(request):
                self._challenge(request)

    def _challenge(self, request: Request) -> None:
        try:
            challenge_id, payload = self._signer.challenge(request.id)
        except SyncError as error:
            self._void([request], say("order.not_signed", why=str(error))[:500])
            return
        self._challenges[challenge_id] = request
        self.send(f"{ROOT}/{request.device}/cmd", payload)

    def _challenge_answered(self, request: Request, answer: CommandAnswer) -> None:
        nonce = answer.data.get("nonce")
        if answer.status != "done" or not isinstance(nonce, str):
            self._void([request], say("order.no_nonce", why=printable(answer.reason))[:500])
            return
        try:
            payload = self._signer.order(request.id, nonce)
        except SyncError as error:
            self._void([request], say("order.not_signed", why=str(error))[:500])
            return
        # Noted as given before it leaves: if we die in between it is told as unknown, never as not done.
        if self._requests.give(request, self._now()):
            self.send(f"{ROOT}/{request.device}/cmd", payload)

    def _void(self, requests: list[Request], why: str) -> None:
        """End requests of which nothing has left: in the database and, whatever that says, at the signer."""
        self._requests.void(requests, why)
        with suppress(SyncError):
            self._signer.void([one.id for one in requests])

    def _fail(self, requests: Iterable[Request], link: str | None) -> None:
        """End requests without a nonce, and say whose line is down."""
        for request in requests:
            if link is not None:
                why = say("order.no_line", why=link)
            else:
                why = say("order.no_answer", where=self._whereabouts(request.device))
            self._void([request], why)

    def _whereabouts(self, device: str) -> str:
        query = sa.select(DEVICES.c.avail, DEVICES.c.seen_at).where(DEVICES.c.id == device)
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None or row.seen_at is None:
            return say("order.never_heard")
        if row.avail == "offline":
            return say("order.offline", at=row.seen_at)
        return say("order.perhaps_offline", at=row.seen_at)


def _is_before(one: Request, other: Request) -> bool:
    """Return whether one was asked before the other: what was taken up already, was."""
    return one.id != other.id and (one.status == "sent" or one.asked_at <= other.asked_at)


def _voids(later: Request, earlier: Request) -> bool:
    if later.type is CommandType.LOCKDOWN and earlier.type in VOIDED_BY_LOCKDOWN:
        return True
    return later.type in MODES and earlier.type in MODES and later.type is not earlier.type
