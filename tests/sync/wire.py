"""Reads every byte that passes a test's broker, and judges it when the broker stops.

Each `tests.sync.broker.Broker` has a recorder: a subscriber to `#` on a door of its own. What it
read is searched for pictures, embeddings and residents' names, and held against the AsyncAPI
document. `tests/conftest.py` fails the test during which something was found, and the run.
"""

import json
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.sync.contract import breaches, channel_of
from tests.sync.privacy import Secrets, findings, index, names_in, unwrapped
from tests.waiting import PATIENCE, wait_until

READY = "$SYS/broker/version"
END = "recorder/end"
MAY_NAME = {"rosterDelta", "rosterSnapshotPart", "command", "answer", None}
"""Topics that carry people's names on purpose, and those that are none of ours."""


@dataclass
class Ledger:
    """What all recorders of this run have read. `personal` must stay empty; `nonconforming` too,
    but for tests that send nonsense on purpose (marker `nonsense`)."""

    brokers: int = 0
    messages: int = 0
    payload_bytes: int = 0
    topics: Counter[str] = field(default_factory=Counter)
    personal: list[str] = field(default_factory=list)
    nonconforming: list[str] = field(default_factory=list)


LEDGER = Ledger()
SECRETS = Secrets()
"""Bytes that must not travel: a test that enrols a face beside a broker adds the template."""


class Recorder:
    """`mosquitto_sub` writing each message as a line: retained, payload in hex, topic."""

    def __init__(self, port, folder):
        self._port = port
        self._path = folder / f"wire-{time.monotonic_ns()}"
        words = ["-h", "127.0.0.1", "-p", str(port), "-t", "#", "-t", READY, "-F", "%r %x %t"]
        with self._path.open("wb") as file:
            self._process = subprocess.Popen(
                [shutil.which("mosquitto_sub") or "/usr/bin/mosquitto_sub", *words],
                stdout=file,
                stderr=subprocess.DEVNULL,
            )
        self._await(READY)

    def finish(self):
        """Wait until it has read what the broker was given up to now."""
        words = ["-h", "127.0.0.1", "-p", str(self._port), "-t", END, "-n"]
        subprocess.run(["mosquitto_pub", *words], check=False, timeout=PATIENCE)
        self._await(END)

    def stop(self):
        """End it and judge what it read."""
        self._process.terminate()
        self._process.wait(PATIENCE)
        judge(self.messages(), LEDGER)
        self._path.unlink()

    def messages(self):
        """Return (topic, payload) in the order they passed."""
        lines = self._path.read_bytes().split(b"\n")[:-1]
        split = [line.split(b" ", 2) for line in lines]
        found = [(topic.decode(errors="replace"), bytes.fromhex(text.decode())) for _, text, topic in split]
        return [(topic, payload) for topic, payload in found if topic not in {READY, END}]

    def _await(self, topic):
        line, last = f" {topic}\n".encode(), b""
        with self._path.open("rb") as file:

            def is_seen():
                nonlocal last
                assert self._process.poll() is None, "mosquitto_sub ended; is mosquitto-clients installed?"
                last = last[-len(line) :] + file.read()
                return line in last

            wait_until(is_seen, f"the recorder sees {topic} on port {self._port}")


def judge(messages, ledger):
    """Add to the ledger what these messages of one broker break."""
    ledger.brokers += 1
    names = index(_names(messages))
    for topic, payload in messages:
        ledger.messages += 1
        ledger.payload_bytes += len(payload)
        channel = channel_of(topic)
        ledger.topics[channel] += 1
        personal = findings(payload, SECRETS)
        if names and channel not in MAY_NAME:
            personal += [f"the name {name!r}" for name in names_in(payload, names)]
        ledger.personal += [f"{topic}: {what}: {payload[:80]!r}" for what in personal]
        if payload and (broken := breaches(topic, payload)):
            ledger.nonconforming.append(f"{topic}: {broken[0][:160]}: {payload[:80]!r}")


def _names(messages):
    """Return the names of residents that the roster told this broker's doors."""
    names = set()
    for topic, payload in messages:
        if channel_of(topic) in {"rosterDelta", "rosterSnapshotPart"}:
            for part in unwrapped(payload):
                if isinstance(part, str) and part[:1] in {"{", "["}:
                    names |= _names_of(part)
    return names


def _names_of(text):
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    ops = value.get("ops", []) if isinstance(value, dict) else value
    records = [op.get("record") for op in ops if isinstance(op, dict)] if isinstance(ops, list) else []
    return {str(record.get("name")) for record in records if isinstance(record, dict)}
