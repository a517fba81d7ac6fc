"""A door and the hub as people at the property see them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.wire.shapes import printable
from edge.words import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.domain import RosterState

HUB_SILENT_SECONDS = 30.0
"""A hub writes every 5 s that it lives."""
PROBLEM_SECONDS = 3600.0
"""How long what a door did wrong is shown when it does it no more."""


@dataclass(frozen=True, slots=True)
class DoorView:
    """A door as the hub knows it; None where it was never heard.

    `availability` is `online` or `offline`, `behind` counts roster revisions the door lacks,
    `seen_at` is UTC in ISO form, `problem` the last thing it said that made no sense. `name` and `place`
    are for people; `state` is its last word on `state` (docs/mqtt.md), as JSON values.
    """

    id: str
    availability: str | None
    behind: int
    seen_at: str | None
    problem: str | None
    name: str = ""
    place: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HubView:
    """The running hub: seconds since it last said that it lives, and what its own connection lacks."""

    age_seconds: float
    problem: str | None

    @property
    def is_serving(self) -> bool:
        """Say whether what is shown of the doors can be believed to be so now."""
        return self.age_seconds < HUB_SILENT_SECONDS and self.problem is None


def door_view(row: Any, state: RosterState, now: float) -> DoorView:
    """Return a door as it is shown; what it says about itself steers no terminal."""
    epoch, rev = state.epoch if row.epoch is None else row.epoch, row.rev or 0
    # What is later than ours is of a lost database: the door refuses ours until it is begun anew.
    is_later = (epoch, rev) > (state.epoch, state.rev)
    behind = state.rev - rev if epoch == state.epoch and not is_later else max(1, state.rev)
    is_old = row.problem_at is not None and row.problem_at < now - PROBLEM_SECONDS
    allowed = None if row.unproven is None else say("door_problem.unproven", said=printable(row.unproven))
    problem = allowed if row.problem is None or is_old else printable(row.problem)
    if is_later:
        problem = say("door_problem.later", rev=rev)
    if row.shut_out is not None:
        problem = say("door_problem.shut_out", said=printable(row.shut_out))
    said = json.loads(row.state) if row.state else {}  # checked when it came: an object
    return DoorView(row.id, row.avail, behind, row.seen_at, problem, state=said)
