"""Whose events these are: what a door has proven, what nobody has, and what somebody made up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.proof import EVENTS_PURPOSE
from facegate_hub.batches import digest
from facegate_hub.database import put
from facegate_hub.doubts import note_doubts
from facegate_hub.tables import DEVICES, STREAMS

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from edge.wire.proof import Origin
    from facegate_hub.batches import Batch

MOST_SAID = 3
"""Events named in a doubt about a message."""
UNPROVEN = (
    "without the proof that this door gives (if it went back to an older version: facegate hub"
    " allow-unproven)"
)
UNVOUCHED = (
    "nothing shows that these events are the door's: bring it up to date, or declare it with"
    " `facegate hub allow-unproven`"
)


@dataclass(slots=True)
class Sifted:
    """Messages by what is known of their origin; `forged` with why."""

    proven: list[Batch] = field(default_factory=list)
    unproven: list[Batch] = field(default_factory=list)
    forged: list[tuple[Batch, str]] = field(default_factory=list)

    @property
    def taken(self) -> list[Batch]:
        """What is stored, if there is room for its journal."""
        return self.proven + self.unproven


def sift(batches: list[Batch], origin: Origin | None) -> Sifted:
    """Return these messages by their origin; without `origin` nothing can be proven.

    Each event names the hash of the one before, so that the proof of a message vouches for those before it
    that it follows without a gap: a burst costs one check of a signature for each door, not for each event.
    """
    found = Sifted()
    follows: dict[tuple[str, str], tuple[int, str]] = {}
    """Of each journal: the number and hash that what is proven follows."""
    # The newest first: its proof vouches for the message that it follows, and that one for the one before.
    for batch in sorted(batches, key=lambda one: one.rows[-1]["seq"], reverse=True):
        last = batch.rows[-1]
        if follows.get(batch.key) == (last["seq"], last["hash"]) and _is_whole(batch):
            found.proven.append(replace(batch, floor=0))  # its floor is not what was proven
        elif not batch.proof:
            found.unproven.append(batch)
            continue
        elif why := _flaw(batch, origin):
            found.forged.append((batch, why))
            continue
        else:
            found.proven.append(batch)
        if _is_whole(batch):
            follows[batch.key] = (batch.rows[0]["seq"] - 1, batch.rows[0]["prev"])
    return found


def summary(batch: Batch) -> str:
    """Return what a message that is not taken says, in a few words."""
    named = [f"{row['kind']} of {row['resident']}" if row["resident"] else row["kind"] for row in batch.rows]
    more = f" and {len(named) - MOST_SAID} more" if len(named) > MOST_SAID else ""
    return ", ".join(named[:MOST_SAID]) + more


def _flaw(batch: Batch, origin: Origin | None) -> str | None:
    if origin is None:
        return "this hub has no authority to check it with"
    try:
        name = origin.name(batch.proof, batch.head, EVENTS_PURPOSE)
    except SyncError as error:
        return str(error)
    return None if name == batch.device else f"signed by {name}"


def _is_whole(batch: Batch) -> bool:
    """Return whether each event has the hash it says and follows the one before."""
    pairs = zip(batch.rows, batch.rows[1:], strict=False)
    is_chain = all((row["seq"] + 1, row["hash"]) == (after["seq"], after["prev"]) for row, after in pairs)
    return is_chain and all(digest(row["body"]) == row["hash"] for row in batch.rows)


def hold_to_proofs(connection: Connection, found: Sifted) -> None:
    """Count as forged what came without proof in the name of a door that has proven its events before."""
    asked = {batch.device for batch in found.unproven}
    if not asked:
        return
    query = sa.select(STREAMS.c.device).where(
        STREAMS.c.device.in_(sorted(asked)), STREAMS.c.proven_from.is_not(None)
    )
    held = set(connection.execute(query.distinct()).scalars()) | {batch.device for batch in found.proven}
    for batch in [one for one in found.unproven if one.device in held]:
        found.unproven.remove(batch)
        found.forged.append((batch, UNPROVEN))


def doubt_origins(
    connection: Connection, found: Sifted, told: set[tuple[str, str]], now: float
) -> set[tuple[str, str]]:
    """Note what was made up, and each journal that nobody vouches for but those in `told`; return these."""
    doubts = [
        _doubt(batch, batch.rows[0]["seq"], "forged", f"not taken, {why}: {summary(batch)}")
        for batch, why in found.forged
    ]
    fresh = {batch.key: batch for batch in found.unproven if batch.key not in told}
    if fresh:
        devices = sorted({device for device, _ in fresh})
        allowed = sa.select(DEVICES.c.id).where(DEVICES.c.id.in_(devices), DEVICES.c.unproven.is_not(None))
        declared = set(connection.execute(allowed).scalars())
        doubts += [
            _doubt(batch, 1, "unproven", UNVOUCHED)
            for batch in fresh.values()
            if batch.device not in declared
        ]
    if doubts:
        note_doubts(connection, doubts, now)
    return set(fresh)


def allow_unproven(connection: Connection, device: str, why: str | None) -> None:
    """Take a door's events without proof because of `why`, until it proves one again; None: doubt them."""
    put(connection, DEVICES, {"id": device, "unproven": why})
    if why is not None:
        connection.execute(sa.update(STREAMS).where(STREAMS.c.device == device).values(proven_from=None))


def _doubt(batch: Batch, seq: int, kind: str, what: str) -> dict[str, Any]:
    return {"device": batch.device, "stream": batch.stream, "seq": seq, "kind": kind, "what": what}
