"""The retained `state` topic: how the door is, told when it changes and once a minute."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from edge.errors import FacegateError
from edge.floods import FloodLimit
from edge.wire.messages import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.wire.messages import Message

LOG = logging.getLogger(__name__)

REPEAT_SECONDS = 60.0
"""A reader tells a door that hangs from one where nothing happens."""
LOOK_SECONDS = 0.5
"""Between two looks: a hundredth of a second of work a minute."""


class StateReporter:
    """The part of sync that publishes `read()` on `state`, retained, with `v` added.

    It goes out on every new connection, when it changes, and every 60 s. What stands under a name
    in `volatile` goes along but is no reason to publish: counters would never be still. `read`
    is called on the sync thread, must be quick, and may raise a `FacegateError`: that time
    nothing is told.
    """

    subscriptions: Sequence[str] = ()

    def __init__(
        self, settings: BrokerSettings, read: Callable[[], dict[str, Any]], volatile: Sequence[str] = ()
    ) -> None:
        self._topic = settings.topic("state")
        self._read = read
        self._volatile = frozenset(volatile)
        self._told: dict[str, Any] | None = None
        self._look_at = 0.0
        self._repeat_at = 0.0
        self._lines = FloodLimit(1)

    def opened(self, session: BrokerSession, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Report at once at a new connection: the broker may have forgotten."""
        self._told, self._look_at = None, now

    def received(self, message: Message, now: float) -> None:
        """Ignore it: nothing is subscribed to here."""

    def taken(self, mid: int, problem: str | None, now: float) -> None:
        """Care for nothing: the next report replaces this one."""

    def step(self, session: BrokerSession, now: float) -> None:
        """Look whether there is something to tell."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        try:
            state = self._read()
        except FacegateError as error:
            if self._lines.tell(now) is not None:
                LOG.warning("the state of the door is not told: %s", error)
            return
        steady = {name: value for name, value in state.items() if name not in self._volatile}
        if steady != self._told or now >= self._repeat_at:
            self._told, self._repeat_at = steady, now + REPEAT_SECONDS
            session.publish(self._topic, json.dumps({"v": VERSION, **state}).encode(), retain=True)
