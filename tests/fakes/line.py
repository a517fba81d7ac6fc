"""A door's connection to the broker, as the pump of its events sees it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Line:
    """A connection that takes everything; `sent` has payload, number and proof of each message."""

    receive_maximum: int = 20
    maximum_packet: int = 1 << 20
    sent: list[tuple[Any, ...]] = field(default_factory=list)

    def publish(self, topic, payload, *, retain=False, done=0, proof=""):
        self.sent.append((payload, done, proof))
        return len(self.sent)
