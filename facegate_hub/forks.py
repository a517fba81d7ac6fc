"""Journals that went back: an older copy of a door's folder was put back, and its numbers are given again.

The hub has seen further. What the door then proves under a number that is taken is another event: it is kept,
under a name of its own, and doubted, since rights may have been taken back in between.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from facegate_hub.database import insert_missing, put_all
from facegate_hub.tables import EVENTS, STREAMS

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORK: Final = "~"
"""Stands between the journal's name and what tells the copy that was put back; no door's journal has it."""
MOST_NAME: Final = 55
"""Characters of the journal's name that fit into a fork's."""
WENT_BACK: Final = (
    "the journal went back: here the door proves another event than the one it had proven, as when an"
    " older copy of its folder is put back; rights taken back since may be in force there again"
)


def fork_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return an event as it is kept beside the one that has its number."""
    # A restored copy begins with a new boot id: all its events get one name, those of another copy another.
    boot = str(json.loads(row["body"]).get("boot"))
    name = f"{row['stream'][:MOST_NAME]}{FORK}{hashlib.sha256(boot.encode()).hexdigest()[:8]}"
    return {**row, "stream": name, "proven": 1}


def keep_forks(connection: Connection, forks: list[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """Store those that are not there yet, and return them."""
    fresh = insert_missing(connection, EVENTS, [{**row, "stored_at": now} for row in forks])
    kept = [row for row in forks if (row["device"], row["stream"], row["seq"]) in fresh]
    ends = {(row["device"], row["stream"]): row["seq"] for row in sorted(kept, key=lambda row: row["seq"])}
    put_all(
        connection,
        STREAMS,
        [
            {"device": device, "stream": stream, "upto": seq, "top": seq, "moved_at": now}
            for (device, stream), seq in ends.items()
        ],
    )
    return kept
