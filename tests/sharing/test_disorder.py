"""Letters lost, late, doubled, out of order and played back, doors killed: consents hold all the same."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sharing.cuts import again
from tests.sharing.rig import opened

DOORS = ("front", "back", "garage")
PEOPLE = ("anna", "otto")
ROUNDS = int(os.environ.get("FACEGATE_DISORDER", "3"))
"""Examples. The long form:
FACEGATE_DISORDER=300 pytest -o faulthandler_timeout=0 tests/sharing/test_disorder.py."""

ACTIONS = st.one_of(
    st.tuples(st.just("enrol"), st.sampled_from(DOORS), st.sampled_from(PEOPLE)),
    st.tuples(st.just("withdraw"), st.sampled_from(DOORS), st.sampled_from(PEOPLE)),
    st.tuples(st.just("look"), st.sampled_from(DOORS)),
    st.tuples(st.just("carry"), st.integers(0, 20)),
    st.tuples(st.just("carry"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(0, 20)),
    st.tuples(st.just("replay"), st.integers(0, 200)),
    st.tuples(st.just("reconnect"), st.sampled_from(DOORS)),
    st.tuples(st.just("kill"), st.sampled_from(DOORS)),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 10.0, 70.0])),
)


class Disorder:
    """A compound, and what must be true of it whatever happens to the letters."""

    def __init__(self, site):
        self.site = site
        self.seen = []
        self.ended: dict[str, set[str]] = {name: set() for name in DOORS}
        self.last = dict.fromkeys(PEOPLE)

    def enrol(self, name, who):
        consent = self.site.doors[name].enrol(who, *(door for door in DOORS if door != name))
        rig = self.site.doors[name]
        for older in rig.ledger.supersede(consent, rig.clock.now()):
            self.ended[name].add(older.id)
        self.last[who] = consent.id

    def withdraw(self, name, who):
        rig = self.site.doors[name]
        if any(one.resident_id == who for one in rig.ledger.in_force().values()):
            rig.withdraw(who)
            self.ended[name] |= rig.ledger.ended()
            self.last[who] = None

    def look(self, name):
        self.site.look(name)

    def carry(self, place):
        if self.site.mail:
            self._deliver(self.site.mail.pop(place % len(self.site.mail)))

    def lose(self, place):
        if self.site.mail:
            self.site.mail.pop(place % len(self.site.mail))

    def replay(self, place):
        if self.seen:
            self._deliver(self.seen[place % len(self.seen)])

    def reconnect(self, name):
        self.site.doors[name].exchange.connected()

    def kill(self, name):
        again(self.site, name)

    def wait(self, seconds):
        self.site.clock.advance(seconds)

    def check(self):
        """No door matches anybody under a consent of which it knows that it has ended."""
        for name, door in self.site.doors.items():
            self.ended[name] |= door.ledger.ended()
            assert self.ended[name] <= door.ledger.ended(), "an ended consent came back"
            door.follower.refresh()
            for who in PEOPLE:
                if who in door.gallery:
                    consents = {one.consent_id for one in door.store.templates_of(who)}
                    assert not consents & self.ended[name], (name, who)

    def _deliver(self, letter):
        self.seen.append(letter)
        self.site.property_reads(letter[0])
        for name in letter[0].to:
            self.site.doors[name].exchange.take([letter[1]])


@pytest.mark.slow
@settings(max_examples=ROUNDS, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.lists(ACTIONS, min_size=5, max_size=40))
def test_ended_consents_never_come_back_and_in_the_end_all_doors_agree(actions):
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), *DOORS) as site:
        site.put(*PEOPLE)
        disorder = Disorder(site)
        for what, *how in actions:
            getattr(disorder, what)(*how)
            disorder.check()
        for _ in range(4):
            site.settle(4)
            site.clock.advance(400)
        disorder.check()
        for who, consent in disorder.last.items():
            knowing = site.knowing(who)
            assert knowing == (set(DOORS) if consent else set()), (who, consent)
