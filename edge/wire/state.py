"""The payload of the retained topic `state`: how the door is."""

from __future__ import annotations

from edge.wire.compound import Listing, Maybe, Table
from edge.wire.envelope import CLOCKS
from edge.wire.messages import VERSION
from edge.wire.shapes import MOST, Exactly, Number, Text, Time, Whole, Word

CAMERA = ("ok", "back", "lost", "frozen", "black", "white", "covered", "unknown")
CONTACT = ("closed", "opened", "unknown")
LOCK = ("locked", "unlocked", "lock_fault")
SECURED = ("secured", "unsecured", "unknown")

DOOR = Table(
    {
        "contact": Word(CONTACT),
        "lock": Word(LOCK, "what was last ordered, or that it cannot be ordered"),
        "secured": Word(SECURED, "closed, locked and no alarm"),
        "alarms": Listing(Text(64), 16),
    },
    is_open=True,
)
LIVENESS = ("full", "weak", "off", "unavailable")
STATE = Table(
    {
        "v": Exactly(VERSION),
        "software": Text(64),
        "model": Maybe(Text(128, about="null while nobody can be recognised")),
        "gallery": Whole(about="residents with a face at this door"),
        "camera": Word(CAMERA),
        "liveness": Word(LIVENESS, "weak: one network alone; unavailable: no face opens the door"),
        "clock": Word(CLOCKS),
        "mode": Text(64),
        "door": DOOR,
        "roster": Table(
            {
                "epoch": Whole(),
                "rev": Whole(),
                "digest": Text(64, 0),
                "count": Whole(),
                "behind": Whole(about="revisions of the newest head the door knows that it lacks"),
                "confirmed": Maybe(Time("when the roster was last known to be whole")),
            },
            is_open=True,
        ),
        "outbox": Table(
            {
                "waiting": Whole(about="events that have not arrived"),
                "oldest_seconds": Number(0, MOST, "age of the first of them"),
                "problem": Maybe(Text(512, is_free=True)),
            },
            is_open=True,
        ),
        "passes_ended": Whole(about="newest list of ended passes (`pass/ended`) that the door keeps"),
        "certificate": Table({"until": Time("when the door's certificate ends")}, is_open=True),
    },
    frozenset({"liveness", "passes_ended", "certificate"}),
    is_open=True,
    about="how the door is; on change and every 60 s",
)
"""What `facegate run` tells. A reader must not stumble over a field it does not know."""
