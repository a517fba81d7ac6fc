"""Damaged, strange and replayed payloads on every topic of a door: no thread dies, nothing changes.

As a command: python -m tests.sync.fuzz --messages 100000 [--seed N]   (that many on each topic)
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.broker.client import SyncClient
from edge.broker.settings import BrokerSettings
from edge.config.settings import Settings
from edge.domain import EventDraft, Resident
from edge.events import Kind
from edge.runtime.clock import SystemClock
from edge.service.property.configuration import Configuration
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.property.notices import HeldNotices
from edge.service.untold import UntoldWays
from edge.store.credentials import CredentialStore
from edge.store.journal import SqliteJournal
from edge.store.ledger import SqliteLedger
from edge.store.outbox import SqliteOutbox
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from edge.store.way_rows import CREDENTIALS_FILE
from edge.sync.configuration import ConfigurationFollower
from edge.sync.desk import CommandDesk
from edge.sync.ended_passes import PassEndsFollower
from edge.sync.follower import RosterFollower
from edge.sync.gate import CommandGate
from edge.sync.notices import NoticeFollower
from edge.sync.publisher import EventPump
from edge.wire.configuration import PURPOSE, Desired
from edge.wire.ended_passes import PURPOSE as PASS_ENDED
from edge.wire.ended_passes import EndedPass, PassEnds
from edge.wire.messages import Message
from edge.wire.notices import PURPOSE as NOTICE
from edge.wire.notices import DoorNotice, NoticeSet
from tests.sync.hubside import KEYS, SIGNER, STRANGER, signed, wish
from tests.sync.property import Property

DEVICE = "door-1"
FILE = Settings.model_validate(
    {"door": {"id": DEVICE}, "camera": {"source": "0"}, "lock": {"driver": "dry-run"}}
)
MOST_WAITING = 500


@dataclass
class Outcome:
    """What came of it; `dead` and `changed` must be empty, `executed` 0."""

    seed: int
    sent: dict[str, int]
    dead: list[str]
    changed: list[str]
    executed: int
    rejected: int
    events: dict[str, int]
    seconds: float


class Door:
    """Everything of a door that listens to a broker, with its files, but without the broker."""

    def __init__(self, folder, stack):
        self.executed: list[tuple[Any, ...]]
        self.folder, self.clock, self.executed = folder, SystemClock(), []
        settings = BrokerSettings("127.0.0.1", DEVICE)
        self.topic = settings.topic
        path = folder / "journal.db"
        self.journal = stack.enter_context(
            closing(SqliteJournal(path, DEVICE, boot="b", clock_trust=lambda: "synced"))
        )
        self.outbox = stack.enter_context(closing(SqliteOutbox(path)))
        self.store = stack.enter_context(closing(ResidentStore(folder / "residents.db")))
        self.ledger = stack.enter_context(closing(SqliteLedger(folder / "commands.db")))
        self.configuration = Configuration(FILE, folder / "configuration.json")
        self.notices = HeldNotices(folder / "notices.json", DEVICE, self.clock, lambda: "synced")
        gate = CommandGate(DEVICE, KEYS, self.ledger, self.clock, lambda: "synced")
        passes = HeldPassEnds(folder, UntoldWays(folder, self.journal.append, self.clock))
        self.clerks = [
            CommandDesk(
                settings, gate, lambda *given: self.executed.append(given), self.journal.append, self.clock
            ),
            RosterFollower(settings, KEYS, SqliteRoster(self.store), self.journal.append, self.clock),
            ConfigurationFollower(settings, KEYS, self.configuration, self.journal.append, self.clock),
            NoticeFollower(settings, KEYS, self.notices, self.journal.append, self.clock),
            PassEndsFollower(settings, KEYS, passes, self.journal.append, self.clock),
        ]
        self.client = SyncClient(settings, [EventPump(self.outbox, settings), *self.clerks])
        for clerk in self.clerks:
            clerk.start()
            stack.callback(clerk.stop)

    def prepare(self):
        """Live a little, so that there is something to change; return what came for each topic."""
        site = Property()
        site.put("anna", "Anna")
        site.put("bob", "Bob")
        configured = SIGNER.sign(Desired(DEVICE, 3, {"lock.unlock_seconds": 8}).encode(), PURPOSE)
        self.hear(site.head(), *site.snapshot(), Message(self.topic("cfg", "desired"), configured, True))
        lockdown = signed(wish(self.clock, "lockdown"))
        self.hear(Message(self.topic("cmd"), lockdown, False))
        begin = self.clock.now()
        line = DoorNotice("1", "info", begin, begin + timedelta(days=9), {"zh": "停水", "en": "No water"})
        self.told = [
            SIGNER.sign(NoticeSet(device, rev, (line,)).encode(), NOTICE)
            for device, rev in ((DEVICE, 3), (DEVICE, 2), ("door-2", 9))
        ]
        self.hear(Message(self.topic("notice"), self.told[0], True))
        lent = EndedPass("ab" * 8, begin + timedelta(days=9))
        self.ends = [
            SIGNER.sign(PassEnds(device, rev, (lent,)).encode(), PASS_ENDED)
            for device, rev in ((DEVICE, 3), (DEVICE, 2), ("door-2", 9))
        ]
        self.hear(Message(self.topic("pass", "ended"), self.ends[0], True))
        self.store.put(Resident("local", "Local"), [])
        self.journal.append(EventDraft(Kind.ACCESS_GRANTED, self.clock.now(), self.clock.monotonic()))
        self.settle()
        self.executed.clear()
        return self._replays(site, lockdown, configured)

    def _replays(self, site, lockdown, configured):
        """Return, by topic, good messages that must change nothing now: seen before, or not for this door."""
        old = wish(self.clock, "lockdown", 7, issued="2001-01-01T00:00:00+00:00")
        manifest, part = (message.payload for message in site.snapshot())
        ack = json.dumps({"stream": "of another journal", "upto": 1}).encode()
        return {
            self.topic("cmd"): [
                lockdown,
                signed(old),
                signed(wish(self.clock, number=8, nonce="never-given")),
                signed(wish(self.clock, "lockdown", 9, device="door-2")),
                signed(wish(self.clock, "lockdown", 10), STRANGER),
                signed(wish(self.clock, "lockdown", 11), purpose="roster-head"),
            ],
            self.topic("sync", "head"): [
                site.head().payload,
                Property(DEVICE, 9, signer=STRANGER).head().payload,
            ],
            self.topic("sync", "delta"): [site.delta(0).payload, Property("door-2").delta(0).payload],
            self.topic("sync", "snap", "2", "0"): [manifest],
            self.topic("sync", "snap", "2", "1"): [part],
            self.topic("cfg", "desired"): [
                configured,
                SIGNER.sign(Desired("door-2", 9, {}).encode(), PURPOSE),
            ],
            self.topic("notice"): self.told,
            self.topic("pass", "ended"): self.ends,
            self.topic("evt", "ack"): [ack],
        }

    def hear(self, *messages):
        for message in messages:
            self.client._dispatch(message, self.clock.monotonic())
        self.settle(MOST_WAITING)

    def settle(self, at_most=0):
        """Wait until the clerks have little left to do, or one of them is dead."""
        while any(c._thread.is_alive() and c._waiting.qsize() > at_most for c in self.clerks):
            time.sleep(0.002)
        for clerk in self.clerks:
            clerk._answers.clear()
        if not at_most:
            time.sleep(0.3)  # what was taken from the queue is still being handled

    def ended_passes(self):
        with closing(CredentialStore(self.folder / CREDENTIALS_FILE)) as store:
            return store.pass_ends_rev(), store.is_ended(bytes.fromhex("ab" * 8), datetime.now(UTC))

    def state(self):
        """Return everything that a message could have changed."""
        return {
            "roster": SqliteRoster(self.store).state(),
            "residents": self.store.list(),
            "settings": (self.configuration.now, self.configuration.reported()),
            "kept settings": (self.folder / "configuration.json").read_bytes(),
            "notices": (self.notices.shown(), (self.folder / "notices.json").read_bytes()),
            "ended passes": self.ended_passes(),
            "outbox": self.outbox.done_upto(),
            "taken": [self.ledger.is_known(f"command-{number:06}") for number in range(1, 12)],
        }


def damaged(rng, good):
    """Return a message that is cut, flipped, stretched, rubbish, nested, or just as it was."""
    match rng.randrange(6):
        case 0:
            return good
        case 1:
            return rng.randbytes(rng.randrange(300))
        case 2:
            return good[: rng.randrange(len(good))]
        case 3:
            return rng.choice(
                [b"[" * 5000, b'{"p":' * 3000, b"\xff\xfe", b"null", b'"' + b"a" * 70_000 + b'"', b""]
            )
    raw = bytearray(good)
    for _ in range(rng.randint(1, 5)):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


def run(folder: Path, messages: int, seed: int) -> Outcome:
    """Send `messages` payloads on each topic and return what came of it."""
    rng, began = random.Random(seed), time.monotonic()
    with ExitStack() as stack:
        door = Door(folder, stack)
        sent: Counter[str]
        replays, sent = door.prepare(), Counter()
        before, noted = door.state(), door.journal.last().seq
        for number in range(messages):
            for topic, good in replays.items():
                payload = damaged(rng, rng.choice(good))
                door.hear(Message(topic, payload, retained=number % 7 == 0))
                sent[topic.removeprefix(f"facegate/v1/{DEVICE}/")] += 1
        door.settle()
        after = door.state()
        return Outcome(
            seed,
            dict(sent),
            [clerk._thread.name for clerk in door.clerks if not clerk._thread.is_alive()],
            [name for name in before if before[name] != after[name]],
            len(door.executed),
            door.client.status().rejected,
            dict(Counter(event.kind for event in door.journal.read(noted, 1_000_000))),
            round(time.monotonic() - began, 1),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), options.messages, options.seed)
    sys.stdout.write(json.dumps(asdict(outcome), indent=1) + "\n")
    return 1 if outcome.dead or outcome.changed or outcome.executed else 0


if __name__ == "__main__":
    sys.exit(main())
