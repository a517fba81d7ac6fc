"""What staff ask of doors, in the database: each request ends once, and a door's journal corrects the end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.events import Kind
from edge.wire.commands import CommandType
from edge.wire.shapes import printable
from edge.words import say
from facegate_hub.database import insert_missing, reading
from facegate_hub.tables import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.signer.desk import Permit

PENDING = ("asked", "sent")
"""Nothing that moves the door has left: `sent` is the question for its nonce."""
OPEN = (*PENDING, "given")
"""`given`: the signed order has left, and can no longer be called back."""
CORRECTED = {
    Kind.COMMAND_TAKEN: ("unknown", ("failed", "unknown")),
    # A door that did it has done it, whatever staff were told before.
    Kind.COMMAND_DONE: ("done", ("asked", "failed", "given", "rejected", "sent", "unknown")),
    Kind.COMMAND_FAILED: ("failed", ("given", "unknown")),
    Kind.COMMAND_REFUSED: ("rejected", ("given", "unknown")),
}
"""What an event of the door makes of its request, and of which states."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person at the property asked of a door; `asked_at` is seconds since 1970."""

    id: str
    device: str
    type: CommandType
    args: dict[str, float]
    by: str
    status: str
    asked_at: float


def enter(engine: Engine, permits: Iterable[Permit], kind: CommandType, args: Mapping[str, float]) -> None:
    """Leave what the signer granted for the running hub, under the signer's ids; what is there stays.

    So it can be done again where the database may have taken it, and its answer never came.
    """
    if rows := rows_of(permits, kind, args):
        with engine.begin() as connection:
            insert_missing(connection, REQUESTS, rows)


def rows_of(
    permits: Iterable[Permit], kind: CommandType, args: Mapping[str, float]
) -> list[dict[str, object]]:
    """Return what was granted as rows of the requests, for whoever stores more in the same commit."""
    asked = {"type": kind, "args": json.dumps(dict(args)), "asked_at": time.time(), "status": "asked"}
    return [
        {"id": one.id, "device": one.door, "by": one.by, **asked} for one in permits if one.id is not None
    ]


def outcome(engine: Engine, request_id: str) -> tuple[str, str]:
    """Return (status, text): those in `OPEN` mean not yet.

    `unknown` means that the door was given the order and has not said what came of it; its journal
    may still tell. The others are final.
    """
    with reading(engine) as connection:
        query = sa.select(REQUESTS.c.status, REQUESTS.c.answer).where(REQUESTS.c.id == request_id)
        status, answer = connection.execute(query).one()
        return status, answer or ""


def withdraw(engine: Engine, request_id: str, why: str) -> bool:
    """End a request of which nothing has left yet, and say whether that was so."""
    return _move(engine, [request_id], PENDING, status="failed", answer=why)


class Requests:
    """The hub's side of the requests. Any thread; times are seconds since 1970.

    Every step is one update that names the states it may start from, so that a request which was
    ended is never carried out, and one that was given is never called failed for want of an answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self) -> list[Request]:
        """Return what has not ended, in the order in which it was asked."""
        query = sa.select(REQUESTS).where(REQUESTS.c.status.in_(OPEN)).order_by(REQUESTS.c.asked_at)
        with reading(self._engine) as connection:
            return [_request(row) for row in connection.execute(query).mappings()]

    def claim(self, request: Request) -> bool:
        """Take one to ask its door for a nonce; False when it ended or another hub has it."""
        return _move(self._engine, [request.id], ("asked",), status="sent")

    def ask_again(self) -> None:
        """Begin anew with those whose door was asked over a connection that has ended."""
        with self._engine.begin() as connection:
            asked = sa.update(REQUESTS).where(REQUESTS.c.status == "sent").values(status="asked")
            connection.execute(asked)

    def give(self, request: Request, now: float) -> bool:
        """Note, for good, that the order leaves now; False when it must not, since staff were told so."""
        return _move(self._engine, [request.id], ("sent",), status="given", given_at=now)

    def void(self, requests: Iterable[Request], why: str) -> None:
        """End those of which nothing has left."""
        _move(self._engine, [one.id for one in requests], PENDING, status="failed", answer=why)

    def end(self, request_id: str, device: str, status: str, text: str, data: dict[str, Any]) -> None:
        """Note a door's answer to an order it was given."""
        found = {"status": status, "answer": printable(text[:500]), "data": json.dumps(data)}
        _move(self._engine, [request_id], ("given", "unknown"), device=device, **found)

    def give_up(self, since: float, until: float, text: str) -> None:
        """Say of orders that were given before or after this time that nobody knows what came of them."""
        is_recent = sa.func.coalesce(REQUESTS.c.given_at, 0.0).between(since, until)
        late = (REQUESTS.c.status == "given", ~is_recent)
        with self._engine.begin() as connection:
            connection.execute(sa.update(REQUESTS).where(*late).values(status="unknown", answer=text))


def correct(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Let the events that a door's journal brought correct what staff were told, in one commit with them.

    Not of diagnostics: what was asked for there is the answer itself, which no event carries.
    """
    for row in rows:
        if row["kind"] not in CORRECTED:
            continue
        data = json.loads(row["body"]).get("data")
        if not isinstance(data, dict) or not isinstance(data.get("command"), str):
            continue
        status, states = CORRECTED[row["kind"]]
        text = say("order.taken") if status == "unknown" else _told(data)
        connection.execute(
            sa.update(REQUESTS)
            .where(REQUESTS.c.id == data["command"][:64], REQUESTS.c.device == row["device"])
            .where(REQUESTS.c.status.in_(states), REQUESTS.c.type != CommandType.DIAGNOSTICS)
            .values(status=status, answer=text)
        )


def _told(data: dict[str, Any]) -> str:
    text = data.get("text", data.get("detail"))
    return printable(text[:500]) if isinstance(text, str) else ""


def _move(
    engine: Engine, ids: list[str], states: tuple[str, ...], device: str | None = None, **values: Any
) -> bool:
    """Change those of these requests that are in one of these states; say whether there were any."""
    if not ids:
        return False
    found = sa.update(REQUESTS).where(REQUESTS.c.id.in_(ids), REQUESTS.c.status.in_(states))
    if device is not None:
        found = found.where(REQUESTS.c.device == device)
    with engine.begin() as connection:
        return connection.execute(found.values(**values)).rowcount > 0


def _request(row: Any) -> Request:
    kind, args = CommandType(row["type"]), json.loads(row["args"])
    return Request(row["id"], row["device"], kind, args, row["by"], row["status"], row["asked_at"])
