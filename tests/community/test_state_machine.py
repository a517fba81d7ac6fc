"""Everybody tries every step from every state: what may succeed stands in a second table (`walk_machine`)."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.errors import CommunityRefused
from facegate_hub.community.machine import TicketAct
from facegate_hub.community.timekeeper import pass_time
from facegate_hub.community.verify import verify
from tests.community.compound import new_compound
from tests.community.walk_machine import (
    ALLOWED,
    BECOMES,
    EVERYBODY,
    begin,
    fact,
    fields_for,
    roles,
)


class TicketWay(RuleBasedStateMachine):
    """One ticket; a step may succeed only for a role that has it, and its requester sees each."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="facegate-way-"))
        self.compound = new_compound(self.folder)
        self.followers = set()

    @initialize(seed=st.integers(0, 999))
    def reports(self, seed):
        self.rng = random.Random(seed)
        self.number = begin(self.compound, self.rng)
        self.seen = fact(self.compound, self.number)

    def _try(self, name, act):
        before, self.seen = self.seen, None
        mine = roles(self.compound, before.ticket, name, self.followers)
        may = any(before.ticket.state in ALLOWED.get(role, {}).get(act, ()) for role in mine)
        is_taken = True
        try:
            self.compound.act(name, self.number, act, **fields_for(self.rng, self.compound, self.number))
        except CommunityRefused:
            is_taken = False
        after = self.seen = fact(self.compound, self.number)
        if not is_taken:
            assert after == before, "refused, and something changed"
            return
        assert may, f"{name} {sorted(mine)}: {act.value} in {before.ticket.state.value}"
        assert after.ticket.state is BECOMES.get(act, before.ticket.state)
        assert [step.act for step in after.steps] == [*(step.act for step in before.steps), act.value]
        if act is TicketAct.ME_TOO:
            self.followers.add(name)

    @rule(name=st.sampled_from(EVERYBODY), act=st.sampled_from(list(TicketAct)))
    def tries_anything(self, name, act):
        self._try(name, act)

    @rule(data=st.data())
    def does_what_is_theirs(self, data):
        possible = [
            (name, act)
            for name in EVERYBODY
            for role in sorted(roles(self.compound, self.seen.ticket, name, self.followers))
            for act, froms in ALLOWED[role].items()
            if self.seen.ticket.state in froms and act is not TicketAct.COMMENT
        ]
        if possible:
            self._try(*data.draw(st.sampled_from(sorted(possible))))

    @rule(hours=st.sampled_from([1, 24, 8 * 24]))
    def lets_time_pass(self, hours):
        self.compound.clock.advance(hours * 3600)
        pass_time(self.compound.book, self.compound.terms)
        self.seen = fact(self.compound, self.number)

    @precondition(lambda self: getattr(self, "seen", None) is not None)
    @invariant()
    def nothing_is_taken_back(self):
        assert self.seen.steps[0].act == "new"
        assert self.seen.ticket.appeals <= 1

    def teardown(self):
        with self.compound.book.looking() as connection:
            problems = verify(connection, self.compound.book.sealer).problems
        self.compound.book.engine.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert problems == []


TestTicketWay = TicketWay.TestCase
TestTicketWay.settings = settings(max_examples=8, stateful_step_count=20)
