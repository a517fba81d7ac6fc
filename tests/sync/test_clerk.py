"""What a part with a thread of its own says of the messages that it has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.broker.clerk import TopicWorker
from edge.broker.session import BrokerSession

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Line(BrokerSession):
    """A connection to nowhere; `look` is called while a message leaves, as another thread may look."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self.looks: list[object] = []

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        done: int = 0,
        proof: str = "",
    ) -> int:
        self.looks.append(self._look())
        return len(self.looks)


def test_what_is_leaving_just_now_is_not_confirmed() -> None:
    """Home Assistant's part forgets a topic that is taken away for certain; too early, it stays there."""
    part = TopicWorker("part", ())
    line = Line(lambda: part.is_all_confirmed)
    part.send("homeassistant/button/x/config", b"", retain=True)
    part.step(line, 0.0)
    assert (line.looks, part.is_all_confirmed) == ([False], False)
    part.taken(1, None, 0.0)
    assert part.is_all_confirmed


def opened() -> tuple[TopicWorker, Line]:
    """Return a part with a connection that turned just now, at 100 s."""
    part, line = TopicWorker("part", ()), Line(lambda: None)
    part.opened(line, 100.0)
    part.step(line, 100.0)
    return part, line


def test_a_machine_that_stood_still_has_lost_no_connection() -> None:
    """Whoever wakes up first finds that the connection has not turned: it has not had its turn yet."""
    part, line = opened()
    part.send("facegate/v1/front/cmd", b"x")
    part.step(line, 100.0)
    assert part.link_problem(109.0) is None
    part.step(line, 109.1)
    part.taken(1, None, 109.1)
    assert part.link_problem(109.2) is None
    assert part.link_problem(110.0) is None


def test_a_connection_that_does_not_turn_is_lost_at_the_second_look() -> None:
    part, _ = opened()
    assert part.link_problem(101.9) is None
    assert part.link_problem(102.5) is None
    assert part.link_problem(103.0) == "there is no connection to the broker"


def test_a_broker_that_confirms_nothing_is_told_at_the_second_look() -> None:
    part, line = opened()
    part.send("facegate/v1/front/cmd", b"x")
    part.step(line, 100.0)
    for at in (102.5, 103.0):
        part.step(line, at)
        told = part.link_problem(at)
    assert told == "the broker does not confirm what it is sent"


def test_what_a_broker_refuses_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Where the rights at the broker lack a topic every message on it was lost without a word."""
    part, line = opened()
    part.send("facegate/v1/front/notices/set", b"x")
    part.step(line, 100.0)
    part.taken(1, "Not authorized", 100.0)
    assert "notices/set, 1 bytes): Not authorized" in caplog.text
