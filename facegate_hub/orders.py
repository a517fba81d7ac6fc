"""Commands from the desk, to one door or many at once, each answered as soon as its door has answered."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.words import say
from facegate_hub.clerk import DATABASE_FAILS, said
from facegate_hub.commands import ANSWER_SECONDS, NONCE_SECONDS
from facegate_hub.requests import OPEN, enter, outcome, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Engine

    from edge.wire.commands import CommandType
    from facegate_hub.signer.client import SignerClient

POLL_SECONDS = 0.1
HUB_SECONDS = 10.0
"""A hub that runs takes a request up within 0.2 s; one that does not in this time, does not run."""
MOST_SECONDS = NONCE_SECONDS + ANSWER_SECONDS + HUB_SECONDS
NO_HUB = say("order.no_hub", command="facegate hub run")
SECOND = say("order.second")
REFUSED, WAITING = "refused", "waiting"


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """What became of asking for one door: `id` names the request while it is under way (None: it is not).

    `status` is `asked`, else how it ended already: `refused` (they may not), `waiting` (for a second
    person), `failed`; `text` says it in words.
    """

    door: str
    id: str | None
    status: str
    text: str = ""


class Orders:
    """Gives commands in the name of whom `signer` speaks for. Any thread; doors never wait for each other."""

    def __init__(self, engine: Engine, signer: SignerClient) -> None:
        self._engine = engine
        self._signer = signer

    def give(
        self, doors: Sequence[str], kind: CommandType, by: str | None = None, args: Mapping[str, float] = {}
    ) -> list[GivenOrder]:
        """Ask for a command at doors and groups (`@lobby`); return at once what became of each door."""
        permits = self._signer.ask(list(doors), kind, by, args)
        lost: Mapping[str, GivenOrder] = {}
        try:
            enter(self._engine, permits, kind, args)
        except DATABASE_FAILS as error:
            lost = self._lost({one.id: one.door for one in permits if one.id is not None}, said(error))
        return [
            GivenOrder(one.door, None, REFUSED, one.refused)
            if one.refused is not None
            else GivenOrder(one.door, None, WAITING, SECOND)
            if one.id is None
            else lost.get(one.id) or GivenOrder(one.door, one.id, "asked")
            for one in permits
        ]

    def _lost(self, doors: Mapping[str, str], why: str) -> Mapping[str, GivenOrder]:
        """Return how orders ended, by id, that the database may have taken though it never said so.

        The connection can break after the commit and before its answer, and the hub then carries them out.
        What the signer calls back in time never happens; of everything else nobody knows.
        """
        never: frozenset[str] = frozenset()
        with suppress(SyncError):
            never = self._signer.void(list(doors))
        nothing, perhaps = say("order.database_nothing", why=why), say("order.database_perhaps", why=why)
        return {
            one: GivenOrder(door, None, "failed", nothing)
            if one in never
            else GivenOrder(door, None, "unknown", perhaps)
            for one, door in doors.items()
        }

    def follow(
        self, orders: Sequence[GivenOrder], sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[GivenOrder]:
        """Yield each order as it ends, the first first; nobody waits for the slowest door.

        `unknown` means that the door was given the order and has not said what came of it. Whoever stops
        waiting before the end withdraws what has not left yet.
        """
        yield from (one for one in orders if one.id is None)
        waiting = {one.id: one for one in orders if one.id is not None}
        began = time.monotonic()
        try:
            while waiting:
                for request_id, one in self._ended(waiting, time.monotonic() - began):
                    del waiting[request_id]
                    yield one
                if waiting:
                    sleep(POLL_SECONDS)
        finally:  # whoever asked stops waiting: then it must not happen behind their back
            for request_id in waiting:
                self._withdraw(request_id, say("order.withdrawn"))

    def one(
        self, door: str, kind: CommandType, by: str | None = None, args: Mapping[str, float] = {}
    ) -> GivenOrder:
        """Ask for a command at one door and return how it ended."""
        ended = list(self.follow(self.give([door], kind, by, args)))
        if len(ended) != 1:
            raise SyncError(f"{door}: {len(ended)} doors; name one, or use `give`")
        return ended[0]

    def _withdraw(self, request_id: str, why: str) -> None:
        """End a request of which nothing has left, in the database and, whatever that says, at the signer."""
        with suppress(*DATABASE_FAILS):
            if withdraw(self._engine, request_id, why):
                with suppress(SyncError):
                    self._signer.void([request_id])

    def _ended(self, waiting: Mapping[str, GivenOrder], waited: float) -> list[tuple[str, GivenOrder]]:
        """Return those that have ended by now, by id; a database that fails is asked again."""
        ended, problem = [], say("order.hub_silent")
        for request_id, one in waiting.items():
            try:
                status, text = outcome(self._engine, request_id)
                # No hub has taken it up, or the hub has stopped since. `withdraw` ends only requests of which
                # nothing has left, so an order that was sent is not affected.
                if status in OPEN and waited > HUB_SECONDS + (NONCE_SECONDS if status != "asked" else 0):
                    self._withdraw(request_id, NO_HUB)
                if status not in OPEN:
                    ended.append((request_id, GivenOrder(one.door, request_id, status, text)))
                    continue
            except DATABASE_FAILS as error:
                problem = say("order.database_perhaps", why=said(error))
            if waited >= MOST_SECONDS:
                ended.append((request_id, GivenOrder(one.door, request_id, "unknown", problem)))
        return ended
