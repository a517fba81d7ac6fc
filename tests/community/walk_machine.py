"""Random walks over (state, role, act): everybody tries everything, and a second table says what may succeed.

python -m tests.community.walk_machine --steps 20000
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from edge.errors import CommunityRefused
from facegate_hub.community.machine import (
    Audience,
    Cause,
    DeclineReason,
    TicketAct,
    TicketKind,
    TicketState,
    WaitWhy,
)
from facegate_hub.community.tickets import Report
from facegate_hub.community.timekeeper import pass_time
from facegate_hub.community.verify import verify
from tests.community.compound import STAFF, Compound, new_compound

A, S = TicketAct, TicketState
OPEN_WORK = {S.NEW, S.ASSIGNED, S.WORKING, S.WAITING, S.REOPENED}
STILL_OPEN = OPEN_WORK | {S.RESOLVED, S.APPEALED}

LEADS = {
    A.ASSIGN: OPEN_WORK,
    A.MERGE: {S.NEW, S.ASSIGNED},
    A.COMMENT: STILL_OPEN,
}
ALLOWED = {
    "requester": {
        A.CONFIRM: {S.RESOLVED},
        A.REOPEN: {S.RESOLVED, S.CONFIRMED, S.SILENT, S.MERGED},
        A.APPEAL: {S.DECLINED},
        A.WITHDRAW: {S.NEW, S.ASSIGNED},
        A.COMMENT: STILL_OPEN,
    },
    "follower": {A.COMMENT: STILL_OPEN},
    "reader": {A.ME_TOO: OPEN_WORK},
    "stranger": {},
    "assignee": {
        A.START: {S.ASSIGNED, S.REOPENED},
        A.WAIT: {S.WORKING},
        A.RESUME: {S.WAITING},
        A.RESOLVE: {S.WORKING, S.WAITING},
        A.COMMENT: STILL_OPEN,
    },
    "desk": LEADS,
    "manager": {**LEADS, A.DECLINE: {S.NEW, S.ASSIGNED}},
    "committee": {A.GRANT: {S.APPEALED}, A.UPHOLD: {S.APPEALED}, A.COMMENT: STILL_OPEN},
    "time": {A.FALL_SILENT: {S.RESOLVED}},
}
"""What each role may do, from which states."""

BECOMES = {
    A.ASSIGN: S.ASSIGNED,
    A.START: S.WORKING,
    A.WAIT: S.WAITING,
    A.RESUME: S.WORKING,
    A.RESOLVE: S.RESOLVED,
    A.CONFIRM: S.CONFIRMED,
    A.REOPEN: S.REOPENED,
    A.FALL_SILENT: S.SILENT,
    A.DECLINE: S.DECLINED,
    A.APPEAL: S.APPEALED,
    A.GRANT: S.REOPENED,
    A.UPHOLD: S.DECLINED,
    A.MERGE: S.MERGED,
    A.WITHDRAW: S.WITHDRAWN,
}
EVERYBODY = [*STAFF, "wang", "wang-wife", "li", "zhao", "time"]


@dataclass
class Walk:
    folder: Path
    forbidden: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    states: set[TicketState] = field(default_factory=set)
    taken: int = 0


def roles(compound: Compound, ticket, name: str, followers: set[str]) -> set[str]:
    """Return what somebody is, by rules told in words."""
    if name == "time":
        return {"time"}
    if name not in STAFF:
        if compound.people[name] == ticket.requester:
            return {"requester"} | ({"follower"} if name in followers else set())
        if name in followers:
            return {"follower"}
        near = {"private": set(), "flat": {"wang-wife"}, "building": {"wang-wife", "li"}}
        return {"reader"} if name in near.get(ticket.audience, {"wang-wife", "li", "zhao"}) else {"stranger"}
    if ticket.about == name:
        return {"stranger"}
    found = {"assignee"} if ticket.assignee == name else set()
    duty = STAFF[name].value
    is_kept = ticket.about is not None and ticket.audience == "private"
    if duty == "manager" or (duty == "desk" and not is_kept):
        found.add(duty)
    if duty == "committee" and (ticket.level >= 2 or ticket.appeals or ticket.state is S.APPEALED):
        found.add(duty)
    return found or {"stranger"}


def fields_for(rng: random.Random, compound: Compound, number: int) -> dict[str, str]:
    later = compound.clock.now() + timedelta(hours=rng.randrange(1, 100))
    return {
        "text": "words",
        "assignee": rng.choice(["technician-1", "technician-2", "mona", "dora", "mike"]),
        "why": rng.choice(list(WaitWhy)).value,
        "until": later.isoformat(),
        "cause": rng.choice(list(Cause)).value,
        "reason": rng.choice(list(DeclineReason)).value,
        "into": str(rng.randrange(1, number + 1)),
    }


def begin(compound: Compound, rng: random.Random) -> int:
    about = rng.choice([None, None, "mike", "technician-1"])
    report = Report(
        TicketKind.COMPLAINT if about else rng.choice([TicketKind.REPAIR, TicketKind.OPINION]),
        "water",
        "words",
        flat="3-1203",
        requester=compound.people["wang"],
        audience=rng.choice(list(Audience)),
        about=about,
    )
    compound.clock.advance(86_400)  # so that no limit of a day is met
    pass_time(compound.book, compound.terms)
    return compound.tickets.report(compound.asker("wang"), report)[0]


def fact(compound: Compound, number: int):
    return compound.tickets.sheet(compound.asker("wang"), number)


def attempt(walked: Walk, compound: Compound, number: int, rng: random.Random, followers: set[str]) -> None:
    name, act = rng.choice(EVERYBODY), rng.choice(list(TicketAct))
    before = fact(compound, number)
    if rng.random() < 0.6:  # mostly something that somebody may do now
        possible = [
            (one, wish)
            for one in EVERYBODY
            for role in sorted(roles(compound, before.ticket, one, followers))
            for wish, froms in ALLOWED[role].items()
            if before.ticket.state in froms and wish is not A.COMMENT
        ]
        name, act = rng.choice(possible or [(name, act)])
    mine = roles(compound, before.ticket, name, followers)
    may = any(before.ticket.state in ALLOWED.get(role, {}).get(act, ()) for role in mine)
    what = f"{name} {sorted(mine)} {act.value} in {before.ticket.state.value}"
    try:
        compound.act(name, number, act, **fields_for(rng, compound, number))
    except CommunityRefused:
        if fact(compound, number) != before:
            walked.forbidden.append(f"{what}: refused, and something changed")
        return
    walked.taken += 1
    after = fact(compound, number)
    if not may:
        walked.forbidden.append(what)
    if after.ticket.state is not BECOMES.get(act, before.ticket.state):
        walked.forbidden.append(f"{what}: became {after.ticket.state}")
    if len(after.steps) != len(before.steps) + 1 or after.steps[-1].act != act.value:
        walked.unseen.append(what)
    if act is A.ME_TOO:
        followers.add(name)
    walked.states.add(after.ticket.state)


def walk(walked: Walk, steps: int, seed: int) -> Walk:
    rng, compound = random.Random(seed), new_compound(walked.folder)
    for step in range(steps):
        if step % 25 == 0:
            followers: set[str]
            number, followers = begin(compound, rng), set()
        if rng.random() < 0.06:
            compound.clock.advance(rng.choice([3600, 86_400, 8 * 86_400]))
            pass_time(compound.book, compound.terms)
            walked.states.add(fact(compound, number).ticket.state)
        attempt(walked, compound, number, rng, followers)
    with compound.book.looking() as connection:
        walked.forbidden += verify(connection, compound.book.sealer).problems
    return walked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        walked = walk(Walk(Path(folder)), wish.steps, wish.seed)
    found = [*walked.forbidden, *walked.unseen]
    said = f"{wish.steps} tries, {walked.taken} steps taken, {len(walked.states)} states visited, "
    sys.stdout.write(f"{said}{len(walked.forbidden)} forbidden, {len(walked.unseen)} unseen\n")
    sys.stdout.write("".join(f"{one}\n" for one in found[:20]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
