"""The property's roster in memory: a log with revisions, and what it answers to a door."""

import hashlib
import json

from edge.broker.settings import BrokerSettings
from edge.domain import RosterChange, RosterState
from edge.store.roster import roster_digest
from edge.wire.messages import Message
from edge.wire.records import parse_record
from edge.wire.roster import (
    CONFIRMED,
    DELTA,
    HEAD,
    SNAPSHOT,
    Confirmation,
    Delta,
    Head,
    SnapshotManifest,
    encode_parts,
)
from tests.sync.hubside import SIGNER


class Property:
    """Knows who may enter. `keep` is how many revisions its log reaches back."""

    def __init__(self, device="door-1", epoch=1, keep=10_000, signer=SIGNER):
        self.device = device
        self.epoch = epoch
        self.keep = keep
        self.signer = signer
        self.log = []
        self.records = {}
        self.settings = BrokerSettings("127.0.0.1", device)

    def put(self, identity, name="N", **fields):
        resident, text = parse_record({"id": identity, "name": name, **fields})
        self._add(RosterChange(len(self.log) + 1, identity, resident, text))

    def remove(self, identity):
        self._add(RosterChange(len(self.log) + 1, identity))

    def _add(self, change):
        self.log.append(change)
        if change.resident is None:
            self.records.pop(change.id, None)
        else:
            self.records[change.id] = change

    def state(self, rev=None):
        if rev is None or rev == len(self.log):
            records = self.records
        else:
            records = {}
            for change in self.log[:rev]:
                records.pop(change.id, None)
                if change.resident:
                    records[change.id] = change
        digest = roster_digest((r.id, r.rev, r.text) for r in records.values())
        return RosterState(self.epoch, len(self.log) if rev is None else rev, digest, len(records))

    def message(self, payload, *topic, retained=False):
        return Message(self.settings.topic("sync", *topic), payload, retained)

    def head(self, rev=None):
        body = Head(self.device, self.state(rev)).encode()
        return self.message(self.signer.sign(body, HEAD), "head", retained=True)

    def delta(self, start, to=None):
        target = self.state(to)
        body = Delta(self.device, start, target, tuple(self.log[start : target.rev])).encode()
        return self.message(self.signer.sign(body, DELTA), "delta")

    def snapshot(self):
        state = self.state()
        parts = encode_parts(sorted(self.records.values(), key=lambda r: r.id))
        digests = tuple(hashlib.sha256(part).hexdigest() for part in parts)
        manifest = self.signer.sign(SnapshotManifest(self.device, state, digests).encode(), SNAPSHOT)
        yield self.message(manifest, "snap", str(state.rev), "0")
        for number, part in enumerate(parts, 1):
            yield self.message(part, "snap", str(state.rev), str(number))

    def answer(self, question):
        """Return the messages that answer a door's `sync/req`."""
        asked = json.loads(question)
        return [*self.confirmed(asked.get("nonce")), *self._lacking(asked)]

    def confirmed(self, nonce):
        """Return the answer to a door's nonce."""
        if nonce is not None:
            body = Confirmation(self.device, self.state(), nonce).encode()
            yield self.message(self.signer.sign(body, CONFIRMED), "confirmed")

    def _lacking(self, asked):
        too_old = asked["epoch"] != self.epoch or len(self.log) - asked["have"] > self.keep
        if asked["want"] == "snapshot" or too_old:
            return list(self.snapshot())
        return [self.delta(asked["have"])] if asked["have"] < len(self.log) else []
