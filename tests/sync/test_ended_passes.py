"""Ended passes at a door: signed, for this door, newer; what was ended stays so in any order."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.broker.settings import BrokerSettings
from edge.domain import Reason, Resident
from edge.errors import SyncError
from edge.policy.access import AccessRules
from edge.policy.pass_gate import PassGate
from edge.policy.passes import Pass, door_marks, issue, pass_public_key, read_pass
from edge.policy.rulebook import RuleBook
from edge.policy.trust import ClockGuard
from edge.runtime.clock import ManualClock
from edge.service.entry.kept import Credentials, EndedPasses
from edge.service.property.ended_passes import HeldPassEnds
from edge.service.untold import UntoldWays
from edge.store.credentials import KEEP_USES
from edge.store.way_rows import CREDENTIALS_FILE
from edge.sync.ended_passes import PassEndsFollower
from edge.wire.ended_passes import MAX_BYTES, MOST_ENDED, PURPOSE, EndedPass, PassEnds
from edge.wire.messages import Message
from tests.present import present
from tests.sync.hubside import KEYS, SIGNER, STRANGER, MemoryJournal

SETTINGS = BrokerSettings("127.0.0.1", "door-1")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes_raw()
IDS = [bytes([number] * 8) for number in range(6)]


class Door:
    """What a door has of passes: the file of credentials, the gate before it, and who hears the property."""

    def __init__(self, folder):
        self.folder, self.clock, self.journal = folder, ManualClock(), MemoryJournal()
        self.begin, self.until = self.clock.now(), self.clock.now() + timedelta(hours=8)
        self.restart()

    def restart(self):
        self.held = HeldPassEnds(self.folder, UntoldWays(self.folder, self.journal.append, self.clock))
        self.clerk = PassEndsFollower(SETTINGS, KEYS, self.held, self.journal.append, self.clock)

    def end(self, rev, *ids, device="door-1", signer=SIGNER, purpose=PURPOSE, until=None):
        ended = tuple(EndedPass(one.hex(), until or self.until) for one in ids)
        self.get(signer.sign(PassEnds(device, rev, ended).encode(), purpose))

    def get(self, payload):
        self.clerk.handle(Message(SETTINGS.topic("pass", "ended"), payload, retained=True))

    def show(self, identity, uses=0):
        """Return what the door says to a pass of this id."""
        trust = ClockGuard()
        trust.observe(None, (self.clock.now(),), is_vouched=True)
        rules = AccessRules(RuleBook(), "door-1", {"anna": Resident("anna", "Anna")}.get, trust)
        text = issue(
            Pass(identity, "anna", self.begin, self.until, uses, door_marks=door_marks(["door-1"])), KEY
        )
        with closing(Credentials(self.folder, ())) as credentials:
            shown = present(read_pass(text, [pass_public_key(KEY)]))
            return PassGate(rules, credentials).authorise(shown, self.clock.now()).reason

    @property
    def told(self):
        return [(str(draft.kind), draft.data) for draft in self.journal.drafts]


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path)


def test_an_ended_pass_is_refused_in_its_own_words_whether_it_was_seen_before_or_not(door):
    assert door.show(IDS[0]) is Reason.GRANTED
    door.end(3, IDS[0], IDS[1])
    assert door.told == [("passes.ended", {"rev": 3, "count": 2})]
    assert door.held.rev == 3
    for seen in (IDS[0], IDS[1]):
        assert door.show(seen) is Reason.CREDENTIAL_ENDED
    assert door.show(IDS[2]) is Reason.GRANTED
    door.restart()
    assert door.show(IDS[1], uses=5) is Reason.CREDENTIAL_ENDED


def test_the_same_list_again_is_no_news_and_a_shorter_one_revives_nothing(door):
    door.end(3, IDS[0])
    door.end(3, IDS[0])
    door.end(4)
    assert door.told == [("passes.ended", {"rev": 3, "count": 1})]
    assert door.held.rev == 4
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"signer": STRANGER}, "signature"),
        ({"purpose": "notice"}, "signature"),
        ({"device": "door-2"}, "not for this door"),
        ({"rev": 2}, "older"),
    ],
)
def test_what_is_not_ours_or_old_is_refused_with_one_event(door, more, why):
    door.end(3, IDS[0])
    rev = more.pop("rev", 4)
    for _ in range(3):
        door.end(rev, IDS[1], **more)
    assert door.show(IDS[1]) is Reason.GRANTED
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED
    assert [kind for kind, _ in door.told] == ["passes.ended", "passes.refused"]
    assert why in door.told[-1][1]["detail"]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[" * 1000, b"x" * (2 * MAX_BYTES + 1)])
def test_nonsense_changes_nothing(door, payload):
    door.end(3, IDS[0])
    door.get(payload)
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED
    assert door.told[-1][0] == "passes.refused"


def test_a_full_list_fits_and_a_longer_one_is_none(door):
    many = [os.urandom(8) for _ in range(MOST_ENDED + 1)]
    ended = tuple(EndedPass(one.hex(), door.until) for one in many)
    full = PassEnds("door-1", 1, ended[:-1])
    assert len(SIGNER.sign(full.encode(), PURPOSE)) <= MAX_BYTES
    assert PassEnds.parse(full.encode()) == full
    with pytest.raises(SyncError):
        PassEnds.parse(PassEnds("door-1", 1, ended).encode())
    for wrong in ({"id": "AB" * 8}, {"id": "ab"}, {"until": -1}, {"until": 2**32}, {"until": True}, {"x": 1}):
        fields = json.loads(full.encode())
        fields["ended"][0].update(wrong)
        with pytest.raises(SyncError):
            PassEnds.parse(json.dumps(fields).encode())


def test_a_list_that_the_card_does_not_take_is_tried_again_and_counts_as_not_heard(door):
    path, aside = door.folder / CREDENTIALS_FILE, door.folder / "aside"
    door.end(1)
    path.rename(aside)
    path.mkdir()  # nothing can be opened there
    door.end(3, IDS[0])
    door.clerk.idle()
    assert door.held.rev == 1
    assert [kind for kind, _ in door.told] == ["passes.refused"]
    path.rmdir()
    aside.rename(path)
    door.clerk.idle()
    assert door.held.rev == 3
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED


def test_a_copy_of_the_file_that_was_put_back_takes_the_list_again(door):
    door.end(1)
    before = (door.folder / CREDENTIALS_FILE).read_bytes()
    door.end(2, IDS[0])
    (door.folder / CREDENTIALS_FILE).write_bytes(before)
    door.restart()
    door.end(2, IDS[0])
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED


def test_ended_ids_go_after_their_end_by_a_time_that_is_certain(door):
    door.end(3, IDS[0])
    chore = EndedPasses(door.folder)
    assert chore.prune(None) == 0
    assert chore.prune(door.until + KEEP_USES) == 0
    assert door.show(IDS[0]) is Reason.CREDENTIAL_ENDED
    assert chore.prune(door.until + KEEP_USES + timedelta(seconds=1)) == 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("end"), st.integers(1, 5), st.sets(st.sampled_from(IDS), max_size=4)),
            st.tuples(st.just("show"), st.sampled_from(IDS)),
            st.tuples(st.just("restart")),
            st.tuples(st.just("prune"), st.integers(-10, 6 * 24)),
        ),
        max_size=15,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_in_whatever_order_lists_come_what_was_taken_stays_ended(tmp_path_factory, acts):
    door, newest = Door(tmp_path_factory.mktemp("door")), 0
    ended: set[bytes] = set()
    for act, *given_ in acts:
        if act == "end":
            rev, ids = given_
            door.end(rev, *sorted(ids))
            if rev >= newest:
                newest, ended = rev, ended | ids
        elif act == "show":
            reason = door.show(given_[0])
            assert reason is (Reason.CREDENTIAL_ENDED if given_[0] in ended else Reason.GRANTED)
        elif act == "prune":
            EndedPasses(door.folder).prune(door.until + timedelta(hours=given_[0]))
        else:
            door.restart()
    for one in IDS:
        assert (door.show(one) is Reason.CREDENTIAL_ENDED) == (one in ended)
