"""Which events are on their way to the property, without network, clock or database.

One mechanism for both policies: entries are sent in order, progress is the number up to which
everything has arrived, and without progress all that is unconfirmed is sent again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge.broker.settings import Ack

MOST_EVENTS = 500
"""Events under way at most: about 0.3 MB, and a second of what a hub on small hardware stores."""
MOST_MESSAGES = 20
"""Messages without PUBACK at most: what mosquitto announces as Receive Maximum by default."""
LINK_SECONDS = 15.0
"""Without any PUBACK a connection is given up: a bad mobile line takes 6 s for one."""
FIRST_PATIENCE_SECONDS = 3.0
MOST_PATIENCE_SECONDS = 60.0
"""Silence before sending again; doubled each time, so that a hub that is down is not flooded."""


@dataclass(slots=True)
class Flight:
    """One message under way: PUBACK pending, or taken and waiting for those before it."""

    mid: int
    upto: int
    taken: bool = False


class InFlightWindow:
    """What was sent and what has arrived. One thread; `now` is monotonic seconds."""

    def __init__(self, policy: Ack, done: int = 0) -> None:
        self._policy = policy
        self._flights: deque[Flight] = deque()
        self._patience = FIRST_PATIENCE_SECONDS
        self._since = 0.0
        self._most_messages = MOST_MESSAGES
        self.done = done
        self.sent = done
        self._reached = done

    @property
    def room(self) -> int:
        """How many more events may be sent now."""
        if self.unconfirmed >= self._most_messages:
            return 0
        return max(0, MOST_EVENTS - (self.sent - self.done))

    @property
    def unconfirmed(self) -> int:
        """How many messages the broker has not taken yet."""
        return sum(not flight.taken for flight in self._flights)

    def is_under_way(self, mid: int) -> bool:
        """Return whether this message is one of ours that is not done."""
        return any(flight.mid == mid for flight in self._flights)

    def start(self, now: float, receive_maximum: int) -> None:
        """Begin on a new connection: nothing that was under way is trusted to arrive."""
        self._most_messages = max(1, min(MOST_MESSAGES, receive_maximum))
        self._patience = FIRST_PATIENCE_SECONDS
        self.rewind(now)

    def rewind(self, now: float) -> None:
        """Send everything unconfirmed again."""
        self._flights.clear()
        self.sent = self.done
        self._since = now

    def launched(self, mid: int, upto: int, now: float) -> None:
        """Note a message that was just handed to the broker's connection."""
        if self.sent == self.done:
            self._since = now  # silence counts from the first thing there is to answer
        self._flights.append(Flight(mid, upto))
        self.sent = upto
        self._reached = max(self._reached, upto)

    def broker_took(self, mid: int, now: float) -> bool:
        """Note a PUBACK; return whether `done` has moved."""
        for flight in self._flights:
            if flight.mid == mid:
                flight.taken = True
        upto = self.done
        # In order only: what was taken behind a message that was not counts when that one is.
        while self._flights and self._flights[0].taken:
            upto = self._flights.popleft().upto
        return self._policy is Ack.BROKER and self._advance(upto, now)

    def hub_stored(self, upto: int, now: float) -> bool:
        """Note an application acknowledgement; return whether `done` has moved.

        Of what this run never sent nothing is believed: where the broker knows no certificates an
        acknowledgement has no proof, and whoever forges one must not make us forget what has never left.
        """
        return self._policy is Ack.APPLICATION and self._advance(min(upto, self._reached), now)

    def is_stalled(self, now: float) -> bool:
        """Return whether something is under way and nobody has answered for too long."""
        return self.sent > self.done and now - self._since >= self._patience

    def is_link_dead(self, now: float) -> bool:
        """Say whether the broker owes us a PUBACK for longer than the slowest line takes."""
        return self.unconfirmed > 0 and now - self._since >= LINK_SECONDS

    def lose_patience(self, now: float) -> None:
        """Rewind, and wait longer before doing it again."""
        self._patience = min(MOST_PATIENCE_SECONDS, 2 * self._patience)
        self.rewind(now)

    def _advance(self, upto: int, now: float) -> bool:
        if upto <= self.done:
            return False
        self.done = upto
        # What was sent before a rewind may have arrived after all.
        self.sent = max(self.sent, upto)
        self._since = now
        self._patience = FIRST_PATIENCE_SECONDS
        return True
