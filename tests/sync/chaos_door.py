"""A door to be killed: commits events, notes each committed number, publishes, follows the roster.

Arguments: folder, port. Whoever the roster brings is enrolled with a face; who passes is noted with
the roster's revision. It ends when the harness says `enough` and nothing is left to do.
"""

import json
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.broker.settings import BrokerSettings
from edge.consent.rules import Statement, consent_from
from edge.domain import EventDraft, Template
from edge.events import Kind
from edge.matcher.gallery import LiveGallery
from edge.policy.access import AccessRules
from edge.policy.rulebook import RuleBook
from edge.runtime.clock import SystemClock
from edge.service.recognition.consent import FollowedConsents
from edge.service.recognition.roster import GalleryFollower as Followed
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster
from edge.sync.follower import RosterFollower
from tests.fakes.proofs import notary
from tests.sync.doors import Door
from tests.sync.hubside import KEYS

MODEL, DIM = "m1", 16
DEVICE = "door-1"


class People:
    """The door's residents: store, gallery and rules, as a running door has them."""

    def __init__(self, folder):
        self.store = ResidentStore(folder / RESIDENTS_FILE)
        self.consents = ConsentLedger(folder / CONSENTS_FILE)
        self.roster = SqliteRoster(self.store)
        self.gallery = LiveGallery(MODEL, DIM)
        followed = FollowedConsents(lambda: ConsentLedger(folder / CONSENTS_FILE))
        self.followed = Followed(self.store, self.gallery, followed)
        self.rules = AccessRules(RuleBook(), DEVICE, self.store.get)
        self.known = set()

    def enrol_new(self):
        """Give a face to everybody who has none: on the roster's thread, as nothing else may change it."""
        for resident in self.store.list():
            self.known.add(resident.id)
            if not self.store.templates_of(resident.id):
                now = datetime.now(UTC)
                consent = consent_from(Statement(resident.id, agrees=True, language="en"), "chaos", now)
                self.consents.record(consent)
                row = np.random.default_rng(abs(hash(resident.id))).normal(size=DIM).astype(np.float32)
                face = Template(resident.id, row / np.linalg.norm(row), MODEL, now, "mean", consent.id)
                self.store.put(resident, [face], source="roster")

    def pass_one(self):
        """Let somebody try the door; return (revision, who, whether he was let in), None if it changed."""
        who = random.choice(sorted(self.known) or ["nobody"])
        before = self.roster.state().rev
        allowed = self.rules.authorise(who, datetime.now(UTC), "face").allowed
        return (before, who, allowed) if self.roster.state().rev == before else None

    def final(self):
        self.followed.refresh()
        state = self.roster.state()
        return {
            "rev": state.rev,
            "digest": state.digest,
            "gallery": sorted(who for who in self.known if who in self.gallery),
            "grantable": sorted(
                who for who in self.known if self.rules.authorise(who, datetime.now(UTC), "face").allowed
            ),
            "keys": list(self.store.sealer.people()),
        }


def main(folder, port):
    people, clock = People(folder), SystemClock()
    if (folder / "everybody.json").exists():
        people.known |= set(json.loads((folder / "everybody.json").read_text()))
    settings = BrokerSettings("127.0.0.1", DEVICE, port)
    clerk = RosterFollower(settings, KEYS, people.roster, Silent().append, clock, people.enrol_new)
    clerk.start()
    with (
        Door(folder, port, others=[clerk], notary=notary(DEVICE)) as door,
        (folder / "told.log").open("a") as told,
    ):
        with (folder / "passed.log").open("a") as passed:
            (folder / "up").touch()
            while not (folder / "enough").exists():
                event = door.journal.append(
                    EventDraft(Kind.ACCESS_GRANTED, datetime.now(UTC), time.monotonic(), resident_id="anna")
                )
                told.write(f"{event.seq}\n")
                told.flush()
                if (tried := people.pass_one()) is not None:
                    passed.write(json.dumps(tried) + "\n")
                    passed.flush()
                time.sleep(random.random() / 50)
        wanted = json.loads((folder / "enough").read_text())
        while door.outbox.done_upto() < door.outbox.newest() or people.roster.state().digest != wanted:
            time.sleep(0.05)
    people.known |= set(json.loads((folder / "everybody.json").read_text()))
    clerk.stop()
    people.enrol_new()
    (folder / "final.json").write_text(json.dumps(people.final()))


class Silent:
    """The roster's own events are not counted here."""

    def append(self, draft):
        return None


main(Path(sys.argv[1]), int(sys.argv[2]))
