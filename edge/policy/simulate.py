"""Try access rules before they act: what would have changed, had they been in force.

Only decisions of the rules are replayed. Recognition stays as recorded, and so do refusals for other reasons
than a rule's (unknown, paused, locked down): new rules cannot make a stranger a resident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.domain import Authorisation, Reason
from edge.entry_facts import EntryFacts
from edge.events import Kind
from edge.policy.access import AccessRules
from edge.policy.methods import Method
from edge.policy.trust import EPOCH, Believe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from edge.domain import DoorEvent, Resident
    from edge.policy.rulebook import RuleBook
    from edge.policy.trust import Trust

ACCESS = (Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED)

BY_RULES = frozenset(
    {
        Reason.GRANTED,
        Reason.NO_ACCESS_RIGHTS,
        Reason.OUT_OF_TIME_RANGE,
        Reason.CREDENTIAL_NOT_YET_ACTIVE,
        Reason.CREDENTIAL_EXPIRED,
        Reason.CREDENTIAL_MANUAL_DISABLE,
        Reason.SECOND_FACTOR_REQUIRED,
        Reason.CLOCK_UNTRUSTED,
    }
)
"""What access rules answer; see `edge.policy.access`."""


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One past event that would have gone otherwise."""

    event: DoorEvent
    answer: Authorisation

    @property
    def was_granted(self) -> bool:
        """True when this person was let in then."""
        return self.event.kind == Kind.ACCESS_GRANTED


@dataclass(frozen=True, slots=True)
class Simulation:
    """The outcome: `openings` and `refusals` as recorded, `replayed` those the rules decide."""

    openings: int
    refusals: int
    replayed: int
    changes: tuple[DecisionChange, ...]

    @property
    def newly_refused(self) -> tuple[DecisionChange, ...]:
        """Openings that would not have been."""
        return tuple(c for c in self.changes if c.was_granted and not c.answer.allowed)

    @property
    def newly_allowed(self) -> tuple[DecisionChange, ...]:
        """Refusals that would have been openings."""
        return tuple(c for c in self.changes if not c.was_granted and c.answer.allowed)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """The clock as it was when it could not be believed."""

    floor: datetime = EPOCH

    def moments(self, at: datetime) -> tuple[datetime, ...]:  # noqa: ARG002 - the protocol's
        return ()

    def vouches(self, at: datetime) -> bool:  # noqa: ARG002 - the protocol's
        return False


def simulate(
    events: Iterable[DoorEvent],
    book: RuleBook,
    find: Callable[[str], Resident | None],
    *,
    strict_clock: bool = False,
) -> Simulation:
    """Return what `book` would have answered to past events, oldest first.

    `find` looks residents up as the roster is now. Events of several doors may be mixed. With
    `strict_clock` an event recorded while the clock was not synchronised counts as one without
    the time; otherwise recorded times are believed.
    """
    openings = refusals = replayed = 0
    changes: list[DecisionChange] = []
    for event in events:
        if event.kind not in ACCESS:
            continue
        openings += event.kind == Kind.ACCESS_GRANTED
        refusals += event.kind == Kind.ACCESS_DENIED
        if not _is_by_rules(event):
            continue
        replayed += 1
        trust: Trust = _Doubt() if strict_clock and event.clock != "synced" else Believe()
        answer = _ask(event, AccessRules(book, event.door_id, find, trust))
        # Also where only the reason changes: it is what the person is told.
        if answer.reason != event.reason:
            changes.append(DecisionChange(event, answer))
    return Simulation(openings, refusals, replayed, tuple(changes))


def _is_by_rules(event: DoorEvent) -> bool:
    # A visitor pass brings its own rules with it.
    own = EntryFacts.read(event.data).method in set(Method) - {Method.PASS}
    return own and event.resident_id is not None and event.reason in BY_RULES


def _ask(event: DoorEvent, rules: AccessRules) -> Authorisation:
    assert event.resident_id is not None  # noqa: S101 - the caller has looked
    return rules.authorise(event.resident_id, event.at, str(EntryFacts.read(event.data).method))
