"""How long a client waits between two attempts."""

from __future__ import annotations

import itertools
import random

from edge.broker.client import STABLE_SECONDS, SyncClient
from edge.broker.settings import BrokerSettings
from tests.loopback import free_port
from tests.waiting import wait_until


class Limits(random.Random):
    """Never waits, and remembers how long it might have been."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.seen.append(b)
        return a


def test_an_attempt_that_takes_long_and_fails_is_no_connection_that_lasted() -> None:
    """A broker that hangs is asked less and less often, by each of a thousand doors."""
    limits = Limits()
    passing = itertools.count(0.0, STABLE_SECONDS + 1.0)
    client = SyncClient(
        BrokerSettings("127.0.0.1", "door-1", free_port()), [], rng=limits, monotonic=lambda: next(passing)
    )
    client.start()
    wait_until(lambda: len(limits.seen) >= 5)
    client.stop()
    assert limits.seen[:5] == [1.0, 2.0, 4.0, 8.0, 15.0]
