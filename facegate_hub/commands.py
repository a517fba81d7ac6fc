"""Commands of staff: asked for in the database, given to the door in its two steps, answered there."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.broker.clerk import Clerk
from edge.errors import SyncError
from edge.wire.commands import PURPOSE, WITHOUT_NONCE, CommandType
from edge.wire.messages import Answer
from edge.wire.names import ROOT
from facegate_hub.tables import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from edge.wire.signing import Signer

TICK_SECONDS = 0.2
ANSWER_SECONDS = 45.0
"""A door answers an unlock when it was opened, at the latest 3 s after the longest opening (30 s);
the rest is for the challenge and a slow network."""
TTL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """What a person at the property asked of a door."""

    id: str
    device: str
    type: CommandType
    args: dict[str, float]
    by: str


def ask(engine: Engine, device: str, kind: CommandType, by: str, args: dict[str, float]) -> str:
    """Leave a request for the running hub and return its id."""
    request_id = str(uuid.uuid4())
    row = {"id": request_id, "device": device, "type": kind, "args": json.dumps(args), "by": by}
    with engine.begin() as connection:
        connection.execute(sa.insert(REQUESTS).values(**row, asked_at=time.time(), status="asked"))
    return request_id


def outcome(engine: Engine, request_id: str) -> tuple[str, str]:
    """Return (status, text): `asked` and `sent` mean not yet, the others are final."""
    with engine.connect() as connection:
        query = sa.select(REQUESTS.c.status, REQUESTS.c.answer).where(REQUESTS.c.id == request_id)
        status, answer = connection.execute(query).one()
        return status, answer or ""


class Commander(Clerk):
    """The part that carries requests to doors and their answers back. Has a thread of its own."""

    def __init__(self, engine: Engine, signer: Signer, now: Callable[[], float] = time.time) -> None:
        super().__init__("hub-commands", (f"{ROOT}/+/cmd/ack",), TICK_SECONDS)
        self._engine = engine
        self._signer = signer
        self._now = now
        self._challenges: dict[str, Request] = {}

    def handle(self, message: Message) -> None:
        """Take a door's answer: to a challenge, or the physical outcome."""
        device = message.topic.split("/")[2]
        try:
            answer = Answer.parse(message.payload)
        except SyncError:
            return
        challenged = self._challenges.pop(answer.id, None)
        if challenged is None:
            self._finish(answer.id, device, answer)
        elif challenged.device == device and answer.status == "done":
            self._give(challenged, challenged.type, challenged.id, answer.data.get("nonce"))
        else:
            self._finish(challenged.id, device, answer)

    def idle(self) -> None:
        """Send what was asked for meanwhile, and give up on what was never answered."""
        late = self._now() - ANSWER_SECONDS
        waiting = REQUESTS.c.status.in_(("asked", "sent"))
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(REQUESTS)
                .where(waiting, REQUESTS.c.asked_at < late)
                .values(status="failed", answer="the door did not answer; it may be offline")
            )
            query = sa.select(REQUESTS).where(REQUESTS.c.status == "asked").with_for_update(skip_locked=True)
            rows = connection.execute(query).mappings().all()
            ids = [row["id"] for row in rows]
            connection.execute(sa.update(REQUESTS).where(REQUESTS.c.id.in_(ids)).values(status="sent"))
        for row in rows:
            self._begin(
                Request(
                    row["id"], row["device"], CommandType(row["type"]), json.loads(row["args"]), row["by"]
                )
            )

    def _begin(self, request: Request) -> None:
        if request.type in WITHOUT_NONCE:
            self._give(request, request.type, request.id, None)
            return
        challenge_id = str(uuid.uuid4())
        self._challenges[challenge_id] = request
        self._give(request, CommandType.CHALLENGE, challenge_id, None)

    def _give(self, request: Request, kind: CommandType, command_id: str, nonce: str | None) -> None:
        fields: dict[str, Any] = {
            "v": 1,
            "id": command_id,
            "device": request.device,
            "type": kind,
            "issued": datetime.now(UTC).isoformat(),
            "ttl": TTL_SECONDS,
            "by": request.by,
            "args": request.args if kind is request.type else {},
            "nonce": nonce,
        }
        payload = self._signer.sign(json.dumps(fields).encode(), PURPOSE)
        self.send(f"{ROOT}/{request.device}/cmd", payload)

    def _finish(self, request_id: str, device: str, answer: Answer) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(REQUESTS)
                .where(REQUESTS.c.id == request_id, REQUESTS.c.device == device, REQUESTS.c.status == "sent")
                .values(status=answer.status, answer=answer.reason[:500], data=json.dumps(answer.data))
            )
