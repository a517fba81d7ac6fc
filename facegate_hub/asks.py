"""Carries what other programs of the house ask to the signer, and what came of it back to them."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.broker.fair_queue import Room
from edge.errors import SyncError
from edge.wire.asks import STALE_SECONDS, AskAnswer, ProgramAsk, refusal
from edge.wire.names import ANSWER, ASK, ROOT
from edge.words import say
from facegate_hub.clerk import HubClerk
from facegate_hub.commands import ANSWER_SECONDS, NONCE_SECONDS
from facegate_hub.requests import OPEN, enter, outcome
from facegate_hub.signer.rights import NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.signer.client import SignerClient

LOG = logging.getLogger(__name__)

ASKS_ROOM = Room(2000, 4 * 1024 * 1024, 50, 128 * 1024)
TICK_SECONDS = 0.2
MOST_WAITING = 1000
"""Asks under way; a hundred programs with ten each."""
TOLD_SECONDS = NONCE_SECONDS + ANSWER_SECONDS + 10.0


class AskClerk(HubClerk):
    """The part that answers integrations. Has a thread of its own; every ask is answered, refusals too."""

    def __init__(self, engine: Engine, signer: SignerClient, now: Callable[[], float] = time.time) -> None:
        super().__init__(engine, "hub-asks", (f"{ROOT}/{ASK}/+",), TICK_SECONDS, ASKS_ROOM)
        self._signer = signer
        self._now = now
        self._under_way: dict[str, tuple[str, ProgramAsk, float]] = {}

    def handle(self, message: Message) -> None:
        """Take one ask: refuse it, or leave its request for the part that carries commands."""
        name = message.topic.rsplit("/", 1)[1]
        try:
            ask = ProgramAsk.parse(message.payload)
        except SyncError as error:
            self._tell(name, refusal(message.payload, str(error)))
            return
        try:
            self._require_fresh(message, ask)
            # The topic names the program: the broker lets each write under the name of its certificate only.
            permit = self._signer.ask_for(name, message.payload)
        except SyncError as error:
            self._tell(name, AskAnswer(ask.id, ask.door, "refused", str(error)))
            return
        if permit.refused is not None:
            self._tell(name, AskAnswer(ask.id, ask.door, "refused", permit.refused))
        elif permit.id is None:
            self._tell(name, AskAnswer(ask.id, ask.door, "waiting", "it takes a second person, too"))
        else:
            # The signer takes each id once, so only this write is repeated while the database fails: asking
            # the signer again would answer "was asked before" to an ask that it has granted.
            self.patiently(lambda: enter(self._engine, [permit], ask.do, ask.args))
            self._under_way[permit.id] = (name, ask, time.monotonic())

    def idle(self) -> None:
        """Tell what has come of asks that are under way."""
        super().idle()
        for request_id, (name, ask, began) in list(self._under_way.items()):
            status, text = outcome(self._engine, request_id)
            if status in OPEN:
                if time.monotonic() - began < TOLD_SECONDS:
                    continue
                status, text = "unknown", say("order.hub_silent")
            del self._under_way[request_id]
            self._tell(name, AskAnswer(ask.id, ask.door, status, text))

    def _require_fresh(self, message: Message, ask: ProgramAsk) -> None:
        if message.retained:
            raise NotPermitted("it was kept by the broker; publish asks without retain")
        off = self._now() - ask.at.astimezone(UTC).timestamp()
        if abs(off) > STALE_SECONDS:
            when = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
            raise NotPermitted(f"it was asked {off:.0f} s ago by its own clock; here it is {when}")
        if len(self._under_way) >= MOST_WAITING:
            raise NotPermitted("too much is asked at once")

    def _tell(self, name: str, answer: AskAnswer) -> None:
        self.send(f"{ROOT}/{ANSWER}/{name}", answer.encode())
