"""The property's side of commands: keys, signed wishes, replays."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from edge.domain import EventDraft
from edge.runtime.clock import ManualClock
from edge.wire.messages import Message
from edge.wire.signing import Signer, TrustedKeys

SIGNER = Signer("site-1", bytes(range(32)))
KEYS = TrustedKeys({"site-1": SIGNER.public})
STRANGER = Signer("site-1", bytes(32))
TOPIC = "facegate/v1/door-1/cmd"


def wish(clock, kind="unlock", number=1, **changes):
    """Return the fields of a command issued now."""
    return {
        "v": 1,
        "id": f"command-{number:06}",
        "device": "door-1",
        "type": kind,
        "issued": clock.now().isoformat(),
        "ttl": 10,
        "by": "Front desk",
        **changes,
    }


def signed(fields, signer=SIGNER, purpose="cmd"):
    return signer.sign(json.dumps(fields).encode(), purpose)


def message(payload, retained=False):
    return Message(TOPIC, payload, retained)


@dataclass
class MemoryLedger:
    """Remembers ids while the test runs."""

    taken: set[str] = field(default_factory=set)
    begun: dict[str, tuple[datetime, str]] = field(default_factory=dict)

    def is_known(self, command_id):
        return command_id in self.taken

    def claim(self, command_id, at, body=None):
        fresh = command_id not in self.taken
        self.taken.add(command_id)
        if fresh and body is not None:
            self.begun[command_id] = (at, body)
        return fresh

    def unfinished(self):
        return [(command_id, at, body) for command_id, (at, body) in self.begun.items()]

    def finish(self, command_ids):
        for command_id in command_ids:
            self.begun.pop(command_id, None)


@dataclass
class MemoryJournal:
    """Keeps the drafts it was given."""

    drafts: list[EventDraft] = field(default_factory=list)

    def append(self, draft):
        self.drafts.append(draft)
        return draft

    def kinds(self):
        return [(draft.kind, draft.reason) for draft in self.drafts]


__all__ = [
    "KEYS",
    "SIGNER",
    "STRANGER",
    "TOPIC",
    "ManualClock",
    "MemoryJournal",
    "MemoryLedger",
    "message",
    "signed",
    "wish",
]
